"""{explorable}: a live figure, whose Python runs in the reader's browser.

    ```{explorable} tensorfleet.hashing.panel:HashingPanel
    :state: keys=80 bounded=true
    :after: 3
    The caption.
    ```

`state` are settings to begin with, `after` the seconds that have passed in the first
frame. The page holds that frame as SVG; `runtime` puts beside the pages what makes it
live. Only pages with an explorable load any of it.
"""

import json
import sys
from collections import Counter
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book_ext.runtime import FOLDER, build_runtime
from book_ext.tables import parse
from tensorfleet.explore.html import to_html
from tensorfleet.explore.session import find_panel

# What the host imports.
MODULES = (
    "view.mjs",
    "inputs.mjs",
    "picture.mjs",
    "words.mjs",
    "python.mjs",
    "version.mjs",
)
MOST_SECONDS = 60  # that a still figure may be into its time


def seconds(text: str) -> float:
    """The option `after`. Raises ValueError for what is no number, or negative."""
    found = float(text)
    if not 0 <= found <= MOST_SECONDS:
        raise ValueError(f"after is {text}: it must be from 0 to {MOST_SECONDS}")
    return found


class Explorable(SphinxDirective):
    has_content = True
    required_arguments = 1
    option_spec = {  # noqa: RUF012 (docutils' own form)
        "state": directives.unchanged,
        "after": seconds,
    }

    def run(self) -> list[nodes.Node]:
        path = self.arguments[0]
        try:
            kind = find_panel(path)
            html = to_html(
                kind,
                settings(self.options.get("state", "")),
                after=self.options.get("after", 0),
                name=self.free_name(f"explorable-{kind.__name__}"),
            )
        except Exception as error:
            raise self.error(f"explorable {path}: {error}") from error
        # The still figure is made by all of this: when it changes, so does the page.
        for module in list(sys.modules.values()):
            if module.__name__.startswith("tensorfleet.") and module.__file__:
                self.env.note_dependency(module.__file__)
        figure: list[nodes.Node] = [nodes.raw("", html, format="html")]
        if self.content:
            caption = nodes.container(classes=["explorable-caption"])
            caption += parse(self, "\n".join(self.content))
            figure.append(caption)
        return figure

    def free_name(self, name: str) -> str:
        """An id of its own on the page: the second of a class is name-2."""
        used = self.env.temp_data.setdefault("explorables", Counter())
        used[name] += 1
        return name if used[name] == 1 else f"{name}-{used[name]}"


def settings(text: str) -> dict[str, Any]:
    """`name=value name=value` as values: true and 3 are such, other words are text.

    Raises ValueError for a part that is not of this form.
    """
    found = {}
    for part in text.split():
        name, equals, value = part.partition("=")
        if not (name and equals):
            raise ValueError(f"the state has {part!r}: it must be name=value")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def add_host(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: object
) -> None:
    """Pages with an explorable load its look and its host; no other page does."""
    if "data-explorable=" in context.get("body", ""):
        app.add_css_file(f"{FOLDER}/explorable.css", priority=950)
        # It starts while the page is still arriving, and its modules with it.
        app.add_js_file(
            f"{FOLDER}/host.mjs", type="module", loading_method="async", priority=100
        )
        root = context["pathto"](f"_static/{FOLDER}", resource=True)
        context["metatags"] = context.get("metatags", "") + "".join(
            f'<link rel="modulepreload" href="{root}/{name}" />' for name in MODULES
        )


def setup(app: Sphinx) -> None:
    app.add_directive("explorable", Explorable)
    app.connect("html-page-context", add_host)
    app.connect("build-finished", build_runtime)
