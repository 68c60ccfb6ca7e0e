"""The built book, served and opened in a real browser.

`make html` must have built it.
"""

import threading
import time
from functools import partial
from http.server import ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright

from browser import find_browser
from serve import SITE, BookHandler, book_server

# Enough for Chromium as root and without a GPU, and silence towards the hosts that it
# likes to call.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
)


@pytest.fixture(scope="session")
def address():
    """http://127.0.0.1:port of the served book."""
    assert (SITE / "index.html").exists(), "the book is not built: run `make html`"
    server = book_server(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """A page in one theme and width, and all that went wrong while it was open."""

    def __init__(self, chromium, address, theme="light", width=1280):
        self.address = address
        self.context = chromium.new_context(viewport={"width": width, "height": 900})
        self.context.add_init_script(
            f"localStorage.mode = localStorage.theme = '{theme}'"
        )
        self.page = self.context.new_page()
        self.faults = []
        self.page.on("console", self._console)
        self.page.on(
            "pageerror", lambda error: self.faults.append(f"exception: {error}")
        )
        self.page.on("request", self._request)
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def open(self, path):
        self.page.goto(f"{self.address}/{path}")
        self.until("!window.MathJax || !!window.MathJax.startup?.promise")
        self.page.evaluate("window.MathJax?.startup?.promise")
        self.page.evaluate("document.fonts.ready")
        return self.page

    def until(self, expression, seconds=10):
        """Wait until `expression` is true in the page, and return its value.

        Playwright's own waiting evaluates text in the page, which the book's policy
        forbids; this asks through the debugger.
        """
        deadline = time.monotonic() + seconds
        while not (value := self.page.evaluate(expression)):
            assert time.monotonic() < deadline, f"never true: {expression}"
            self.page.wait_for_timeout(20)
        return value

    def _console(self, message):
        if message.type in ("error", "warning"):
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, request):
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.faults.append(f"request to another host: {request.url}")

    def _failed(self, request):
        # A page asks for a shared worker, and never hears how that went on elsewhere.
        if "/worker.mjs" not in request.url:
            self.faults.append(f"failed: {request.url}")

    def _response(self, response):
        if response.status >= 400:
            self.faults.append(f"status {response.status}: {response.url}")


class Watched(BookHandler):
    """The book as it is served, but for files that are missing or never arrive.

    A shared worker's requests are seen here alone: the page knows nothing of them.
    """

    def __init__(self, asked, missing, stuck, *args, **how):
        self.asked, self.missing, self.stuck = asked, missing, stuck
        super().__init__(*args, **how)

    def do_GET(self):
        name = self.path.partition("?")[0].rpartition("/")[2]
        self.asked.append(name)
        if name in self.stuck:
            self.stuck[name].wait()
        if name in self.missing:
            self.send_error(404)
        else:
            super().do_GET()


@pytest.fixture
def watched(chromium):
    """A visit to a server of its own; what is asked of it is in `asked`, by name.

    What is `stuck` arrives once `released` is set.
    """
    started, released = [], threading.Event()

    def start(missing=(), stuck=(), before=""):
        asked = []
        handler = partial(
            Watched, asked, missing, dict.fromkeys(stuck, released), directory=str(SITE)
        )
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened = Visit(chromium, f"http://127.0.0.1:{server.server_port}")
        opened.asked, opened.released = asked, released
        opened.context.add_init_script(before)
        started.append((opened, server))
        return opened

    yield start
    released.set()
    for opened, server in started:
        opened.context.close()
        server.shutdown()
        server.server_close()


@pytest.fixture
def visit(chromium, address):
    visits = []

    def start(**how):
        visits.append(Visit(chromium, address, **how))
        return visits[-1]

    yield start
    for each in visits:
        each.context.close()
