"""Explorables are live within 2 s of navigation, and paint 60 frames a second.

    make html && python benchmarks/live.py [--json] [--record] [--quick]

Chromium opens the built book, each time as a reader who has never seen it, at an
explorable; on this machine, and over a line of 20 Mbit/s with 40 ms to the first byte
of each answer, which the server keeps to. Then a second page, which finds Python
running, or, in a browser without shared workers, starts it anew from the cache; what
the live part weighs on the wire; the fleet at its largest, two policies on 16 instances
and 200 requests a second; and how long a control takes to be answered. The painter
moves marks between the frames that Python tells, so that more are painted than told.
"""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    ViewportSize,
    sync_playwright,
)
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))
from browser import find_browser
from records import processor_environment, processor_folder
from report import Quantities, main
from serve import SITE, BookHandler

FLEET = "book/fleet/router.html#explorable-FleetPanel"
LARGEST = f"{FLEET}?instances=16&rate=200"
RING = "book/fleet/hashing.html#explorable-HashingPanel"
SMALL = "book/index.html#explorable-SmallFleetPanel"
LINE, DELAY = 20e6 / 8, 0.040  # bytes per second, seconds
WINDOW: ViewportSize = {"width": 1280, "height": 900}
READING = 8  # seconds that the first page is read
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")

# Makes a browser one that knows no shared workers.
ALONE = "delete globalThis.SharedWorker;"
# Notes when an explorable becomes live, in ms since the navigation.
WATCH = """
window.seen = { live: null };
const note = new MutationObserver(() => {
    const name = decodeURI(location.hash.slice(1)).split('?')[0];
    if (document.getElementById(name)?.dataset.status === 'live')
        window.seen.live ??= performance.now();
});
note.observe(document, { subtree: true, attributeFilter: ['data-status'] });
"""
# Notes how long Python takes for each message, in ms, where it runs.
TIMED = """() => {
    self.spent = [];
    const answer = self.onmessage;
    self.onmessage = async message => {
        const began = performance.now();
        await answer(message);
        self.spent.push(performance.now() - began);
    };
}"""
# The times between two frames that the browser paints, in ms, over some seconds.
PAINTED = """seconds => new Promise(resolve => {
    const times = [];
    const end = performance.now() + 1000 * seconds;
    const paint = now => {
        times.push(now);
        if (now < end) requestAnimationFrame(paint);
        else resolve(times.slice(1).map((time, place) => time - times[place]));
    };
    requestAnimationFrame(paint);
})"""
# The time from an input's event to the figures that answer it, in ms.
ANSWERED = """([name, value]) => new Promise(resolve => {
    const element = document.querySelector('[data-status=live]');
    const input = element.querySelector(`[data-control=${name}]`);
    const began = performance.now();
    new MutationObserver((_, me) => {
        me.disconnect();
        resolve(performance.now() - began);
    }).observe(element, { attributeFilter: ['data-figures'] });
    input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
})"""


@dataclass(frozen=True)
class Row:
    """What was measured, over how many turns."""

    name: str
    unit: str
    middle: float
    lowest: float
    highest: float
    turns: int


class Line:
    """A server of the book, counting what it sends; over a slow line, if asked to."""

    def __init__(self, is_slow: bool = False) -> None:
        line = self
        self.sent: dict[str, int] = {}  # by path
        self.free = 0.0  # when the line has sent all that was asked for
        lock = threading.Lock()

        class Handler(BookHandler):
            def copyfile(self, source: BinaryIO, outputfile: BinaryIO) -> None:  # type: ignore[override]
                body = source.read()
                with lock:
                    line.sent[self.path.partition("?")[0]] = len(body)
                    line.free = max(line.free, time.monotonic()) + len(body) / LINE
                    wait = line.free - time.monotonic()
                if is_slow:
                    time.sleep(DELAY + wait)
                outputfile.write(body)

        handler = partial(Handler, directory=str(SITE))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.address = f"http://127.0.0.1:{self.server.server_port}"


@contextmanager
def reader(browser: Browser) -> Iterator[BrowserContext]:
    """Somebody who has nothing in the cache."""
    context = browser.new_context(viewport=WINDOW)
    context.add_init_script(WATCH)
    yield context
    context.close()


def until_live(context: BrowserContext, address: str) -> tuple[float, Page]:
    """Seconds from the navigation to the first live frame, and the page."""
    page = context.new_page()
    page.goto(address, wait_until="commit")
    deadline = time.monotonic() + 60
    while (live := page.evaluate("window.seen.live")) is None:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the figure at {address} has not become live")
        page.wait_for_timeout(50)
    return live / 1000, page


def row(name: str, unit: str, values: list[float]) -> Row:
    return Row(name, unit, median(values), min(values), max(values), len(values))


def starts(browser: Browser, line: Line, turns: int, what: str) -> list[Row]:
    """Cold starts of the smallest explorable and of the fleet."""
    found = []
    for name, path in (("ring", RING), ("fleet, first page", SMALL)):
        times = []
        for _ in tqdm(range(turns), desc=f"{name}, {what}", disable=None):
            with reader(browser) as context:
                times.append(until_live(context, f"{line.address}/{path}")[0])
        found.append(row(f"{name} live, {what}", "s", times))
    return found


