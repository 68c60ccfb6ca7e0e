"""Every page of the built book, in both themes, wide and narrow.

It loads whole, alone, and fits.
"""

from pathlib import Path

import pytest

from serve import SITE

pytestmark = pytest.mark.site

PAGES = sorted(
    path.relative_to(SITE).as_posix()
    for path in SITE.rglob("*.html")
    if not {"_static", "_sources"} & set(path.relative_to(SITE).parts)
    and path != SITE / "index.html"  # it only leads on to the first page
)

# For each image of the page: its address, if it did not arrive.
BROKEN_IMAGES = """[...document.images]
    .filter(image => !image.complete || !image.naturalWidth)
    .map(image => image.src)"""
# Mathematics that MathJax left as text, or could not read.
BAD_MATH = """[...document.querySelectorAll('.math')]
    .filter(node => !node.querySelector('mjx-container')
        || node.querySelector('mjx-merror'))
    .map(node => node.textContent)"""
# What sticks out of the window on the right, unless something around it scrolls or
# hides it.
TOO_WIDE = """() => {
    const wide = [];
    const inside = node => {
        let up = node.parentElement;
        for (; up && up !== document.body; up = up.parentElement)
            if (getComputedStyle(up).overflowX !== 'visible') return true;
        return false;
    };
    for (const node of document.querySelectorAll('.bd-article *'))
        if (node.getBoundingClientRect().right > innerWidth + 1 && !inside(node))
            wide.push(node.tagName + '.' + node.className);
    return wide;
}"""


def test_the_book_has_its_pages():
    assert {
        "book/index.html",
        "book/tensors/scatter.html",
        "notebooks/scatter.html",
    } <= set(PAGES)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_and_fits(visit, path, theme, width):
    opened = visit(theme=theme, width=width)
    page = opened.open(path)
    page.wait_for_timeout(100)
    # Pictures far down are loaded when they come near.
    page.evaluate(
        "document.querySelectorAll('img').forEach(image => image.loading = 'eager')"
    )
    opened.until("[...document.images].every(image => image.complete)")

    assert opened.faults == []
    assert page.evaluate(BROKEN_IMAGES) == []
    assert page.evaluate(BAD_MATH) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(TOO_WIDE) == []
    assert page.evaluate("document.documentElement.dataset.theme") == theme


@pytest.mark.parametrize(
    "path", [page for page in PAGES if Path(page).parts[0] in ("book", "notebooks")]
)
def test_code_fits_into_a_wide_window(visit, path):
    """Code is kept to 88 columns so that no listing needs to be scrolled sideways."""
    page = visit(width=1280).open(path)
    scrolled = page.evaluate(
        """[...document.querySelectorAll('.literal-block-wrapper pre, .cell_input pre')]
            .filter(pre => pre.scrollWidth > pre.clientWidth + 1)
            .map(pre => pre.textContent.slice(0, 60))"""
    )
    assert scrolled == []
