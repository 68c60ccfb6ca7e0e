"""{chapter-map}: the parts of the book and their chapters, from book/chapters.yml.

A chapter is linked as soon as its page is in the table of contents; until then it is
marked "to come".
"""

from pathlib import Path

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
        for part in yaml.safe_load(file.read_text()):
            chapters = [
                self._chapter(part["folder"], chapter) for chapter in part["chapters"]
            ]
            heading = nodes.paragraph("", part["title"], classes=["map-part-title"])
            grid = nodes.container("", *chapters, classes=["map-chapters"])
            result.append(nodes.container("", heading, grid, classes=["map-part"]))
        return result

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
