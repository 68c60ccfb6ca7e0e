"""Builds tables whose cells are Markdown, for the directives that make tables from
data.
"""

from collections.abc import Sequence
from typing import TypeAlias

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

Cell: TypeAlias = str | nodes.Node


def parse(directive: SphinxDirective, markdown: str) -> list[nodes.Node]:
    """Nodes for a piece of Markdown, as if it stood in the page."""
    holder = nodes.container()
    source = StringList(markdown.splitlines(), directive.get_source_info()[0])
    directive.state.nested_parse(source, directive.content_offset, holder)
    return holder.children


def table(
    directive: SphinxDirective,
    titles: Sequence[str],
    blocks: Sequence[tuple[str | None, list[list[Cell]]]],
    name: str,
) -> nodes.Node:
    """A table with a head row of `titles` and, for each block, an optional heading
    across it and rows.

    Each cell carries its column's title, which the style sheet shows on narrow screens,
    where a row becomes a card. `name` becomes the table's class.
    """
    group = nodes.tgroup(cols=len(titles))
    group += [nodes.colspec(colwidth=1) for _ in titles]
    head = nodes.row()
    for title in titles:
        head += nodes.entry("", nodes.paragraph("", title))
    group += nodes.thead("", head)
    body = nodes.tbody()
    for heading, rows in blocks:
        if heading:
            entry = nodes.entry(
                "",
                *parse(directive, heading),
                morecols=len(titles) - 1,
                classes=["block-heading"],
            )
            body += nodes.row("", entry)
        for row in rows:
            line = nodes.row()
            for title, cell in zip(titles, row, strict=True):
                content = (
                    parse(directive, cell)
                    if isinstance(cell, str)
                    else [nodes.paragraph("", "", cell)]
                )
                line += nodes.entry(
                    "", *content, classes=[f"column-{nodes.make_id(title)}"]
                )
            body += line
    group += body
    return nodes.table("", group, classes=["book-table", name])