def second_pages(
    playwright: Playwright, line: Line, turns: int, what: str, before: str = ""
) -> Row:
    """The ring's page, by a reader who comes from the fleet's; `before` runs first.

    The reader has a profile on the disk, as readers have: a browser keeps the machine
    code of what it compiled with the rest of its cache, but not for who reads in
    private, as the contexts of the other rows do.
    """
    times = []
    for _ in tqdm(range(turns), desc=what, disable=None):
        with TemporaryDirectory() as profile:
            context = playwright.chromium.launch_persistent_context(
                profile,
                executable_path=find_browser(),
                args=list(FLAGS),
                viewport=WINDOW,
            )
            context.add_init_script(WATCH + before)
            page = until_live(context, f"{line.address}/{SMALL}")[1]
            page.wait_for_timeout(1000 * READING)
            page.close()
            times.append(until_live(context, f"{line.address}/{RING}")[0])
            context.close()
    return row(f"ring live, {what}", "s", times)


def painting(browser: Browser, line: Line, turns: int, seconds: float) -> list[Row]:
    """Frames a second with the fleet at its largest, and Python's part of them.

    The page has a worker of its own: nobody can look into one that is shared.
    """
    rates, python, shares = [], [], []
    for _ in tqdm(range(turns), desc="frames", disable=None):
        with reader(browser) as context:
            context.add_init_script(ALONE)
            _, page = until_live(context, f"{line.address}/{LARGEST}")
            page.wait_for_timeout(1000)
            (worker,) = page.workers
            worker.evaluate(TIMED)
            gaps = page.evaluate(PAINTED, seconds)
            spent = worker.evaluate("self.spent")
            rates.append(1000 / (sum(gaps) / len(gaps)))
            python.append(median(spent))
            shares.append(sum(spent) / len(gaps))
    return [
        row("frames a second, largest fleet", "1/s", rates),
        row("Python for a frame told, largest fleet", "ms", python),
        row("Python for a frame painted, largest fleet", "ms", shares),
    ]


def answers(browser: Browser, line: Line, turns: int) -> Row:
    """A control of the ring, set to one value after the other."""
    with reader(browser) as context:
        _, page = until_live(context, f"{line.address}/{RING}")
        times = [
            page.evaluate(ANSWERED, ["num_keys", 20 + 10 * (turn % 15)])
            for turn in range(turns)
        ]
    return row("a control answered", "ms", times)


def measure(quick: bool, repeats: int) -> tuple[list[Row], Quantities]:
    if not (SITE / "index.html").exists():
        sys.exit("the book is not built: run `make html` first")
    turns, seconds = (1, 1.0) if quick else (10, 5.0)
    near, far = Line(), Line(is_slow=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=list(FLAGS)
        )
        rows = [
            *starts(browser, near, turns, "on this machine"),
            *starts(browser, far, turns, "20 Mbit/s"),
            second_pages(playwright, near, turns, "second page"),
            second_pages(playwright, near, turns, "second page, alone", ALONE),
            *painting(browser, near, max(turns // 3, 1), seconds),
            answers(browser, near, 2 * turns),
        ]
        browser.close()
    weight = sum(size for path, size in near.sent.items() if "/explore/" in path)
    rows.append(row("the live part on the wire", "MB", [weight / 1e6]))
    return rows, summary(rows)


NAMES = {
    "ring live, on this machine": "ring_start",
    "fleet, first page live, on this machine": "fleet_start",
    "ring live, 20 Mbit/s": "ring_start_slow",
    "fleet, first page live, 20 Mbit/s": "fleet_start_slow",
    "ring live, second page": "second_page",
    "frames a second, largest fleet": "frames",
    "ring live, second page, alone": "second_page_alone",
    "Python for a frame told, largest fleet": "python_frame",
    "Python for a frame painted, largest fleet": "python_share",
    "a control answered": "answer",
    "the live part on the wire": "weight",
}


def summary(rows: list[Row]) -> Quantities:
    return {NAMES[row.name]: (float(f"{row.middle:.3g}"), row.unit) for row in rows}


def table(result: dict[str, Any], rows: list[Row]) -> list[str]:
    lines = [f"{result['device']}, {result['date']}", ""]
    lines.append(f"{'':42} {'median':>8} {'from':>8} {'to':>8}")
    for each in rows:
        values = f"{each.middle:8.2f} {each.lowest:8.2f} {each.highest:8.2f}"
        lines.append(f"{each.name:42} {values} {each.unit}, {each.turns} turns")
    return lines


def described() -> dict[str, Any]:
    """The machine, with the browser that was driven."""
    found = processor_environment("playwright")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_browser(), args=list(FLAGS)
        )
        found["versions"]["chromium"] = browser.version
        browser.close()
    return found


if __name__ == "__main__":
    assert __doc__
    claim = " ".join(__doc__.partition("\n\n")[0].split())
    main("live", claim, measure, table, described, processor_folder)
