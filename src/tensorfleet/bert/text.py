"""Text that every machine has: the topics of Python's own help.

`pydoc_data.topics` of the standard library holds what `help("while")` and its like
print: chapters of the language reference. Many topics repeat a part of a larger one.
Here a topic keeps only paragraphs that no larger topic has, so that what is held out
is nowhere in what is trained on; and only prose: no headings, grammar, tables or code,
and none of the quotes and asterisks by which the help marks names in the text.

The text differs between versions of Python, so nothing counted in it is the same on
every machine.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

SHORTEST = 8  # sentences: what is left of a topic is a document from there on
FEWEST_WORDS = 5  # of a paragraph of prose
# White space after a full stop, perhaps in quotes, and before a capital letter.
SENTENCE_END = re.compile(r"(?:(?<=[.!?])|(?<=[.!?]\)))\s+(?=\(?[A-Z])")
MARKUP = re.compile(r"""["“”*`]|^\s*(?:•|\d+\.|\[\d+\])\s""")


@dataclass(frozen=True, slots=True)
class Document:
    """A topic by its name, with its sentences in order."""

    name: str
    sentences: tuple[str, ...]


def python_topics() -> Mapping[str, str]:
    """The topics of this Python's help: text by name."""
    # Here, since half a megabyte is read, and the browser's Python is without it.
    from pydoc_data.topics import topics

    return topics


def documents(topics: Mapping[str, str]) -> list[Document]:
    """The prose of `topics`, none of it twice; the largest topic first.

    A paragraph that several topics hold stays in the largest of them (of equals in the
    first by name). Topics with fewer than `SHORTEST` sentences left are dropped.
    """
    seen: set[str] = set()
    found = []
    for name in sorted(topics, key=lambda name: (-len(topics[name]), name)):
        fresh = [text for text in _paragraphs(topics[name]) if text not in seen]
        seen.update(fresh)
        sentences = tuple(_sentences(dict.fromkeys(fresh)))
        if len(sentences) >= SHORTEST:
            found.append(Document(name, sentences))
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
    """The blocks of prose between empty lines, each on one line and without markup."""
    blocks = re.split(r"\n\s*\n", text.strip())
    found = (MARKUP.sub("", block) for block in blocks)
    return [" ".join(block.split()) for block in found if _is_prose(block)]


def _is_prose(block: str) -> bool:
    """Ends as a sentence does, and most of it is letters and spaces."""
    letters = sum(character.isalpha() or character.isspace() for character in block)
    return (
        block.rstrip(" )").endswith((".", ":", "!", "?"))
        and len(block.split()) >= FEWEST_WORDS
        and letters >= 0.8 * len(block)
        and not any(sign in block for sign in ("::=", ">>>", "+--", "==="))
    )


def _sentences(paragraphs: Iterable[str]) -> Iterable[str]:
    for paragraph in paragraphs:
        yield from SENTENCE_END.split(paragraph)
