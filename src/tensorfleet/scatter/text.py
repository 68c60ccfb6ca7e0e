"""A short story, *The Sorting Office*, whose words the chapter counts.

It was written for this book and is stored beside this file, so that every machine
counts the same text.
"""

import re
from importlib.resources import files


def paragraphs() -> list[str]:
    """The story's paragraphs, each on one line."""
    text = files(__package__).joinpath("sorting_office.txt").read_text(encoding="utf-8")
    return [" ".join(block.split()) for block in re.split(r"\n\s*\n", text.strip())]


def words(text: str) -> list[str]:
    """The words of `text` in lower case: runs of letters, with apostrophes inside."""
    return re.findall(r"[a-z]+(?:'[a-z]+)*", text.lower())
