"""{chapter-map}: the parts of the book and their chapters, from book/chapters.yml.

A chapter is linked as soon as its page is in the table of contents; until then it is
marked "to come".
"""

from pathlib import Path
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from book_ext.tables import parse


class ChapterMap(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        file = Path(self.env.srcdir) / "book" / "chapters.yml"
        self.env.note_dependency(str(file))
        result: list[nodes.Node] = []
        parts = yaml.safe_load(file.read_text())
        self._check_complete(parts)
        for part in parts:
            chapters = [
                self._chapter(part["folder"], chapter) for chapter in part["chapters"]
            ]
            heading = nodes.paragraph("", part["title"], classes=["map-part-title"])
            grid = nodes.container("", *chapters, classes=["map-chapters"])
            result.append(nodes.container("", heading, grid, classes=["map-part"]))
        return result

    def _check_complete(self, parts: list[dict[str, Any]]) -> None:
        """A page that the map does not know would be missing from it in silence."""
        known = {
            f"book/{p['folder']}/{c['name']}" for p in parts for c in p["chapters"]
        }
        pages = {page for page in self.env.found_docs if page.count("/") == 2}
        if pages - known:
            raise self.error(
                f"chapter-map: {sorted(pages - known)} not in chapters.yml"
            )

    def _chapter(self, folder: str, chapter: dict[str, str]) -> nodes.Node:
        page = f"book/{folder}/{chapter['name']}"
        exists = page in self.env.found_docs
        title = (
            f"**[{chapter['title']}](/{page}.md)**"
            if exists
            else f"**{chapter['title']}** *to come*"
        )
        content = parse(self, f"{title}\n\n{chapter['about']}")
        return nodes.container(
            "", *content, classes=["map-chapter", "here" if exists else "to-come"]
        )


def setup(app: Sphinx) -> None:
    app.add_directive("chapter-map", ChapterMap)
