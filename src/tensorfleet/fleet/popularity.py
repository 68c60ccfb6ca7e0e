"""Which adapter each request asks for: Zipf's law, and who holds which place in it.

The k-th most popular of n adapters has a share proportional to k^-exponent. Places
change hands while the run goes on (churn): at equal intervals an adapter from the
popular end and one from anywhere exchange places, so that what was cold becomes hot
without the law itself changing.

An adapter's LoRA rank is a property of its name, so that every run agrees on it.

Does not handle: popularity that depends on the time of day, or adapters that are new.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from random import Random
from zlib import crc32

from tensorfleet.fleet.distributions import ZIPF_BITS, zipf
from tensorfleet.router.messages import AdapterKey

RANKS = (8, 16, 32, 64)


def adapter_keys(adapters: int, model: str) -> list[AdapterKey]:
    """Keys of `adapters` adapters of one base model, the most popular first."""
    return [AdapterKey(f"adapter-{number}", model) for number in range(adapters)]


def rank_of(key: AdapterKey) -> int:
    """The LoRA rank of an adapter: 8, 16, 32 and 64 are equally frequent."""
    # The upper half of a checksum mixes all characters; the lower bits do so less.
    return RANKS[crc32(key.adapter.encode()) >> 16 & 3]


@dataclass(frozen=True, slots=True)
class Churn:
    """How often places change hands: `swaps` in the whole run, equally spaced.

    In each, one of the `popular` first places changes hands with any place.
    """

    swaps: int
    popular: int = 10

    def __post_init__(self) -> None:
        if self.swaps < 1 or self.popular < 1:
            raise ValueError(
                f"swaps is {self.swaps} and popular is {self.popular}: both must be "
                "1 or more"
            )


def ask(
    times: Iterable[int],
    keys: list[AdapterKey],
    exponent: float,
    random: Random,
    churn: Churn | None = None,
    duration_ns: int = 0,
) -> Iterator[tuple[int, AdapterKey]]:
    """Give each of the sorted `times` the adapter that is asked for then.

    `keys` are in the order of popularity at the start; the list is not changed.
    """
    cumulative = zipf(len(keys), exponent).cumulative
    bits = random.getrandbits
    if churn is None:
        for time in times:
            yield time, keys[bisect_right(cumulative, bits(ZIPF_BITS))]
        return
    keys = keys.copy()
    popular = min(churn.popular, len(keys))
    interval = max(duration_ns // (churn.swaps + 1), 1)
    next_swap = interval
    for time in times:
        while time >= next_swap:
            next_swap += interval
            place, other = random.randrange(popular), random.randrange(len(keys))
            keys[place], keys[other] = keys[other], keys[place]
        yield time, keys[bisect_right(cumulative, bits(ZIPF_BITS))]
