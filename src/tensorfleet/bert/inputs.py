"""What a BERT is given to read, and what it is asked: pairs of segments, and masks.

A sequence is `[CLS] first [SEP] second [SEP]`, filled up with `[PAD]`. Beside each
token stand its segment (0 up to the first [SEP], 1 after it) and its position. Two
questions are asked of it (Devlin et al., "BERT", NAACL 2019, section 3.1):

Next sentence: does the second segment follow the first in its document? A *cut* between
two sentences makes a pair: what stands before it, and what stands after it, or, for
half of the pairs, what stands after another cut. That other cut is in the same
document, so that the answer cannot be read off the subject (as it could with BERT's own
random document; Lan et al., "ALBERT", ICLR 2020, section 3.1), and neither segment
overlaps the other.

Masked words: 15% of the tokens are chosen, and the model is to say what they were. Of
those chosen 80% are replaced by [MASK], 10% by a random piece, and 10% stay.

Does not handle: whole words masked together; segments that begin at random lengths;
special tokens among the random pieces, which the original program allows.
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
    of each segment, or for special tokens inside of a segment.
    """
    for name, segment in (("first", first), ("second", second)):
        special = [n for n in segment if 0 <= n < len(SPECIAL) and n != UNK]
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

    Special tokens are never chosen and never put in, except that [UNK] may be chosen,
    since a word stands there. `targets` holds at each chosen place the token that was
    there. With no token to choose, everything stays.

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


def pairs(
    document: Sequence[Sequence[int]], longest: int, random: Random
) -> list[Pair]:
    """A pair for each cut between two sentences of a document, in order of the text.

    `document` holds sentences as tokens, `longest` is the most tokens of a segment. For
    each cut a coin decides whether the second segment follows; if not, it begins at
    another cut, drawn evenly from those where it does not overlap the first. A cut that
    has no such other is left out, whatever the coin says, so that first segments tell
    nothing about the answer.

    Raises ValueError for `longest` below 1 or an empty sentence.
    """
    if longest < 1:
        raise ValueError(f"longest is {longest}: it must be 1 or more")
    stream: list[int] = []
    cuts: list[int] = []
    for sentence in document:
        if not sentence:
            raise ValueError("a sentence has no tokens: it must have one or more")
        cuts.append(len(stream))
        stream += sentence
    found = []
    for cut in cuts[1:]:
        begin = max(0, cut - longest)
        others = [
            other
            for other in cuts
            if other > cut or min(other + longest, len(stream)) <= begin
        ]
        if not others:
            continue
        is_next = random.random() < 0.5
        other = others[int(random.random() * len(others))]
        start = cut if is_next else other
        first, second = stream[begin:cut], stream[start : start + longest]
        found.append(Pair(tuple(first), tuple(second), is_next))
    return found
