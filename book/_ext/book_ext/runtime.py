"""Makes what explorables need to run, in `_static/explore`, once for all pages.

    our front end       host, worker and painter, from tensorfleet/explore/web
    Pyodide             the part of its npm package that loads in a browser
    python.zip          standard library and package, as much as the panels import
    version.mjs         a name for all of it

Making the archive takes Node some seconds, so it is kept in `_build/explore` until the
package changes.
"""

import hashlib
import importlib
import inspect
import json
import os
import pkgutil
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from zipfile import ZipFile

from sphinx.application import Sphinx

import tensorfleet
from tensorfleet.explore.html import describe
from tensorfleet.explore.panel import Panel

HERE = Path(__file__).parent
# In place of what Pyodide or the library imports at the start, and a page never uses:
# an event loop, an installer, colours. All of it would be fetched and run first.
STAND_INS = HERE / "stand_ins"
ADDED = {"sitecustomize.py"}  # which Python imports where there is one
PACKAGE = Path(tensorfleet.__file__).parent
FOLDER = "explore"
PYODIDE = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm")
AFTER = 1  # seconds that each panel runs while it is found out what it imports


def build_runtime(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    pyodide = Path(app.srcdir) / "node_modules" / "pyodide"
    target = Path(app.outdir) / "_static" / FOLDER
    (target / "pyodide").mkdir(parents=True, exist_ok=True)
    for file in (PACKAGE / "explore" / "web").iterdir():
        copy(file, target / file.name)
    for name in PYODIDE:
        copy(pyodide / name, target / "pyodide" / name)
    # Pyodide asks for a list of packages to install. There are none.
    lock = json.loads((pyodide / "pyodide-lock.json").read_text())
    listed = target / "pyodide" / "pyodide-lock.json"
    listed.write_text(json.dumps(lock | {"packages": {}}))
    made = archive(pyodide, Path(app.srcdir) / "_build" / "explore")
    copy(made, target / "pyodide" / "python.zip")
    name_version(target)


def name_version(folder: Path) -> None:
    """Write version.mjs, by which pages tell whether they run the same program."""
    digest = hashlib.sha256()
    module = folder / "version.mjs"
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file != module and file.suffix != ".gz":
            digest.update(file.read_bytes())
    words = f'export default "{digest.hexdigest()[:16]}";\n'
    if not module.exists() or module.read_text() != words:
        module.write_text(words)


def copy(source: Path, target: Path) -> None:
    """Like a copy, but an equal file stays, and with it what browsers have cached."""
    if not target.exists() or source.read_bytes() != target.read_bytes():
        shutil.copyfile(source, target)


def archive(pyodide: Path, folder: Path) -> Path:
    """python.zip, made anew where the package or what makes it has changed.

    Raises RuntimeError with Node's words when a panel cannot do without what was left
    out, or when there is no Node.
    """
    sources = sorted(PACKAGE.rglob("*.py"))
    stand_ins = sorted(STAND_INS.rglob("*.py"))
    maker, driver = HERE / "make_python.mjs", HERE / "drive_panels.py"
    digest = hashlib.sha256((pyodide / "package.json").read_bytes())
    for file in (*sources, *stand_ins, maker, driver, Path(__file__)):
        digest.update(f"{file}\0".encode() + file.read_bytes())
    made = folder / f"python-{digest.hexdigest()[:16]}.zip"
    if made.exists():
        return made
    folder.mkdir(parents=True, exist_ok=True)
    # A Node that `make book` had to install is beside Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=path)
    if node is None:
        raise RuntimeError("there is no Node, which makes the Python of the page")
    with tempfile.TemporaryDirectory() as scratch:
        ours = Path(scratch) / "package"
        for source in sources:
            copied = ours / "tensorfleet" / source.relative_to(PACKAGE)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, copied)
        listed = Path(scratch) / "panels.json"
        listed.write_text(json.dumps(all_panels()))
        library = Path(scratch) / "library.zip"
        replace_modules(pyodide / "python_stdlib.zip", stand_ins, library)
        made_here = Path(scratch) / "zip"
        result = subprocess.run(
            [node, maker, pyodide, library, ours, driver, listed, made_here],
            capture_output=True,
            text=True,
        )
        if result.returncode:
            raise RuntimeError(f"the page's Python: {result.stderr.strip()[-2000:]}")
        for old in folder.iterdir():
            old.unlink()
        whole = shutil.move(made_here, folder / "whole")
        Path(whole).replace(made)  # at once, or not at all
    return made


def replace_modules(library: Path, stand_ins: list[Path], target: Path) -> None:
    """The standard library with modules of ours in place of its own.

    Raises ValueError for a module that is not there, as after an update of Pyodide.
    """
    ours = {str(file.relative_to(STAND_INS)): file for file in stand_ins}
    with ZipFile(library) as whole, ZipFile(target, "w") as made:
        gone = ours.keys() - whole.namelist() - ADDED
        if gone:
            raise ValueError(
                f"{library} has no {sorted(gone)}: nothing to stand in for"
            )
        for name in whole.namelist():
            if name not in ours:
                made.writestr(name, whole.read(name))
        for name, file in ours.items():
            made.write(file, name)


def all_panels() -> list[dict[str, object]]:
    """Every panel of the package: a class in a module that has it in its name."""
    found = []
    for module in pkgutil.walk_packages([str(PACKAGE)], "tensorfleet."):
        if not module.name.rpartition(".")[2].endswith("panel"):
            continue
        imported = importlib.import_module(module.name)
        for name, kind in inspect.getmembers(imported, inspect.isclass):
            if (
                issubclass(kind, Panel)
                and kind is not Panel
                and kind.__module__ == module.name
            ):
                path = f"{module.name}:{name}"
                found.append({"path": path, "after": AFTER, **describe(kind())})
    return found
