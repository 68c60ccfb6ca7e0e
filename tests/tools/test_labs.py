"""The gates on labs, each shown to close.

On copies, so that nothing of the book is touched.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

import freshness

ROOT = Path(__file__).parents[2]


@pytest.fixture
def copy(tmp_path):
    """A copy of the package and the labs: (lab, src)."""
    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    return tmp_path / "notebooks" / "scatter.ipynb", tmp_path / "src"


def change_cell(lab, cell_id, change):
    notebook = nbformat.read(lab, as_version=4)
    change(next(cell for cell in notebook.cells if cell.id == cell_id))
    nbformat.write(notebook, lab)


def test_the_labs_are_fresh(copy):
    assert freshness.problems(*copy) == []


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("ops.py", "tensorfleet.scatter.ops"),
        ("kernel.py", "tensorfleet.scatter.kernel"),
        # imported by ops, not by the lab
        ("arguments.py", "tensorfleet.scatter.arguments"),
        # data belong to their package
        ("sorting_office.txt", "tensorfleet.scatter"),
    ],
)
def test_an_edit_to_the_package_makes_the_lab_stale(copy, file, module):
    lab, src = copy
    edited = src / "tensorfleet" / "scatter" / file
    edited.write_text(edited.read_text() + "\n# edited\n")
    assert freshness.problems(lab, src) == [
        f"its outputs are stale: changed since they were made: {module}"
    ]


def test_a_deleted_module_makes_the_lab_stale(copy):
    lab, src = copy
    (src / "tensorfleet" / "scatter" / "costs.py").unlink()
    assert "tensorfleet.scatter.costs" in freshness.problems(lab, src)[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda cell: cell.update(source=cell.source + "\n"), "cells"),
        (lambda cell: cell.metadata.update(tags=["nbval-ignore-output"]), "cells"),
        (lambda cell: cell.outputs[0].update(text="[1.0, 5.0, 4.1]"), "outputs"),
        (lambda cell: cell.outputs.pop(), "outputs"),
    ],
)
def test_an_edit_to_a_cell_or_its_output_makes_the_lab_stale(copy, change, named):
    lab, src = copy
    change_cell(lab, "1d", change)
    assert freshness.problems(lab, src) == [
        f"its outputs are stale: changed since they were made: {named}"
    ]


def test_another_style_of_plots_makes_the_lab_stale(copy):
    lab, src = copy
    (lab.parent / "book.mplstyle").write_text("lines.linewidth: 9")
    assert "style" in freshness.problems(lab, src)[0]


def test_another_device_or_date_makes_the_lab_stale(copy):
    lab, src = copy
    notebook = nbformat.read(lab, as_version=4)
    notebook.metadata["tensorfleet"]["device"] = "Abacus"
    nbformat.write(notebook, lab)
    assert "outputs" in freshness.problems(lab, src)[0]


def test_data_in_a_subfolder_count(copy):
    lab, src = copy
    folder = src / "tensorfleet" / "scatter" / "data"
    folder.mkdir()
    (folder / "more.txt").write_text("more")
    assert freshness.problems(lab, src) == [
        "its outputs are stale: changed since they were made: tensorfleet.scatter"
    ]


def test_files_that_editors_and_systems_leave_do_not_count(copy):
    lab, src = copy
    for name in (".DS_Store", ".ops.py.swp", "ops.py~"):
        (src / "tensorfleet" / "scatter" / name).write_text("left behind")
    assert freshness.problems(lab, src) == []


def test_text_between_the_cells_may_change(copy):
    lab, src = copy
    change_cell(lab, "1d-text", lambda cell: cell.update(source="Other words."))
    assert freshness.problems(lab, src) == []


def test_unclean_outputs_are_named(copy):
    lab, src = copy
    error = nbformat.v4.new_output("error", ename="ValueError", evalue="", traceback=[])
    warning = nbformat.v4.new_output("stream", name="stderr", text="careful")
    path = nbformat.v4.new_output("stream", name="stdout", text=f"{ROOT}/x")
    change_cell(lab, "1d", lambda cell: cell.update(outputs=[error, warning, path]))
    assert freshness.problems(lab, src)[:3] == [
        "code cell 2 stores an error, ValueError",
        "code cell 2 stores a message on stderr",
        "code cell 2 stores a path of the machine that it ran on",
    ]
    change_cell(lab, "1d", lambda cell: cell.update(outputs=[], execution_count=7))
    assert "the cells were run in the order [1, 7, 3" in freshness.problems(lab, src)[0]


def test_a_lab_without_hashes_is_refused(copy):
    lab, src = copy
    notebook = json.loads(lab.read_text())
    del notebook["metadata"]["tensorfleet"]
    lab.write_text(json.dumps(notebook))
    assert freshness.problems(lab, src) == [
        "it has no hashes of what its outputs were made from"
    ]


def test_the_command_says_what_to_do_and_fails(copy):
    lab, src = copy
    edited = src / "tensorfleet" / "scatter" / "ops.py"
    edited.write_text(edited.read_text() + "\n")
    command = [sys.executable, ROOT / "tools" / "labs.py", "check", lab, "--src", src]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "scatter.ipynb: its outputs are stale" in result.stdout
    assert "`make notebooks`" in result.stdout


@pytest.mark.slow
def test_execute_stores_a_copy_elsewhere_and_leaves_the_lab_alone(copy, tmp_path):
    lab, _ = copy
    notebook = nbformat.read(lab, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id in ("setup", "1d")]
    nbformat.write(notebook, lab)
    before = lab.read_bytes()
    command = [sys.executable, ROOT / "tools" / "labs.py", "execute", lab]
    result = subprocess.run(
        [*command, "--copies", tmp_path / "records"], capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert lab.read_bytes() == before
    stored = nbformat.read(tmp_path / "records" / lab.name, as_version=4)
    assert stored.cells[1].outputs[0].text == "[1.0, 5.0, 4.0, 5.0, 0.0]\n"
    inputs = stored.metadata["tensorfleet"]["inputs"]
    # The kernel itself said what it imported: ops brought arguments with it.
    assert {"cells", "tensorfleet.scatter.ops", "tensorfleet.scatter.arguments"} <= set(
        inputs
    )


@pytest.mark.slow
def test_a_cell_that_fails_stores_nothing(copy):
    lab, _ = copy
    notebook = nbformat.read(lab, as_version=4)
    notebook.cells = [nbformat.v4.new_code_cell("assert 1 + 1 == 3")]
    nbformat.write(notebook, lab)
    before = lab.read_bytes()
    command = [sys.executable, ROOT / "tools" / "labs.py", "execute", lab]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 1
    assert "a cell failed, nothing was stored" in result.stdout
    assert lab.read_bytes() == before


def nbval(lab):
    """Run nbval as `make labs` does, on a copy of a lab cut down to its first steps."""
    notebook = nbformat.read(lab, as_version=4)
    keep = ("setup", "1d", "bincount", "faults", "int8-quantity")
    notebook.cells = [cell for cell in notebook.cells if cell.id in keep]
    nbformat.write(notebook, lab)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval",
        "--nbval-current-env",
        "-W",
        "default",
    ]
    command += [
        "-p",
        "no:cacheprovider",
        "--nbval-sanitize-with",
        lab.parent / "sanitize.cfg",
        lab,
    ]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=lab.parent, env=hidden
    )


@pytest.mark.slow
def test_nbval_passes_on_the_stored_outputs(copy):
    result = nbval(copy[0])
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_a_wrong_number_in_a_stored_output_fails(copy):
    lab, _ = copy

    def falsify(cell):
        assert "[1.0, 5.0, 4.0, 5.0, 0.0]" in cell.outputs[0].text
        cell.outputs[0].text = cell.outputs[0].text.replace("4.0", "4.1")

    change_cell(lab, "1d", falsify)
    result = nbval(lab)
    assert result.returncode == 1
    assert "1 failed" in result.stdout


@pytest.mark.slow
def test_a_wrong_number_in_a_stored_quantity_fails(copy):
    """The number that pages quote, even where the text beside it is still right."""
    lab, _ = copy

    def falsify(cell):
        cell.outputs[0].data["application/vnd.tensorfleet.quantity+json"]["value"] += 1

    change_cell(lab, "int8-quantity", falsify)
    result = nbval(lab)
    assert result.returncode == 1
    assert "1 failed" in result.stdout
