"""Explorables in the built book, under its policy, in a real browser."""

import json
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

import pytest

from serve import SITE
from tests.site.conftest import Visit
from tests.site.explorables import (
    Driven,
    all_explorables,
    another,
    try_everything,
)

pytestmark = pytest.mark.site

EXPLORABLES = all_explorables()
IN_CHAPTERS = [each for each in EXPLORABLES if each[0].startswith("book/")]
AT_REST = "document.getAnimations().every(one => one.playState !== 'running')"
# The colours of all marks.
COLOURS = """all => all.flatMap(svg =>
    [...svg.children].map(mark => getComputedStyle(mark).color))"""
# The simplest of them, for what is the same for all.
PAGE, NAME = "book/fleet/hashing.html", "explorable-HashingPanel"
CHOICES = "explorable-ChoicesPanel"


@pytest.fixture
def drive(visit):
    def start(page=PAGE, name=NAME, **how):
        opened = visit(**how)
        opened.open(page)
        return Driven(opened, f"#{name}").start()

    return start


def test_there_are_explorables():
    assert (PAGE, NAME) in EXPLORABLES
    assert len(set(EXPLORABLES)) == len(EXPLORABLES)  # ids differ


@pytest.mark.parametrize(("page", "name"), EXPLORABLES)
def test_it_shows_what_python_computes_whatever_is_done(drive, page, name):
    driven = drive(page, name)
    # Before anything was done: the still figure's numbers, and if it stands, the same.
    if not driven.description["moves"]:
        driven.expect_same()
    assert driven.element.locator("svg").count() >= 1
    try_everything(driven)
    assert driven.message() == ""
    assert driven.opened.faults == []


@pytest.mark.parametrize(("page", "name"), EXPLORABLES)
def test_its_still_figure_is_the_first_frame(visit, page, name):
    opened = visit()
    opened.page.route("**/host.mjs*", lambda route: route.abort())
    opened.page.goto(f"{opened.address}/{page}")
    driven = Driven(opened, f"#{name}")
    assert driven.element.get_attribute("data-status") == "static"
    assert driven.figures() == json.loads(json.dumps(driven.twin.frame().figures))
    assert driven.element.locator("svg").first.is_visible()


@pytest.mark.parametrize(("page", "name"), IN_CHAPTERS)
def test_it_fits_and_can_be_read_in_every_window_and_theme(drive, page, name):
    driven = drive(page, name)
    colours = {}
    for theme in ("light", "dark"):
        # What the theme's switch does; the colours follow at once.
        driven.page.evaluate(
            "theme => { document.documentElement.dataset.theme = theme; }", theme
        )
        colours[theme] = driven.element.locator("svg").evaluate_all(COLOURS)
        for width in (1280, 390):
            driven.page.set_viewport_size({"width": width, "height": 900})
            driven.page.wait_for_timeout(50)
            driven.opened.until(AT_REST)  # the theme's sidebar slides in
            fits_and_can_be_read(driven, width)
    assert colours["light"]
    assert not set(colours["light"]) & set(colours["dark"])
    assert driven.opened.faults == []


def fits_and_can_be_read(driven, width):
    assert driven.page.evaluate("document.documentElement.scrollWidth") <= width
    box = driven.element.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    # Words in pictures, as large as they are on the screen.
    sizes = driven.element.locator("svg").evaluate_all(
        """all => all.flatMap(svg => {
            const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
            return [...svg.querySelectorAll('text')]
                .filter(text => text.textContent.trim())
                .map(text => scale * text.getAttribute('font-size'));
        })"""
    )
    assert not sizes or min(sizes) >= 9
    # Every mark has a role.
    assert driven.element.locator("svg > :not([class^=role-])").count() == 0


