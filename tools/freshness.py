"""Do a lab's stored outputs belong to the code as it stands, and are they clean?

A stored output is stale when a code cell of the lab, a tensorfleet module that the lab
imported while it ran, or the style of its plots has changed since. So whoever executes
a lab stores a hash of each of these in its metadata (`stamp`), and the gate computes
them again (`problems`). A hash of the outputs themselves, with date and device, tells
when they were changed by hand, in what nbval does not compare too: plots, and outputs
that it is told to ignore.

Modification times are not looked at: in a fresh clone they mean nothing.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]


def stamp(notebook: NotebookNode, lab: Path, facts: dict[str, Any]) -> None:
    """Store in an executed notebook what its outputs were made from.

    `facts` holds device, versions and date, and the names of the imported modules. All
    modules of the lab's own chapter count with them: which are imported may depend on
    the machine, as that of the Triton kernels does.
    """
    facts = dict(facts)
    chapter = ROOT / "src" / "tensorfleet" / lab.stem
    own = {f"tensorfleet.{lab.stem}.{file.stem}" for file in chapter.glob("[!_]*.py")}
    modules = sorted(own | set(facts.pop("modules")))
    notebook.metadata["tensorfleet"] = facts
    inputs = hashes(notebook, lab, modules, ROOT / "src")
    notebook.metadata["tensorfleet"] = facts | {"inputs": inputs}


def problems(lab: Path, src: Path) -> list[str]:
    """What is wrong with the stored outputs of a lab, given the package below `src`."""
    notebook = nbformat.read(lab, as_version=4)
    found = [*_unclean(notebook)]
    stored = notebook.metadata.get("tensorfleet", {}).get("inputs")
    if stored is None:
        return [*found, "it has no hashes of what its outputs were made from"]
    modules = [name for name in stored if name.startswith("tensorfleet")]
    current = hashes(notebook, lab, modules, src)
    changed = [name for name in current if stored.get(name) != current[name]]
    if changed:
        names = ", ".join(changed)
        found.append(f"its outputs are stale: changed since they were made: {names}")
    return found


def hashes(
    notebook: NotebookNode, lab: Path, modules: list[str], src: Path
) -> dict[str, str]:
    """A hash of cells, of outputs, of the plots' style, and of each module.

    That of a package covers its data files too.
    """
    cells = [[cell.source, cell.metadata.get("tags")] for cell in code_cells(notebook)]
    facts = {**notebook.metadata["tensorfleet"], "inputs": None}
    outputs = [facts, *(cell.outputs for cell in code_cells(notebook))]
    style = sorted(lab.parent.glob("*.mplstyle"))
    return {
        "cells": _digest(json.dumps(cells).encode()),
        "outputs": _digest(json.dumps(outputs, sort_keys=True).encode()),
        "style": _digest(*(file.read_bytes() for file in style)),
        **{name: _digest(*_contents(name, src)) for name in modules},
    }


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _contents(module: str, src: Path) -> list[bytes]:
    """The files of a module; of a package, `__init__.py` and all that is not code."""
    path = src.joinpath(*module.split("."))
    files = [path.with_suffix(".py")]
    if path.is_dir():
        files = [path / "__init__.py", *_data(path)]
    return [file.read_bytes() if file.exists() else b"" for file in files]


def _data(folder: Path) -> Iterator[Path]:
    """What lies in a package and is not code, in its plain subfolders too."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith((".", "__pycache__")) or path.name.endswith("~"):
            continue
        if path.is_dir() and not (path / "__init__.py").exists():
            yield from _data(path)
        elif path.is_file() and path.suffix != ".py":
            yield path


def _unclean(notebook: NotebookNode) -> list[str]:
    found = []
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        order = f"the cells were run in the order {counts}"
        found.append(f"{order}, not once each from top to bottom")
    places = [f"{place}/" for place in (Path.home(), ROOT) if place != Path("/")]
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"code cell {number} stores an error, {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"code cell {number} stores a message on stderr")
            if any(place in _text(output) for place in places):
                path = "a path of the machine that it ran on"
                found.append(f"code cell {number} stores {path}")
    return found


def _text(output: NotebookNode) -> str:
    """All text of an output; pictures are left out."""
    data = output.get("data", {})
    texts = [value for mime, value in data.items() if not mime.startswith("image/")]
    return json.dumps([output.get("text", ""), texts], ensure_ascii=False)


def _digest(*parts: bytes) -> str:
    # The length before each part keeps ["ab", "c"] and ["a", "bc"] apart.
    joined = b"".join(b"%d:%s" % (len(part), part) for part in parts)
    return sha256(joined).hexdigest()[:16]
