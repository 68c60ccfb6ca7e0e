"""Runs the labs, and checks that their stored outputs belong to the code as it stands.

    python tools/labs.py execute
        run the labs on the CPU and store their outputs
    python tools/labs.py execute --copies DIR
        run copies, on the GPU where there is one, into DIR
    python tools/labs.py check
        fail if stored outputs are stale or unclean

A stored output is stale when a code cell of the lab, or a tensorfleet module that the
lab imported while it ran, has changed since. So `execute` stores a hash of each in the
lab's metadata, and `check` computes them again. The list of modules comes from the
running kernel, and needs no guessing: whoever adds an import has changed a cell or a
module that is on the list already. Data files count with the package in which they lie.
Modification times are not looked at: in a fresh clone they mean nothing.
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tqdm import tqdm

ROOT = Path(__file__).parents[1]
# Runs after the lab's last cell, in its kernel, and is not stored.
PROBE = """
import json as _json, platform as _platform, sys as _sys
import numpy as _numpy, torch as _torch
_cuda = _torch.cuda.is_available()
print(_json.dumps({
    "modules": sorted(
        name for name in _sys.modules if name.partition(".")[0] == "tensorfleet"
    ),
    "device": _torch.cuda.get_device_name() if _cuda else "CPU",
    "versions": {
        "python": _platform.python_version(),
        "torch": _torch.__version__,
        "numpy": _numpy.__version__,
    },
}))
"""


def execute(path: Path, output: Path, gpu: bool) -> None:
    """Run the lab at `path` and store it, with outputs and hashes, at `output`."""
    os.environ["PYTHONHASHSEED"] = "0"
    if not gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
    with tqdm(
        total=len(code_cells(notebook)), desc=path.stem, unit="cell", disable=None
    ) as progress:
        client = NotebookClient(
            notebook,
            timeout=600,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(path.parent)}},
            on_cell_executed=lambda **_: progress.update(),
        )
        # Over TCP, newer kernels warn on stderr.
        # Sockets in a folder of their own: over TCP, newer kernels warn on stderr.
        manager = client.create_kernel_manager()
        with TemporaryDirectory() as folder:
            manager.transport, manager.ip = "ipc", f"{folder}/kernel"
            client.execute()
    facts = json.loads(notebook.cells.pop().outputs[0].text)
    inputs = hashes(notebook, facts.pop("modules"), ROOT / "src")
    facts["executed"] = datetime.now(UTC).date().isoformat()
    notebook.metadata["tensorfleet"] = facts | {"inputs": inputs}
    notebook.metadata.language_info.pop("version", None)
    output.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, output)


def problems(path: Path, src: Path) -> list[str]:
    """What is wrong with the stored outputs of the lab at `path`.

    `src` is the folder of the package that they are checked against.
    """
    notebook = nbformat.read(path, as_version=4)
    found = []
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        found.append(
            f"the cells were run in the order {counts}, "
            "not once each from top to bottom"
        )
    for number, cell in enumerate(code_cells(notebook), 1):
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"code cell {number} stores an error, {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"code cell {number} stores a message on stderr")
            if str(Path.home()) in json.dumps(output) or str(ROOT) in json.dumps(
                output
            ):
                found.append(
                    f"code cell {number} stores a path of the machine that it ran on"
                )
    stored = notebook.metadata.get("tensorfleet", {}).get("inputs")
    if stored is None:
        return [*found, "it has no hashes of what its outputs were made from"]
    current = hashes(notebook, [name for name in stored if name != "cells"], src)
    changed = [name for name in stored if stored[name] != current.get(name)]
    if changed:
        found.append(
            f"its outputs are stale: changed since they were made: {', '.join(changed)}"
        )
    return found


def hashes(
    notebook: nbformat.NotebookNode, modules: list[str], src: Path
) -> dict[str, str]:
    """A hash of the code cells together, and one of each module.

    That of a package covers its data files too.
    """
    found = {"cells": digest(*(cell.source.encode() for cell in code_cells(notebook)))}
    for name in modules:
        path = src.joinpath(*name.split("."))
        files = [path.with_suffix(".py")]
        if path.is_dir():
            data = [
                file
                for file in path.iterdir()
                if file.is_file() and file.suffix not in (".py", ".pyc")
            ]
            files = [path / "__init__.py", *sorted(data)]
        found[name] = digest(
            *(file.read_bytes() if file.exists() else b"" for file in files)
        )
    return found


def digest(*parts: bytes) -> str:
    # The length before each part keeps ["ab", "c"] and ["a", "bc"] apart.
    return sha256(b"".join(b"%d:%s" % (len(part), part) for part in parts)).hexdigest()[
        :16
    ]


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("action", choices=["execute", "check"])
    parser.add_argument("labs", nargs="*", type=Path, help="default: all of notebooks/")
    parser.add_argument(
        "--copies",
        type=Path,
        metavar="DIR",
        help="store executed copies here, and let them see the GPU",
    )
    parser.add_argument(
        "--src",
        type=Path,
        default=ROOT / "src",
        help="check against the package in this folder",
    )
    arguments = parser.parse_args()
    labs = arguments.labs or sorted((ROOT / "notebooks").glob("*.ipynb"))
    failed = False
    for lab in labs:
        if arguments.action == "check":
            for problem in problems(lab, arguments.src):
                print(f"{lab.name}: {problem}")
                failed = True
            continue
        output = arguments.copies / lab.name if arguments.copies else lab
        try:
            execute(lab, output, gpu=bool(arguments.copies))
        except CellExecutionError as error:
            print(f"{lab.name}: a cell failed, nothing was stored\n{error}")
            failed = True
    if failed and arguments.action == "check":
        print("`make notebooks` executes the labs and stores their outputs.")
    elif not failed:
        print(f"{arguments.action}: {len(labs)} lab(s) in order")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