@pytest.mark.parametrize(("page", "name"), IN_CHAPTERS)
def test_a_link_holds_its_state(drive, visit, page, name):
    driven = drive(page, name)
    driven.reset()
    for control in driven.kind.controls:
        if control.name in driven.twin.state:
            value = another(control, driven.twin.state[control.name])
            driven.set(control.name, value)
    driven.expect_same()
    wanted = {name: in_address(value) for name, value in driven.twin.state.items()}
    for _ in range(250):
        query = (driven.do("link").get_attribute("href") or "").partition("?")[2]
        if dict(parse_qsl(query, keep_blank_values=True)) == wanted:
            break
        driven.page.wait_for_timeout(20)
    driven.do("link").click()
    assert "The address" in driven.message()
    address = driven.page.url.removeprefix(driven.opened.address + "/")
    assert f"#{name}?" in address
    again = drive(address, name)
    for control_name, value in driven.twin.state.items():
        shown = again.control(control_name)
        if isinstance(value, bool):
            assert shown.is_checked() == value
        else:
            assert shown.input_value() == in_address(value)
    again.twin = again.new_twin(**driven.twin.state)
    if again.description["moves"]:
        again.reset()
    again.expect_same()


def in_address(value):
    """A setting as JavaScript writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_a_link_that_says_nonsense_is_refused_in_words(drive):
    for query in ("num_keys=99999", "num_keys=x", "no_such=1", "num_keys=<b>1</b>"):
        driven = drive(f"{PAGE}#{NAME}?{query}")
        assert "settings in the address cannot be used" in driven.message()
        driven.expect_same()
        assert driven.element.locator("b").count() == 0
        assert driven.opened.faults == []


def test_it_is_driven_by_keyboard_alone(drive):
    driven = drive()
    page = driven.page
    driven.control("num_keys").focus()
    page.keyboard.press("ArrowRight")
    driven.twin.act("num_keys", 70)
    driven.expect_same()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.action") == "add":
            break
    page.keyboard.press("Enter")
    driven.twin.act("add")
    driven.expect_same()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.pick"):
            break
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.dataset.pick") == "b"
    assert "click to drop it" in driven.element.locator(".explorable-hint").inner_text()
    page.keyboard.press("Enter")
    driven.twin.pick("b")
    driven.expect_same()
    # The mark is gone, and the keyboard is still in the picture.
    assert page.evaluate("document.activeElement.dataset.pick") in driven.twin.nodes
    driven.opened.until(
        f"document.querySelector('#{NAME} .explorable-spoken').textContent"
        ".includes('b has left')"
    )


def test_a_panel_that_raises_says_so_in_place_and_goes_on(drive):
    driven = drive()
    bar = driven.element.locator('[data-key="bar a"]')
    bar.evaluate("bar => { bar.dataset.pick = 'nobody'; }")
    bar.dispatch_event("click")
    driven.opened.until(
        f"document.querySelector('#{NAME} .explorable-message').textContent"
    )
    assert "there is no node 'nobody'" in driven.message()
    driven.reset()
    driven.press("add")
    driven.expect_same()
    assert driven.message() == ""
    assert driven.opened.faults == []


# --- the worker ---------------------------------------------------------------------

ALONE = "delete globalThis.SharedWorker;"  # as in browsers that know none
# As in browsers that refuse them, at once or a little later.
THROWING = "globalThis.SharedWorker = class { constructor() { throw Error('no'); } };"
REFUSED = """globalThis.SharedWorker = class {
    port = { postMessage() {}, close() {} };
    constructor() { setTimeout(() => this.onerror(new ErrorEvent('error'))); }
};"""
# The page's end of the way to the shared worker, and what it has said.
CAUGHT = """
globalThis.Known = globalThis.SharedWorker;
globalThis.said = [];
globalThis.SharedWorker = class extends Known {
    constructor(...how) {
        super(...how);
        const post = this.port.postMessage.bind(this.port);
        this.port.postMessage = words => { said.push(words); post(words); };
        Object.assign(globalThis, { caught: this.port, how });
    }
};"""
LEAVE = "dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))"
RETURN = "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))"


def failed(opened, name=NAME):
    """The element, when it has failed."""
    element = opened.page.locator(f"#{name}")
    element.scroll_into_view_if_needed()
    element.and_(opened.page.locator("[data-status=failed]")).wait_for()
    return element


@pytest.mark.parametrize("before", ["", ALONE])
@pytest.mark.parametrize("name", ["python.zip", "worker.mjs", "pyodide.mjs"])
def test_without_its_python_it_stays_still_and_says_why(watched, name, before):
    opened = watched(missing={name}, before=before)
    opened.page.goto(f"{opened.address}/{PAGE}")
    element = failed(opened)
    said = element.locator(".explorable-message").inner_text()
    assert said.startswith("This figure stays still: ")
    assert element.locator("svg").first.is_visible()
    assert not element.locator(".explorable-controls").is_visible()


@pytest.mark.parametrize("before", ["", ALONE])
def test_a_start_of_over_twenty_seconds_has_failed_until_it_succeeds(watched, before):
    opened = watched(stuck={"pyodide.asm.wasm"}, before=before)
    opened.page.clock.install()
    opened.page.goto(f"{opened.address}/{PAGE}")
    element = opened.page.locator(f"#{NAME}")
    element.scroll_into_view_if_needed()
    element.and_(opened.page.locator("[data-status=starting]")).wait_for()
    opened.page.clock.fast_forward(19_000)
    assert element.get_attribute("data-status") == "starting"
    opened.page.clock.fast_forward(2_000)
    assert "within 20 s" in failed(opened).locator(".explorable-message").inner_text()
    opened.released.set()
    driven = Driven(opened, f"#{NAME}").start()
    assert driven.message() == ""
    driven.press("add")
    driven.expect_same()


@pytest.mark.parametrize("before", [ALONE, THROWING, REFUSED])
def test_without_shared_workers_each_page_has_its_own(watched, before):
    opened = watched(before=before)
    for _ in range(2):
        opened.open(PAGE)
        driven = Driven(opened, f"#{NAME}").start()
        driven.press("add")
        driven.expect_same()
    assert len(opened.page.workers) == 1
    # The page sees what its own worker asks for: nothing of another host.
    assert opened.faults == []


def test_the_next_page_finds_python_running(watched):
    opened = watched()
    for page, name in (
        (PAGE, NAME),
        ("book/fleet/choices.html", CHOICES),
        (PAGE, NAME),
    ):
        opened.open(page)
        driven = Driven(opened, f"#{name}").start()
        driven.reset()
        driven.expect_same()
    assert opened.asked.count("hashing.html") == 2
    assert opened.asked.count("pyodide.asm.wasm") == 1
    assert opened.faults == []


def test_pages_that_share_python_do_not_meet(watched):
    opened = watched()
    opened.open(PAGE)
    first = Driven(opened, f"#{NAME}").start()
    first.press("add")
    opened.page = opened.context.new_page()
    opened.open(PAGE)
    second = Driven(opened, f"#{NAME}").start()
    second.expect_same()
    second.set("num_keys", 90)
    second.expect_same()
    first.expect_same()
    opened.page.close()
    first.press("add")
    first.expect_same()
    assert opened.asked.count("pyodide.asm.wasm") == 1


def test_when_python_dies_every_figure_says_so_and_a_reload_begins_anew(watched):
    opened = watched(before=CAUGHT)
    opened.open(PAGE)
    Driven(opened, f"#{NAME}").start()
    first, opened.page = opened.page, opened.context.new_page()
    opened.open("book/fleet/choices.html")
    Driven(opened, f"#{CHOICES}").start()
    opened.page.evaluate("caught.postMessage('no JSON')")
    assert "JSON" in failed(opened, CHOICES).locator(".explorable-message").inner_text()
    first.locator(f"#{NAME}[data-status=failed]").wait_for()
    opened.open("book/fleet/choices.html")
    again = Driven(opened, f"#{CHOICES}").start()
    again.reset()
    again.expect_same()
    assert opened.asked.count("python.zip") == 2


def test_the_worker_forgets_what_a_page_has_opened(watched):
    opened = watched(before=CAUGHT)
    opened.open(PAGE)
    Driven(opened, f"#{NAME}").start()
    answers = opened.page.evaluate(
        """async () => {
            const answers = [];
            const opening = said.find(words => words.includes('"open"'));
            const { id } = JSON.parse(opening);
            const { port } = new Known(...how);
            port.onmessage = ({ data }) => answers.push(data);
            const show = JSON.stringify({ do: 'show', id });
            for (const words of [opening, '', opening, show]) {
                port.postMessage(words);
                await new Promise(resolve => setTimeout(resolve, 300));
            }
            return answers;
        }"""
    )
    assert answers[0]["ready"]
    # One answer: to what was said before the page went.
    assert len(answers) == 2
    assert json.loads(answers[1])["scene"]
    opened.page.evaluate(LEAVE)
    assert opened.page.evaluate("said.at(-1)") == ""


def test_a_page_that_comes_back_is_live_again_with_its_settings(drive):
    driven = drive()
    driven.set("num_keys", 90)
    driven.expect_same()
    driven.page.evaluate(LEAVE)
    driven.page.evaluate(RETURN)
    driven.start()
    driven.press("add")
    driven.expect_same()
    assert driven.control("num_keys").input_value() == "90"
    assert driven.opened.faults == []


def test_what_moves_goes_on_when_its_page_comes_back(watched):
    opened = watched(before=CAUGHT)
    opened.open("book/fleet/choices.html")
    driven = Driven(opened, f"#{CHOICES}").start()
    driven.run(True)
    # The page leaves with a question on its way, whose answer never comes.
    opened.page.evaluate(
        """() => new Promise(resolve => {
            const post = caught.postMessage;
            caught.postMessage = words => {
                post(words);
                if (!words.includes('"advance"')) return;
                caught.postMessage = post;
                queueMicrotask(() => {
                    LEAVE;
                    RETURN;
                    resolve();
                });
            };
        })""".replace("LEAVE", LEAVE).replace("RETURN", RETURN)
    )
    opened.until(f"document.querySelector('#{CHOICES}[data-status=live]')")
    before = driven.figures()
    opened.page.wait_for_timeout(1000)
    assert driven.figures() != before


def test_a_worker_that_has_forgotten_all_is_told_again(watched):
    opened = watched(before=CAUGHT)
    opened.open(PAGE)
    driven = Driven(opened, f"#{NAME}").start()
    driven.set("num_keys", 90)
    driven.expect_same()
    # What the page hears when a browser has moved the worker to another process.
    opened.page.evaluate("caught.onmessage({ data: { ready: 'again' } })")
    driven.start()
    driven.expect_same()
    driven.press("add")
    driven.expect_same()


def test_a_page_without_explorables_loads_nothing_of_them(watched):
    opened = watched()
    opened.open("book/references.html")
    opened.page.wait_for_timeout(500)
    assert "references.html" in opened.asked
    assert not {"host.mjs", "worker.mjs", "python.zip"} & set(opened.asked)


def test_nothing_starts_before_it_comes_near(watched):
    opened = watched()
    opened.open(PAGE)
    opened.page.wait_for_timeout(500)
    assert "host.mjs" in opened.asked
    assert not {"worker.mjs", "pyodide.mjs", "python.zip"} & set(opened.asked)


# --- how it moves, and from where it comes -------------------------------------------


def test_reduced_motion_begins_at_rest_and_jumps(drive, visit):
    opened = visit()
    opened.page.emulate_media(reduced_motion="reduce")
    opened.open("book/fleet/choices.html")
    moving = opened.page.locator(f"#{CHOICES}")
    moving.scroll_into_view_if_needed()
    moving.and_(opened.page.locator("[data-status=live]")).wait_for(timeout=25_000)
    assert moving.locator("[data-do=pause]").inner_text() == "Run"
    before = moving.get_attribute("data-figures")
    opened.page.wait_for_timeout(1500)  # in which balls would fall
    assert moving.get_attribute("data-figures") == before
    opened.open(PAGE)
    driven = Driven(opened, f"#{NAME}").start()
    driven.press("add")
    driven.expect_same()
    opened.page.wait_for_timeout(20)
    shown = driven.element.locator("circle").evaluate_all(
        "all => all.filter(mark => mark.getAttribute('opacity')).length"
    )
    assert shown == 0  # nothing is on its way


def test_what_the_reader_asked_for_is_done_while_time_stands_still(drive, visit):
    opened = visit()
    opened.page.emulate_media(reduced_motion="reduce")
    opened.open("book/fleet/router.html")
    routing = Driven(opened, "#explorable-YouRoutePanel").start()
    routing.press("rest")
    routing.expect_same()
    assert "place" in routing.figures()
    fleet = Driven(opened, "#explorable-FleetPanel").start()
    mark = fleet.element.locator("[data-pick^='right ']").last
    mark.dispatch_event("click")
    fleet.element.get_by_text("same arrivals: ms").first.wait_for(timeout=25_000)


@pytest.fixture
def plain_address():
    """The book on a server that knows nothing: no policy, no compression."""

    class Plain(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Plain, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_works_from_a_plain_static_server(chromium, plain_address):
    opened = Visit(chromium, plain_address)
    opened.open(PAGE)
    driven = Driven(opened, f"#{NAME}").start()
    driven.press("add")
    driven.expect_same()
    assert opened.faults == []
    opened.context.close()


# Of the live part: what the page loads, what the worker loads.
EXPLORE = (
    "host.mjs",
    "view.mjs",
    "worker.mjs",
    "pyodide/pyodide.asm.wasm",
    "pyodide/python.zip",
)


# --- the policy -------------------------------------------------------------------


def test_the_policy_is_sent_and_obeyed(visit):
    opened = visit()
    page = opened.open(PAGE)
    sent = page.request.get(f"{opened.address}/{PAGE}").headers
    policy = sent["content-security-policy"]
    assert "default-src 'none'" in policy
    scripts = re.search(r"script-src ([^;]*)", policy)[1].split()
    assert all(
        word == "'self'" or word.startswith("'sha256-") for word in scripts
    )  # no unsafe-inline, no eval, no other host
    headers = json.loads((SITE / "headers.json").read_text())
    with_wasm = [path for path in headers if "wasm-unsafe-eval" in str(headers[path])]
    assert with_wasm == ["_static/explore/worker.mjs"]
    worker = page.request.get(f"{opened.address}/{with_wasm[0]}?version").headers
    assert "wasm-unsafe-eval" in worker["content-security-policy"]
    # A script that somebody smuggles in does not run.
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.smuggled = true';
            document.body.append(script);
        }"""
    )
    assert page.evaluate("window.smuggled") is None
    assert any("Content Security Policy" in fault for fault in opened.faults)


def test_no_page_has_inline_handlers():
    for page in SITE.rglob("*.html"):
        if not page.relative_to(SITE).parts[0].startswith("_"):
            tags = re.findall(r"<[a-z][^>]*>", page.read_text())
            assert not [tag for tag in tags if re.search(r"\son[a-z]+\s*=", tag)]


def test_the_themes_buttons_still_work(visit):
    page = visit().open("book/index.html")
    page.evaluate("window.print = () => { window.printed = true; }")
    page.locator("[data-does=print]").first.dispatch_event("click")
    assert page.evaluate("window.printed")


def test_texts_are_sent_compressed(visit):
    opened = visit()
    for path in (PAGE, *(f"_static/explore/{name}" for name in EXPLORE)):
        answer = opened.page.request.get(f"{opened.address}/{path}")
        assert answer.headers["content-encoding"] == "gzip", path
