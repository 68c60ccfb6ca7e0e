"""Sentences to score: some written for the chapter, and as many generated as wanted.

A generated reference is a random string of words whose frequencies follow Zipf's law,
with the commas, numbers and hyphens on which tokenizers differ. Its hypothesis is the
same sentence with errors in it: with probability `error` each word is dropped, doubled,
swapped with the word before it (the first is replaced instead) or replaced by a random
one, which may be the same. So the share of errors is known, and can stand for quality
where no human has judged. The same seed gives the same references on every Python,
whatever the share of errors, as if two systems translated one text.

Does not handle: meaning. An error here is as likely in "not" as in "the".
"""

from collections.abc import Sequence
from itertools import accumulate
from random import Random
from typing import NamedTuple

SYLLABLES = [f"{consonant}{vowel}" for consonant in "bdglmnrt" for vowel in "ao"]
VOCABULARY = 20_000
WORD_COUNTS = range(8, 33)  # of a sentence


class Example(NamedTuple):
    """A reference, a translation that is right, and one that is wrong, for readers."""

    reference: str
    right: str
    wrong: str
    tokenize: str = "13a"


# Each wrong one differs by a word or two that turn the meaning round; each right one
# says what the reference says in other words. Chosen to show it, not drawn at random.
EXAMPLES = (
    Example(
        "The patient must not take this medicine with alcohol.",
        "Patients should avoid drinking while they are on this drug.",
        "The patient must take this medicine with alcohol.",
    ),
    Example(
        "The bridge was closed after the inspection found no cracks in the steel.",
        "Although inspectors saw that the steel was intact, they shut the bridge.",
        "The bridge was opened after the inspection found cracks in the steel.",
    ),
    Example(
        "Prices rose by 3.5 percent in March, more than in any month since 1998.",
        "In March things became 3.5% dearer, the steepest increase since 1998.",
        "Prices fell by 3.5 percent in March, more than in any month since 1998.",
    ),
    Example(
        "He refused to sign the letter that his brother had written.",
        "His brother had written the letter; he would not put his name to it.",
        "His brother refused to sign the letter that he had written.",
    ),
    Example(
        "Turn the valve to the left before you open the tank.",
        "First the valve has to be turned anticlockwise, and only then open the tank.",
        "Turn the valve to the left after you open the tank.",
    ),
    Example(
        "病人服药期间不得饮酒。",
        "用药时，患者请勿喝酒。",
        "病人服药期间可以饮酒。",
        "zh",
    ),
)


def generated(
    num_sentences: int, *, seed: int, error: float = 0.15
) -> tuple[list[str], list[str]]:
    """Hypotheses and their references, one each. Raises as `generated_with_errors`."""
    hypotheses, references, _ = generated_with_errors(
        num_sentences, seed=seed, error=error
    )
    return hypotheses, references


def generated_with_errors(
    num_sentences: int, *, seed: int, error: float = 0.15
) -> tuple[list[str], list[str], list[int]]:
    """Hypotheses, their references, and how many errors each hypothesis has.

    Raises ValueError for a negative number of sentences or an `error` outside [0, 1].
    """
    if num_sentences < 0:
        raise ValueError(f"num_sentences is {num_sentences}: it must be 0 or more")
    if not 0 <= error <= 1:
        raise ValueError(f"error is {error}: it must be from 0 to 1")
    random, mistakes = Random(seed), Random(f"{seed} {error}")
    weights = list(accumulate(1 / rank for rank in range(1, VOCABULARY + 1)))
    ranks = range(VOCABULARY)
    hypotheses, references, counts = [], [], []
    for _ in range(num_sentences):
        length = random.choice(WORD_COUNTS)
        drawn = random.choices(ranks, cum_weights=weights, k=length)
        words = [_in_text(rank, random) for rank in drawn]
        references.append(_sentence(words))
        found, errors = _with_errors(words, weights, mistakes, error)
        hypotheses.append(_sentence(found))
        counts.append(errors)
    return hypotheses, references, counts


def word(rank: int) -> str:
    """The word of this rank, spelled in syllables: rank 0 is `ba`, 17 is `bobo`."""
    found = SYLLABLES[rank % len(SYLLABLES)]
    return found if rank < len(SYLLABLES) else found + word(rank // len(SYLLABLES))


def _in_text(rank: int, random: Random) -> str:
    chance = random.random()
    if chance < 0.02:
        return f"{random.randrange(1, 100)}.{random.randrange(10)}"
    if chance < 0.04:
        return f"{word(rank)}-{word(rank // 2)}"
    return f"{word(rank)}," if chance < 0.1 else word(rank)


def _with_errors(
    words: Sequence[str], weights: Sequence[float], random: Random, error: float
) -> tuple[list[str], int]:
    """The words with errors, and how many errors were made."""
    found: list[str] = []
    errors = 0
    for token in words:
        kind = random.randrange(4) if random.random() < error else None
        errors += kind is not None
        if kind == 0:
            continue  # dropped
        if kind == 1:
            found += [token, token]
        elif kind == 2 and found:
            found.insert(-1, token)  # before the one that it should follow
        elif kind is None:
            found.append(token)
        else:
            (rank,) = random.choices(range(VOCABULARY), cum_weights=weights)
            found.append(word(rank))
    return found, errors


def _sentence(words: Sequence[str]) -> str:
    return f"{' '.join(words).capitalize()}."
