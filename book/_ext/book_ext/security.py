"""A Content-Security-Policy for the book, and pages that can do with it.

Pages may load and run what the book's own host serves, and nothing else. The theme's
inline scripts are allowed by their hashes, its inline handlers become a script of ours.
Only the worker that runs Python may compile WebAssembly. What a server should send is
in `headers.json` beside the pages: for all files under "*", and for some by path.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from sphinx.application import Sphinx

from book_ext.runtime import FOLDER

# Styles may stand in the page: MathJax and the theme write them, and they do nothing.
POLICY = (
    "default-src 'none'; script-src 'self' {hashes}; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
)
WORKER_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'"
)
SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.DOTALL)
# A type that is not JavaScript's: then it is data.
IS_DATA = re.compile(
    r"""\stype=(?!["']?(?:text/javascript|application/javascript|module)\b)"""
)
HANDLER = re.compile(r"""\s(on[a-z]+)=["']([^"']*)["']""")
# The theme's handlers, and what `handlers.mjs` calls them.
KNOWN = {"toggleFullScreen()": "full-screen", "window.print()": "print"}


def secure(app: Sphinx, error: Exception | None) -> None:
    if error or app.builder.format != "html":
        return
    out = Path(app.outdir)
    hashes: set[str] = set()
    for page in pages(out):
        html = page.read_text(encoding="utf-8")
        quiet = without_handlers(html, page.name)
        if quiet != html:
            page.write_text(quiet, encoding="utf-8")
        hashes |= set(inline_scripts(quiet))
    headers = {
        "*": {
            "Content-Security-Policy": POLICY.format(hashes=" ".join(sorted(hashes))),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        },
        f"_static/{FOLDER}/worker.mjs": {"Content-Security-Policy": WORKER_POLICY},
    }
    (out / "headers.json").write_text(json.dumps(headers, indent=1))


def pages(out: Path) -> Iterator[Path]:
    """The book's pages, without what lies under _static and _sources."""
    for page in out.rglob("*.html"):
        if not page.relative_to(out).parts[0].startswith("_"):
            yield page


def without_handlers(html: str, name: str) -> str:
    """The page with `data-does` in place of inline handlers.

    Raises ValueError for a handler that nobody has replaced yet.
    """

    def replaced(tag: re.Match[str]) -> str:
        def named(handler: re.Match[str]) -> str:
            if handler[2] not in KNOWN:
                raise ValueError(
                    f"{name} has the inline handler {handler[0].strip()}: the book's "
                    "policy forbids it; give it a name in security.py"
                )
            return f' data-does="{KNOWN[handler[2]]}"'

        return HANDLER.sub(named, tag[0])

    # Only within tags: text may speak of handlers.
    return re.sub(r"<(?!script|/)[a-z][^<>]*\son[a-z]+=[^<>]*>", replaced, html)


def inline_scripts(html: str) -> Iterator[str]:
    """The hash of each script that stands in the page and would run."""
    for script in SCRIPT.finditer(html):
        attributes = script["attributes"]
        if "src=" in attributes or IS_DATA.search(attributes):
            continue
        digest = hashlib.sha256(script["code"].encode()).digest()
        yield f"'sha256-{base64.b64encode(digest).decode()}'"


def setup(app: Sphinx) -> None:
    app.add_js_file("handlers.mjs", type="module")
    app.connect("build-finished", secure)
