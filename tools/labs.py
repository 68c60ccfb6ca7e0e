"""Runs the labs, and checks that their stored outputs belong to the code as it stands.

python tools/labs.py execute
    run the labs on the CPU and store their outputs
python tools/labs.py execute --copies DIR
    run copies, on the GPU where there is one, into DIR
python tools/labs.py check
    fail if stored outputs are stale or unclean
"""

import argparse
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from tqdm import tqdm

from freshness import ROOT, code_cells, problems, stamp

LIMIT = 600  # seconds that a cell may take, on a slow machine too

# Runs after the lab's last cell, in its kernel, and is not stored.
PROBE = """
import json as _json, platform as _platform, sys as _sys
import numpy as _numpy, torch as _torch
_cuda = _torch.cuda.is_available()
print(_json.dumps({
    "modules": [name for name in _sys.modules if name.split(".")[0] == "tensorfleet"],
    "device": _torch.cuda.get_device_name() if _cuda else "CPU",
    "versions": {
        "python": _platform.python_version(),
        "torch": _torch.__version__,
        "numpy": _numpy.__version__,
    },
}))
"""


def execute(lab: Path, output: Path, gpu: bool) -> None:
    """Run a lab and store it at `output`, with outputs and their stamp."""
    if not gpu:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    notebook = nbformat.read(lab, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(PROBE))
    _run(notebook, lab)
    facts = json.loads(notebook.cells.pop().outputs[0].text)
    facts["executed"] = datetime.now(UTC).date().isoformat()
    notebook.metadata.language_info.pop("version", None)
    # Outputs are stamped as they will be read.
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    stamp(notebook, lab, facts)
    output.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, output)


def _run(notebook: nbformat.NotebookNode, lab: Path) -> None:
    cells = len(code_cells(notebook))
    with tqdm(total=cells, desc=lab.stem, unit="cell", disable=None) as progress:
        client = NotebookClient(
            notebook,
            timeout=LIMIT,
            kernel_name="python3",
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(lab.parent)}},
            on_cell_executed=lambda **_: progress.update(),
        )
        # Sockets in a folder of their own: over TCP, newer kernels warn on stderr.
        manager = client.create_kernel_manager()
        with TemporaryDirectory() as folder:
            manager.transport, manager.ip = "ipc", f"{folder}/kernel"
            client.execute()


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
    wrong = 0
    for lab in labs:
        if arguments.action == "check":
            found = problems(lab, arguments.src)
        else:
            output = arguments.copies / lab.name if arguments.copies else lab
            found = _failure(lab, output, gpu=bool(arguments.copies))
        for problem in found:
            print(f"{lab.name}: {problem}")
        wrong += bool(found)
    if wrong and arguments.action == "check":
        print("`make notebooks` executes the labs and stores their outputs.")
    if not wrong:
        print(f"{arguments.action}: {len(labs)} lab(s) in order")
    return int(wrong > 0)


def _failure(lab: Path, output: Path, gpu: bool) -> list[str]:
    try:
        execute(lab, output, gpu)
    except CellExecutionError as error:
        return [f"a cell failed, nothing was stored\n{error}"]
    except CellTimeoutError:
        return [f"a cell did not end within {LIMIT} s, nothing was stored"]
    return []


if __name__ == "__main__":
    sys.exit(main())
