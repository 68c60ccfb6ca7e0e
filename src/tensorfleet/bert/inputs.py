"""What a BERT is given to read, and what it is asked: pairs of segments, and masks.

A sequence is `[CLS] first [SEP] second [SEP]`, filled up with `[PAD]`. Beside each
token stand its segment (0 up to the first [SEP], 1 after it) and its position. Two
questions are asked of it (Devlin et al., "BERT", NAACL 2019, section 3.1):

Next sentence: does the second segment follow the first in its document? A segment is a
run of tokens, cut anywhere, as the paper means by "sentence". For half of the pairs the
second begins where the first ends; for the others it comes from another place of the
same document, so that the answer cannot be read off the subject (as it could with
another document, which the original program takes; Lan et al., "ALBERT", ICLR 2020,
section 3.1).

Masked words: 15% of the tokens are chosen, and the model is to say what they were. Of
those chosen 80% are replaced by [MASK], 10% by a random piece, and 10% stay.

Does not handle: whole words masked together; segments of random lengths; special tokens
among the random pieces, which the original program allows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tensorfleet.bert.wordpiece import CLS, MASK, PAD, SEP, SPECIAL, UNK

SHARE = 0.15  # of the tokens are to be predicted
MASKED, REPLACED = 0.8, 0.1  # of those; the rest stay as they are
NO_TARGET = -100  # where nothing is to be predicted: what torch's losses ignore

Tokens = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two segments without special tokens, and whether the second follows the first."""

    first: Tokens
    second: Tokens
    is_next: bool


@dataclass(frozen=True, slots=True)
class Sequenced:
    """Tokens with their segments, of one length; the positions are 0, 1, 2 ..."""

    tokens: Tokens
    segments: Tokens


@dataclass(frozen=True, slots=True)
class Masked:
    """Tokens as the model sees them, and for each what it is to say, or `NO_TARGET`."""

    tokens: Tokens
    targets: Tokens


def joined(first: Tokens, second: Tokens = (), *, length: int) -> Sequenced:
    """`[CLS] first [SEP] second [SEP]` with [PAD] up to `length` tokens.

    Without a second segment it is `[CLS] first [SEP]`. A pair that is too long is cut,
    one token at a time off the end of the longer segment; off the second of equals.

    Raises ValueError for a `length` that does not hold the special tokens and one token
    of each segment, or for special tokens or numbers below 0 inside of a segment.
    """
    for name, segment in (("first", first), ("second", second)):
        if min(segment, default=0) < 0:
            raise ValueError(
                f"the {name} segment holds {min(segment)}: tokens are 0 or more"
            )
        special = [n for n in segment if n < len(SPECIAL) and n != UNK]
        if special:
            raise ValueError(
                f"the {name} segment holds {SPECIAL[special[0]]}: special tokens are "
                "added here"
            )
    around = 3 if second else 2
    least = around + bool(first) + bool(second)
    if length < least:
        raise ValueError(f"length is {length}: these segments need {least} or more")
    keep_first, keep_second = len(first), len(second)
    while keep_first + keep_second + around > length:
        if keep_first > keep_second:
            keep_first -= 1
        else:
            keep_second -= 1
    tokens = [CLS, *first[:keep_first], SEP]
    segments = [0] * len(tokens)
    if second:
        tokens += [*second[:keep_second], SEP]
        segments += [1] * (keep_second + 1)
    padding = length - len(tokens)
    return Sequenced((*tokens, *[PAD] * padding), (*segments, *[0] * padding))


def masked(
    tokens: Tokens, vocabulary_size: int, random: Random, share: float = SHARE
) -> Masked:
    """Choose `share` of the tokens, rounded, but one at least, and hide most of them.

    Special tokens are never chosen, except [UNK], since a word stands there; and of
    them only [MASK] is ever put in. `targets` holds at each chosen place the token that
    was there. With no token to choose, everything stays.

    Raises ValueError for a `share` outside of (0, 1], a vocabulary of special tokens
    only, or a token outside of it.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: it must be above 0 and at most 1")
    if vocabulary_size <= len(SPECIAL):
        raise ValueError(
            f"vocabulary_size is {vocabulary_size}: it must be above {len(SPECIAL)}, "
            "the special tokens"
        )
    for token in tokens:
        if not 0 <= token < vocabulary_size:
            raise ValueError(
                f"there is no token {token}: there are 0 to {vocabulary_size - 1}"
            )
    words = [n for n, token in enumerate(tokens) if token not in (PAD, CLS, SEP, MASK)]
    words.sort(key=lambda _: random.random())
    seen, targets = list(tokens), [NO_TARGET] * len(tokens)
    for place in sorted(words[: max(1, round(share * len(words)))]):
        targets[place] = tokens[place]
        draw = random.random()
        if draw < MASKED:
            seen[place] = MASK
        elif draw < MASKED + REPLACED:
            pieces = vocabulary_size - len(SPECIAL)
            seen[place] = len(SPECIAL) + int(random.random() * pieces)
    return Masked(tuple(seen), tuple(targets))


def draw_pair(document: Sequence[int], longest: int, random: Random) -> Pair:
    """Two segments of `longest` tokens each out of a document, at random.

    The first ends at a place drawn evenly from those with `longest` tokens before and
    after it. A coin decides whether the second begins there. If not, it begins at a
    place drawn evenly from those where it overlaps neither the first segment nor what
    follows it. The document has 4 `longest` tokens or more, so that such a place is
    always there, and the first segment tells nothing about the answer.

    Raises ValueError for `longest` below 1, or a document that is too short.
    """
    if longest < 1:
        raise ValueError(f"longest is {longest}: it must be 1 or more")
    if len(document) < 4 * longest:
        raise ValueError(
            f"the document has {len(document)} tokens: two segments of {longest} that "
            f"may be apart need {4 * longest}"
        )
    end = longest + int(random.random() * (len(document) - 2 * longest + 1))
    is_next = random.random() < 0.5
    start = end
    if not is_next:
        before = max(0, end - 2 * longest + 1)  # places that end before the first
        after = max(0, len(document) - end - 2 * longest + 1)
        start = int(random.random() * (before + after))
        if start >= before:
            start += end + longest - before
    first, second = document[end - longest : end], document[start : start + longest]
    return Pair(tuple(first), tuple(second), is_next)
