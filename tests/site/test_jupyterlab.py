"""The same explorables in JupyterLab, where a live kernel computes them."""

import subprocess
import sys
import time
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest

from book_ext.runtime import all_panels
from serve import free_port
from tests.site.conftest import Visit
from tests.site.explorables import Driven, try_everything

pytestmark = pytest.mark.site

PANELS = [panel["path"] for panel in all_panels()]
LINKED = """
import ipywidgets
from IPython.display import display
from tensorfleet.explore.widget import Explorable
from tensorfleet.hashing.panel import HashingPanel

ring = Explorable(HashingPanel())
slider = ipywidgets.IntSlider(value=40, min=10, max=200, step=10)
ipywidgets.link((slider, "value"), (ring, "num_keys"))
display(slider, ring)
"""


def shown(path):
    """A cell that shows a panel."""
    module, _, name = path.partition(":")
    return (
        f"from {module} import {name}\n"
        "from tensorfleet.explore.widget import Explorable\n"
        f"Explorable({name}())"
    )


@pytest.fixture(scope="module")
def laboratory(tmp_path_factory):
    """The address of JupyterLab over a folder with one notebook for each panel."""
    folder = tmp_path_factory.mktemp("lab")
    for number, source in enumerate([LINKED, *map(shown, PANELS)]):
        book = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source)],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(book, folder / f"{number}.ipynb")
    port = free_port()
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"]
    command += [
        f"--port={port}",
        "--IdentityProvider.token=",
        f"--notebook-dir={folder}",
    ]
    command += [
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    server = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            assert server.poll() is None, "JupyterLab has ended"
            assert time.monotonic() < deadline, "JupyterLab has not started"
            try:
                urlopen(f"{address}/api").close()
                break
            except URLError:
                time.sleep(0.2)
        yield address
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture
def run(chromium, laboratory):
    """Opens a notebook by number and runs its cell."""
    visits = []

    def start(number):
        opened = Visit(chromium, laboratory)
        visits.append(opened)
        page = opened.page
        page.goto(f"{laboratory}/lab/workspaces/w{number}/tree/{number}.ipynb?reset")
        cell = page.locator(".jp-Notebook .jp-CodeCell").first
        cell.click(timeout=60_000)
        # The kernel is there when the notebook says that it has nothing to do.
        page.locator('.jp-Notebook-ExecutionIndicator[data-status="idle"]').wait_for(
            timeout=60_000
        )
        # Or nearly: JupyterLab may forget what is run while it still connects to it.
        # Who sees neither a number nor a star beside the cell runs it again.
        live = page.locator(".explorable[data-status=live]")
        for _ in range(60):
            if cell.locator(".jp-InputPrompt").inner_text() == "[ ]:":
                cell.click()
                page.keyboard.press("Shift+Enter")
            page.wait_for_timeout(1000)
            if live.count():
                break
        live.wait_for()
        return opened

    yield start
    for opened in visits:
        opened.context.close()


@pytest.mark.parametrize("number", range(1, len(PANELS) + 1), ids=PANELS)
def test_it_shows_what_python_computes_whatever_is_done(run, number):
    opened = run(number)
    driven = Driven(opened, ".explorable")
    if driven.description["moves"]:
        driven.run(False)
    try_everything(driven)
    assert driven.message() == ""


def test_it_is_linked_to_a_slider(run):
    opened = run(0)
    driven = Driven(opened, ".explorable")
    driven.twin.act("num_keys", 40)
    driven.expect_same()
    handle = opened.page.locator(".widget-slider .noUi-handle")
    handle.focus()
    opened.page.keyboard.press("ArrowRight")
    driven.twin.act("num_keys", 50)
    driven.expect_same()
    assert driven.control("num_keys").input_value() == "50"
    # And the other way.
    driven.set("num_keys", 90)
    driven.expect_same()
    opened.until("document.querySelector('.widget-readout').textContent === '90'")


def test_its_keys_are_not_the_notebooks(run):
    """In JupyterLab arrows move between cells, and letters are commands."""
    opened = run(0)
    driven = Driven(opened, ".explorable")
    driven.twin.act("num_keys", 40)
    driven.expect_same()
    driven.control("num_keys").focus()
    opened.page.keyboard.press("ArrowRight")
    driven.twin.act("num_keys", 50)
    driven.expect_same()
    cells = opened.page.locator(".jp-Notebook .jp-Cell")
    count = cells.count()
    opened.page.keyboard.press("b")  # would add a cell
    opened.page.wait_for_timeout(200)
    assert cells.count() == count
