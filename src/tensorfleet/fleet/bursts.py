"""Adapters that each come in bursts: a Gamma process of its own for every adapter.

Bursts of all requests together average out over a fleet: at hundreds of requests a
second, 16 at once are one for each instance. Users of one adapter come together, and
what is good at keeping an adapter in one place has to bear it (arrivals as in S-LoRA,
arXiv 2311.03285).

Each process is in equilibrium at time 0. The gap that time 0 falls into is longer than
others, since long gaps cover more time: its density is that of a gap, weighed by its
length, which is a Gamma with shape + 1, and time 0 is anywhere in it (the inspection
paradox; Cox, "Renewal Theory", chapter 5). Had all begun with an ordinary gap, most of
the adapters would come at once in the beginning.

Does not handle: popularity that changes, or bursts of several adapters together.
"""

from collections.abc import Iterator
from heapq import heapify, heapreplace
from math import sqrt
from random import Random

from tensorfleet.fleet.distributions import ZIPF_BITS, gamma, zipf
from tensorfleet.router.messages import AdapterKey

SECOND = 1_000_000_000
SCALE_BITS = 30
PLACE_BITS = 20


def bursts(
    rate: float, keys: list[AdapterKey], exponent: float, cv: float, random: Random
) -> Iterator[tuple[int, AdapterKey]]:
    """Times and adapters of `rate` requests per second in all, endless.

    `keys` are in the order of popularity, by Zipf's law; the gaps between requests for
    one of them have the coefficient of variation `cv`.
    """
    bits = random.getrandbits
    cumulative = zipf(len(keys), exponent).cumulative
    weights = [
        after - before
        for before, after in zip((0, *cumulative), cumulative, strict=False)
    ]
    means = [round(SECOND / rate * (1 << ZIPF_BITS) / weight) for weight in weights]
    gaps = gamma(1 << SCALE_BITS, cv)
    # Shape 1/cv² + 1, so 1 + cv² times the mean.
    longer = gamma(round((1 + cv**2) * (1 << SCALE_BITS)), cv / sqrt(1 + cv**2))
    due = []
    for number, mean in enumerate(means):
        passed = longer.draw(bits) * bits(PLACE_BITS) >> PLACE_BITS
        due.append((passed * mean >> SCALE_BITS, number))
    heapify(due)
    while True:
        time, number = due[0]
        yield time, keys[number]
        gap = gaps.draw(bits) * means[number] >> SCALE_BITS
        heapreplace(due, (time + gap, number))
