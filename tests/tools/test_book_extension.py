"""The book's extension quotes what is there and fails the build for what is not."""

import html
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from zipfile import ZipFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from book_ext.explorables import Explorable
from book_ext.runtime import STAND_INS, name_version, replace_modules
from book_ext.sources import NotFound, find_plot, find_quantity
from book_ext.stand_ins.html import escape

ROOT = Path(__file__).parents[2]


@pytest.fixture
def env():
    noted = []
    return SimpleNamespace(srcdir=str(ROOT), note_dependency=noted.append, noted=noted)


def test_a_lab_quantity_comes_with_its_place_and_origin(env):
    found = find_quantity(env, "scatter.int8_count")
    assert found.value == 300 - 256
    assert (found.lab, found.label) == ("notebooks/scatter", "lab-scatter-faults")
    assert found.device == "CPU"
    assert env.noted == [str(ROOT / "notebooks" / "scatter.ipynb")]


def test_a_recorded_quantity_comes_with_device_and_date(env):
    found = find_quantity(env, "scatter.copy_bandwidth@cpu")
    assert found.value > 0
    assert found.unit == "GB/s"
    assert found.lab is None
    assert found.date.startswith("20")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("scatter.no_such", "the lab scatter has no 'no_such': it has .*float_sums"),
        ("scatter.no_such@cpu", "the record of scatter on cpu has no 'no_such'"),
        ("scatter.copy_bandwidth@abacus", "nothing is recorded for scatter on abacus"),
        ("scater.num_words", "there is no lab 'scater'"),
        ("num_words", "it must be chapter.quantity or chapter.quantity@device"),
    ],
)
def test_a_missing_number_is_named(env, name, message):
    with pytest.raises(NotFound, match=message):
        find_quantity(env, name)


def test_plots(env):
    assert find_plot(env, "scatter", "zipf-plot").startswith(b"\x89PNG")
    with pytest.raises(NotFound, match="drew no plot"):
        find_plot(env, "scatter", "1d")


def test_the_version_changes_with_the_live_program_alone(tmp_path):
    def version():
        name_version(tmp_path)
        return (tmp_path / "version.mjs").read_text()

    (tmp_path / "pyodide").mkdir()
    archive = tmp_path / "pyodide" / "python.zip"
    archive.write_bytes(b"one")
    (tmp_path / "host.mjs").write_text("import version from './version.mjs';")
    first = version()
    (tmp_path / "host.mjs.gz").write_bytes(b"packed")
    assert version() == first
    archive.write_bytes(b"two")
    assert version() != first
    archive.write_bytes(b"one")
    assert version() == first


def test_stand_ins_take_the_places_of_modules_that_are_there(tmp_path):
    """An update of Pyodide may move a module that a page is to do without."""
    files = sorted(STAND_INS.rglob("*.py"))
    names = [str(file.relative_to(STAND_INS)) for file in files]
    theirs = sorted({*names, "os.py"} - {"sitecustomize.py"})
    with ZipFile(tmp_path / "library", "w") as library:
        for name in theirs:
            library.writestr(name, "theirs")
    replace_modules(tmp_path / "library", files, tmp_path / "made")
    with ZipFile(tmp_path / "made") as made:
        assert sorted(made.namelist()) == sorted([*names, "os.py"])
        assert made.read("os.py") == b"theirs"
        for name, file in zip(names, files, strict=True):
            assert made.read(name) == file.read_bytes()
    with ZipFile(tmp_path / "other", "w") as library:
        library.writestr("os.py", "theirs")
    with pytest.raises(ValueError, match=r"has no .*'pyodide/webloop.py'"):
        replace_modules(tmp_path / "other", files, tmp_path / "made")


@given(st.text())
def test_the_pages_escape_is_the_librarys(text):
    assert escape(text) == html.escape(text)


def test_a_second_explorable_of_a_class_has_an_id_of_its_own():
    page = SimpleNamespace(env=SimpleNamespace(temp_data={}))
    names = [Explorable.free_name(page, name) for name in ("a", "b", "a", "a")]
    assert names == ["a", "b", "a-2", "a-3"]


@pytest.mark.slow
def test_the_build_fails_for_names_that_do_not_exist(tmp_path):
    for part in ("book", "notebooks", "benchmarks/results", "src", "tests/exercises"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, tmp_path / part, ignore=ignore)
    for file in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / file, tmp_path)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    page = tmp_path / "book" / "references.md"
    with page.open("a") as file:
        file.write("\nA number: {measured}`scatter.no_such`.\n\n```{claims}\n```\n")
    claims = page.with_suffix(".claims.yml")
    entry = "{claim: one, verdict: holds, evidence: none, cell: lab-no-such}"
    claims.write_text(f"- {entry}\n")
    command = [Path(sys.executable).parent / "jupyter-book", "build", tmp_path]
    command += ["--warningiserror", "--nitpick", "--keep-going"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode != 0
    said = result.stdout + result.stderr
    assert "measured: the lab scatter has no 'no_such'" in said
    assert "undefined label: 'lab-no-such'" in said
