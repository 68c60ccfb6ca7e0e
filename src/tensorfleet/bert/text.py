"""Text that every machine has: the topics of Python's own help.

`pydoc_data.topics` of the standard library holds what `help("while")` and its like
print: chapters of the language reference, with their grammar, tables and examples. Many
topics repeat a part of a larger one. Here a topic keeps only paragraphs that no larger
topic has, so that what is held out is nowhere in what is trained on. The quotes and
asterisks by which the help marks names in the text are left out, and of the lines that
it draws under headings and around tables one sign is kept.

The text differs between versions of Python, so nothing counted in it is the same on
every machine.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SHORTEST = 200  # words: what is left of a topic is a document from there on
MARKUP = re.compile(r"""["“”*`]""")
DRAWN = re.compile(r"([^\w\s])\1{2,}")  # one sign, three times or more


@dataclass(frozen=True, slots=True)
class Document:
    """A topic by its name, with its paragraphs in order, each on one line."""

    name: str
    paragraphs: tuple[str, ...]

    @property
    def text(self) -> str:
        """All paragraphs on one line."""
        return " ".join(self.paragraphs)


def python_topics() -> Mapping[str, str]:
    """The topics of this Python's help: text by name."""
    # Here, since half a megabyte is read, and the browser's Python is without it.
    from pydoc_data.topics import topics

    return topics


def documents(topics: Mapping[str, str]) -> list[Document]:
    """The text of `topics`, none of it twice; the largest topic first.

    A paragraph that several topics hold stays in the largest of them (of equals in the
    first by name). Topics with fewer than `SHORTEST` words left are dropped.
    """
    seen: set[str] = set()
    found = []
    for name in sorted(topics, key=lambda name: (-len(topics[name]), name)):
        fresh = [text for text in _paragraphs(topics[name]) if text not in seen]
        seen.update(fresh)
        document = Document(name, tuple(dict.fromkeys(fresh)))
        if len(document.text.split()) >= SHORTEST:
            found.append(document)
    return found


def split(
    documents: Iterable[Document], every: int = 4
) -> tuple[list[Document], list[Document]]:
    """Documents to train on, and those held out: each `every`-th, whole.

    Raises ValueError for `every` below 2.
    """
    if every < 2:
        raise ValueError(f"every is {every}: it must be 2 or more")
    train: list[Document] = []
    held_out: list[Document] = []
    for number, document in enumerate(documents, start=1):
        (train if number % every else held_out).append(document)
    return train, held_out


def _paragraphs(text: str) -> list[str]:
    """The blocks between empty lines, each on one line and without markup."""
    blocks = re.split(r"\n\s*\n", text)
    found = (MARKUP.sub("", DRAWN.sub(r"\1", block)) for block in blocks)
    return [" ".join(block.split()) for block in found if block.strip()]
