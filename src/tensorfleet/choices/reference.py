"""The power of two choices: look at two at random, take the one that has less to do.

    choose(replicas, score) = whichever of d replicas, drawn at random without
                              repetition, has the lowest score

One random choice for each of n requests on n replicas leaves some replica with about
ln n / ln ln n of them. The better of d random choices leaves at most
ln ln n / ln d + O(1) (Azar, Broder, Karlin, Upfal 1994, "Balanced allocations";
Mitzenmacher and Upfal 2005, "Probability and computing", chapter 14). Two suffice for
the step from a logarithm to a logarithm of a logarithm; three and more only divide it
by ln d. `bins` counts it.

Indices come from `int(random() * n)`, which takes a fraction of the time of
`randrange(n)`, and whose sequence Python promises to keep for a seed. `random()` is a
multiple of 2**-53, so an index is more or less likely than 1/n by less than 2**-53,
relatively by less than n / 2**53; and since the product never rounds up to n for
n <= 2**53, every index is in range.

Does not handle: replicas of unequal strength (divide the score by a replica's weight),
or a score that is out of date; see `queues` for what that does.
"""

from collections.abc import Callable, Sequence
from math import inf, isfinite
from random import Random
from typing import TypeVar

Replica = TypeVar("Replica")


def choose(
    replicas: Sequence[Replica],
    score: Callable[[Replica], float],
    random: Random,
    d: int = 2,
) -> Replica:
    """The one of `d` distinct random replicas with the lowest score.

    All replicas are looked at when there are no more than `d`. Of equal scores the one
    drawn first wins, so that ties fall evenly. Only the drawn replicas are scored, once
    each.

    Raises ValueError for an empty sequence, for `d` below 1, and for a score that is
    not a number (NaN), which could be neither lower nor higher than another.
    """
    if not replicas:
        raise ValueError("there are no replicas to choose from: give at least one")
    if d < 1:
        raise ValueError(f"d is {d}: at least 1 replica must be looked at")
    best, lowest = replicas[0], inf
    for position, index in enumerate(draw(len(replicas), d, random)):
        replica = replicas[index]
        value = score(replica)
        if value != value:
            raise ValueError(f"the score of {replica!r} is {value}: it must be ordered")
        if value < lowest or position == 0:
            best, lowest = replica, value
    return best


def draw(n: int, d: int, random: Random) -> Sequence[int]:
    """`d` distinct indices below `n` in random order, or all `n` where `d` is larger.

    Every sequence of distinct indices is equally likely. Takes one random number for
    each index: the first steps of a Fisher-Yates shuffle of range(n), of which only the
    places that were swapped are kept. `n` and `d` are 1 or more.
    """
    if d == 2 <= n:
        return pair(n, random)
    uniform = random.random
    swapped: dict[int, int] = {}
    drawn = []
    for place in range(min(d, n)):
        taken = place + int(uniform() * (n - place))
        drawn.append(swapped.get(taken, taken))
        swapped[taken] = swapped.get(place, place)
    return drawn


def pair(n: int, random: Random) -> tuple[int, int]:
    """Two distinct indices below `n`: each of the n·(n-1) ordered pairs equally likely.

    The second is drawn from the n - 1 others, by closing the gap that the first leaves.
    Takes two random numbers. Raises ValueError for `n` below 2.
    """
    if n < 2:
        raise ValueError(f"n is {n}: a pair needs at least 2 to choose from")
    first = int(random.random() * n)
    second = int(random.random() * (n - 1))
    return first, second if second < first else second + 1


def notes_score(queue_len: float, gpu_util: float, alpha: float, beta: float) -> float:
    """alpha·queue_len + beta·gpu_util, the score of the notes; the lower one wins.

    `queue_len` counts the requests that wait at a replica, `gpu_util` is the share of
    the last sample period in which some kernel ran on its GPU, 0 to 1. `signals` shows
    how little these two say under continuous batching.

    Raises ValueError for a queue length that is negative or not finite, a utilisation
    outside 0 to 1, and a weight that is negative or not finite.
    """
    if not (isfinite(queue_len) and queue_len >= 0):
        raise ValueError(f"queue_len is {queue_len}: it must be 0 or more")
    if not 0 <= gpu_util <= 1:
        raise ValueError(f"gpu_util is {gpu_util}: it must be from 0 to 1")
    for name, weight in (("alpha", alpha), ("beta", beta)):
        if not (isfinite(weight) and weight >= 0):
            raise ValueError(f"{name} is {weight}: a weight must be 0 or more")
    return alpha * queue_len + beta * gpu_util
