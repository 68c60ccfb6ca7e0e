"""Balls into bins: how full is the fullest, when each ball may look at d bins?

Throw m balls into n bins one after the other. Each looks at `d` distinct random bins
and stays in the one that holds the fewest balls. Balls are requests and bins are
replicas, on a day when no request ever ends: the simplest setting in which choosing
matters, and the one with the sharpest theorems; `theory` states them.

Each ball is one call of `reference.choose`, about a microsecond, so a million balls
take a second or two.

Does not handle: balls that leave again (see `queues`), balls or bins of unequal size.
"""

from collections import Counter
from random import Random

from tensorfleet.choices.reference import choose


def loads(num_balls: int, num_bins: int, d: int, random: Random) -> list[int]:
    """How many balls each bin holds after `num_balls` were thrown with `d` choices.

    Raises ValueError for a negative number of balls, and for fewer than one bin or one
    choice.
    """
    if num_balls < 0:
        raise ValueError(f"num_balls is {num_balls}: it must be 0 or more")
    for name, value in (("num_bins", num_bins), ("d", d)):
        if value < 1:
            raise ValueError(f"{name} is {value}: it must be 1 or more")
    bins, counts = range(num_bins), [0] * num_bins
    for _ in range(num_balls):
        counts[choose(bins, counts.__getitem__, random, d)] += 1
    return counts


def maximum_load(num_balls: int, num_bins: int, d: int, random: Random) -> int:
    """The number of balls in the fullest bin; arguments and errors as for `loads`."""
    return max(loads(num_balls, num_bins, d, random))


def at_least(counts: list[int]) -> list[int]:
    """How many bins hold at least 0, 1, 2, ... balls, up to the fullest."""
    exactly, remaining, tail = Counter(counts), len(counts), []
    for level in range(max(counts, default=-1) + 1):
        tail.append(remaining)
        remaining -= exactly[level]
    return tail
