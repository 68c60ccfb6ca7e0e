"""The built book as a whole.

Links, search, keyboard, print, and numbers with their origin.
"""

import json
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
import yaml
from bs4 import BeautifulSoup

from serve import SITE

pytestmark = pytest.mark.site

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def documents():
    """Every page as a parsed document, by its path below the site's root."""
    return {
        path.relative_to(SITE).as_posix(): BeautifulSoup(
            path.read_text(encoding="utf-8"), "html.parser"
        )
        for path in SITE.rglob("*.html")
        if not {"_static", "_sources"} & set(path.relative_to(SITE).parts)
    }


def test_every_internal_link_and_anchor_resolves(documents):
    anchors = {
        path: {node.get("id") or node.get("name") for node in document.find_all(True)}
        for path, document in documents.items()
    }
    broken, checked = [], 0
    for path, document in documents.items():
        for link in document.find_all("a", href=True):
            target, anchor = urldefrag(unquote(link["href"]))
            if target.startswith(("http:", "https:", "mailto:")):
                continue
            checked += 1
            file = (SITE / path).parent / target if target else SITE / path
            found = (
                file.resolve().relative_to(SITE.resolve()).as_posix()
                if file.exists()
                else None
            )
            if found is None or (
                anchor and found in anchors and anchor not in anchors[found]
            ):
                broken.append(f"{path}: {link['href']}")
    assert broken == []
    assert checked > 100


def test_nothing_is_loaded_from_another_host(documents):
    """What leads away is a link for the reader to follow.

    It is never something that the page loads.
    """
    loaded = []
    for path, document in documents.items():
        for node in document.find_all(["script", "img", "iframe", "link", "source"]):
            address = node.get("src") or node.get("href") or ""
            if address.startswith(("http:", "https:", "//")):
                loaded.append(f"{path}: {address}")
    assert loaded == []


def test_the_table_of_contents_lists_what_exists_and_the_map_marks_the_rest(documents):
    index = documents["book/index.html"]
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    listed = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    parts = yaml.safe_load((ROOT / "book" / "chapters.yml").read_text())
    here = {link["href"] for link in index.select(".map-chapter.here a")}
    # book/references has no part, and so no card
    expected = {file for file in listed if file.count("/") == 2}
    assert here == {f"{file.removeprefix('book/')}.html" for file in expected}
    for card in index.select(".map-chapter.to-come"):
        assert "to come" in card.text
        assert card.find("a") is None
    num_chapters = sum(len(part["chapters"]) for part in parts)
    assert len(index.select(".map-chapter")) == num_chapters


def test_search_finds_a_word_of_the_text(visit):
    opened = visit()
    page = opened.open("search.html?q=privatisation")
    page.wait_for_selector("#search-results .search-summary, #search-results li")
    opened.until("document.querySelectorAll('#search-results li').length > 0")
    assert "Scatter operations" in page.inner_text("#search-results")


def test_search_opens_and_is_typed_by_keyboard(visit):
    opened = visit()
    page = opened.open("book/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("histogram")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "search.html?q=histogram" in page.url
    assert opened.faults == []


def test_a_page_is_read_by_keyboard(visit):
    page = visit().open("book/tensors/scatter.html")
    page.keyboard.press("Tab")
    assert "skip" in page.evaluate("document.activeElement.textContent").lower()
    page.keyboard.press("Enter")
    assert "main-content" in page.url
    solution = page.locator(".solution button, .solution summary").first
    solution.focus()
    listing = page.locator(".solution .highlight").first
    assert not listing.is_visible()
    page.keyboard.press("Enter")
    listing.wait_for(state="visible")


def test_the_theme_switch_changes_the_theme(visit):
    page = visit(theme="light").open("book/index.html")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    switch = page.locator("button.theme-switch-button:visible").first
    for _ in range(3):
        switch.press("Enter")
        if page.evaluate("document.documentElement.dataset.theme") == "dark":
            break
    page.wait_for_timeout(300)
    assert page.evaluate(background) != light


def test_print_leaves_out_navigation_and_shows_hints_and_solutions(visit):
    page = visit().open("book/tensors/scatter.html")
    listing = page.locator(".solution .highlight").first
    hint = page.locator("details.sd-dropdown .sd-summary-content").first
    assert not listing.is_visible()
    assert not hint.is_visible()
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    listing.wait_for(state="visible")
    hint.wait_for(state="visible")
    assert not page.locator(".bd-sidebar-primary").is_visible()
    assert page.locator("svg.diagram").first.is_visible()
    assert len(page.pdf()) > 50_000


def test_numbers_in_the_text_are_those_of_the_lab(documents):
    """Each number that names a lab as its origin stands in the lab's stored outputs."""
    lab = json.loads((ROOT / "notebooks" / "scatter.ipynb").read_text())
    stored = {
        "".join(output["data"]["text/plain"]).partition(" = ")[2]
        for cell in lab["cells"]
        for output in cell.get("outputs", [])
        if "application/vnd.tensorfleet.quantity+json" in output.get("data", {})
    }
    shown = [
        link.text
        for link in documents["book/tensors/scatter.html"].select(".measured a")
    ]
    assert len(shown) >= 10
    assert set(shown) <= stored


def test_every_recorded_number_carries_device_and_date(documents):
    record = json.loads(
        (ROOT / "benchmarks" / "results" / "cpu" / "scatter.json").read_text()
    )
    page = documents["book/tensors/scatter.html"]
    origins = [origin.text for origin in page.select(".origin")]
    assert origins
    # The first says it beside the number, the others when pointed at.
    origins += [number["title"] for number in page.select("abbr[title]")]
    for origin in origins:
        assert record["date"] in origin
        assert record["device"].split(",")[0] in origin
    table = page.select_one("table.predicted-measured").text
    assert record["device"] in table
    gpu_recorded = (
        ROOT / "benchmarks" / "results" / "nvidia-h200" / "scatter.json"
    ).exists()
    assert ("NVIDIA H200: not yet recorded" in table) != gpu_recorded
