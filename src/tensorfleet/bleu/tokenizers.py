"""From a line of text to the tokens that are counted.

A BLEU score means nothing without its tokenizer (Post 2018), so these are the ones of
sacrebleu, by name, and they agree with it token for token. One exception: intl asks
this Python's Unicode what a character is, sacrebleu the library regex, and characters
that are newer than one of the two may be cut otherwise.

    13a    the rules of mteval-v13a, for Western languages: ASCII punctuation stands
           alone; full stop, comma and hyphen stay inside numbers
    intl   the rules of mteval-v14: any punctuation or symbol of Unicode stands alone,
           but punctuation between two digits
    zh     Chinese characters stand alone; the rest as 13a
    char   every character stands alone
    none   the text is cut already: tokens are what white space separates

Each has two steps. `prepare` does what concerns the line as a whole. `cut` puts spaces
around some characters, and looks at a character and its neighbours alone: so the words
of a prepared line can be cut one by one, a word that was met before need not be cut
again, and `ops` makes use of that.

Does not handle: languages that need a dictionary, such as Japanese, and subword models.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

# Applied one after the other. A pattern takes the character beside a full stop along,
# so that it cannot serve the next one: of three commas between digits the last stays
# with its digit.
WESTERN = tuple(
    (re.compile(pattern), spaced)
    for pattern, spaced in (
        (r"([!-&(-+/:-@\[-`{-~])", r" \1 "),  # ASCII punctuation but ' , - .
        (r"([^0-9])([.,])", r"\1 \2 "),
        (r"([.,])([^0-9])", r" \1 \2"),
        (r"([0-9])(-)", r"\1 \2 "),
    )
)
ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
# What the zh tokenizer of sacrebleu takes for Chinese, as it behaves and not as it is
# commented: two ranges that were meant to lie beyond U+FFFF are read with their last
# digit cut off, so that dashes, quotation marks, arrows and the like count as Chinese
# (from U+2001), and the rare characters beyond U+FFFF do not.
CHINESE_RANGES = (
    (0x2001, 0x2A6D),
    (0x2E80, 0x2FDF),
    (0x2FF0, 0x303F),
    (0x3100, 0x312F),
    (0x31A0, 0x31BF),
    (0x31C0, 0x31EF),
    (0x3200, 0x4DB5),
    (0x4E00, 0x9FBB),
    (0xF900, 0xFA2D),
    (0xFA30, 0xFA6A),
    (0xFA70, 0xFAD9),
    (0xFE10, 0xFE1F),
    (0xFE30, 0xFE4F),
    (0xFF00, 0xFFEF),
)
CHINESE = re.compile(
    "([" + "".join(f"{chr(low)}-{chr(high)}" for low, high in CHINESE_RANGES) + "])"
)
# On the letters of Unicode's categories: N a number, P punctuation, S a symbol. Spaces
# go so many characters behind the beginning of a match.
INTERNATIONAL = (
    (re.compile("[^N]P"), (1, 2)),
    (re.compile("P[^N]"), (0, 1)),
    (re.compile("S"), (0, 1)),
)


@dataclass(frozen=True)
class Tokenizer:
    """A line's tokens are those of `cut(prepare(line))`, at white space."""

    prepare: Callable[[str], str]
    cut: Callable[[str], str]

    def __call__(self, line: str) -> list[str]:
        return self.cut(self.prepare(line.rstrip())).split()


def find_tokenizer(name: str) -> Tokenizer:
    """The tokenizer of this name. Raises ValueError for a name that there is not."""
    if name not in list(TOKENIZERS):  # a list also tells what has no hash
        raise ValueError(
            f"tokenize is {name!r}: it must be one of {', '.join(TOKENIZERS)}"
        )
    return TOKENIZERS[name]


def prepare_13a(line: str) -> str:
    """Without marks of skipped text and hyphens at line ends; entities as characters.

    Spaces around it give its first and last character neighbours.
    """
    if "<" in line:
        line = line.replace("<skipped>", "")
    if "\n" in line:
        line = line.replace("-\n", "").replace("\n", " ")
    if "&" in line:
        for entity, character in ENTITIES:
            line = line.replace(entity, character)
    return f" {line} "


def prepare_zh(line: str) -> str:
    return CHINESE.sub(r" \1 ", line.strip())


def cut_western(line: str) -> str:
    for pattern, spaced in WESTERN:
        line = pattern.sub(spaced, line)
    return line


def cut_international(line: str) -> str:
    for pattern, offsets in INTERNATIONAL:
        categories = "".join(unicodedata.category(character)[0] for character in line)
        begins = (match.start() for match in pattern.finditer(categories))
        spaces = {begin + offset for begin in begins for offset in offsets}
        line = "".join(
            f" {character}" if place in spaces else character
            # One step further, for a space behind the last character.
            for place, character in enumerate(f"{line} ")
        )[:-1]
    return line


def unchanged(line: str) -> str:
    return line


TOKENIZERS = {
    "13a": Tokenizer(prepare_13a, cut_western),
    "intl": Tokenizer(unchanged, cut_international),
    "zh": Tokenizer(prepare_zh, cut_western),
    "char": Tokenizer(" ".join, unchanged),
    "none": Tokenizer(unchanged, unchanged),
}
