"""Arrivals without end, whose rate and popularity can be changed while they come.

For explorables: a reader moves a slider, and the next request already comes by it.

    stream = LiveArrivals(Tables.conversations(), adapters=600, seed=0)
    recording = Recording(stream)
    left = build(scenario, "tensorfleet", 0, arrivals=recording.reader())
    right = build(scenario, "notes", 0, arrivals=recording.reader())

Each arrival is drawn once and kept until it is forgotten, so that several simulations
read the same ones, each at its own pace, and a past stretch can be replayed.

As in `workloads`, gaps, adapters and lengths have streams of their own: another rate
brings the same requests closer together. Gaps are quantiles of a unit that the mean gap
multiplies, so that a change of the rate needs no new table.

Does not handle: bursts, sessions and the hour of the day.
"""

from bisect import bisect_right
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Self

from tensorfleet.fleet.distributions import ZIPF_BITS, Table, exponential, zipf
from tensorfleet.fleet.popularity import adapter_keys
from tensorfleet.fleet.simulation import Arrival
from tensorfleet.fleet.workloads import (
    CONVERSATION_OUTPUT,
    CONVERSATION_PROMPT,
    SECOND,
    Lengths,
)
from tensorfleet.router.messages import AdapterKey, Request

GAP_BITS = 20
NEVER = 1 << 62
STREAMS = ("gaps", "adapters", "lengths", "crowd", "crowd lengths")


@dataclass(frozen=True, slots=True)
class Tables:
    """What is drawn from: gaps in units of their mean, and lengths in tokens."""

    gaps: Table
    prompts: Table
    outputs: Table

    @classmethod
    def of(cls, prompt: Lengths, output: Lengths) -> Self:
        """Poisson arrivals with these lengths."""
        return cls(exponential(1 << GAP_BITS), prompt.table(), output.table())

    @classmethod
    def conversations(cls) -> Self:
        """Lengths as in the scenarios."""
        return cls.of(CONVERSATION_PROMPT, CONVERSATION_OUTPUT)


class LiveArrivals:
    """An endless iterator of `(time, request, output_tokens)`, in order of time.

    `rate` is requests per second, `exponent` Zipf's; both may be set at any time, and
    the request that was drawn last still comes by the old ones. Raises ValueError for
    a rate that is not above 0, and as `zipf` and `exponential` do.
    """

    def __init__(
        self,
        tables: Tables,
        *,
        adapters: int,
        seed: int,
        rate: float = 100,
        exponent: float = 1.0,
        model: str = "llama-3.1-8b",
    ) -> None:
        self.tables = tables
        self.keys = adapter_keys(adapters, model)
        self.rate = rate
        self.exponent = exponent
        self.number = 0
        self._streams = {name: Random(f"{name} {seed}") for name in STREAMS}
        self._crowd_key, self._crowd_share = self.keys[-1], 1.0
        self._crowd_at, self._crowd_until = NEVER, 0
        self._time = 0
        self._at = self._gap("gaps", self._mean_gap)

    @property
    def rate(self) -> float:
        """Requests per second on average, a crowd's not included."""
        return self._rate

    @rate.setter
    def rate(self, rate: float) -> None:
        if not 1e-3 <= rate <= 1e7:
            raise ValueError(f"rate is {rate}: it must be from 0.001 to 10 million")
        self._rate = rate
        self._mean_gap = round(SECOND / rate)

    @property
    def exponent(self) -> float:
        """Of Zipf's law, by which adapters are asked for."""
        return self._exponent

    @exponent.setter
    def exponent(self, exponent: float) -> None:
        self._shares = zipf(len(self.keys), exponent).cumulative
        self._exponent = exponent

    def crowd(self, place: int, share: float, length_ns: int) -> None:
        """From now on, for some time, a crowd asks for one adapter besides.

        `place` is the adapter's popularity, 0 the most popular, and `share` the crowd's
        rate as a share of the rate. One crowd ends when another begins.
        """
        if not share > 0:
            raise ValueError(f"share is {share}: it must be above 0")
        self._crowd_key = self.keys[place]
        self._crowd_share = share
        self._crowd_until = self._time + length_ns
        self._crowd_at = self._time + self._gap("crowd", self._crowd_mean_gap)

    def copy(self) -> Self:
        """One that goes on in the same way, and independently."""
        other = copy(self)
        other._streams = {name: copy(one) for name, one in self._streams.items()}
        return other

    def __iter__(self) -> Iterator[Arrival]:
        return self

    def __next__(self) -> Arrival:
        number = self.number
        self.number = number + 1
        if self._crowd_at < self._at:
            time = self._time = self._crowd_at
            later = time + self._gap("crowd", self._crowd_mean_gap)
            self._crowd_at = later if later < self._crowd_until else NEVER
            return self._arrival(number, self._crowd_key, "crowd lengths")
        self._time = self._at
        self._at += self._gap("gaps", self._mean_gap)
        draw = self._streams["adapters"].getrandbits(ZIPF_BITS)
        return self._arrival(
            number, self.keys[bisect_right(self._shares, draw)], "lengths"
        )

    @property
    def _crowd_mean_gap(self) -> int:
        return round(self._mean_gap / self._crowd_share)

    def _gap(self, stream: str, mean: int) -> int:
        unit = self.tables.gaps.draw(self._streams[stream].getrandbits)
        return unit * mean >> GAP_BITS

    def _arrival(self, number: int, key: AdapterKey, stream: str) -> Arrival:
        bits = self._streams[stream].getrandbits
        prompt = self.tables.prompts.draw(bits)
        output = self.tables.outputs.draw(bits)
        return self._time, Request(number, key, prompt), output


class Recording:
    """Arrivals that several read, each drawn from `stream` when the first wants it.

    They are kept, so that a late reader gets the same, until they are forgotten.
    """

    def __init__(self, stream: LiveArrivals) -> None:
        self.stream = stream
        self._kept: list[Arrival] = []
        self._first = 0  # the number of the first that is kept

    def reader(self, number: int = 0) -> Iterator[Arrival]:
        """All from that `number` on, without end.

        Raises ValueError, when it is asked for the first, if that is forgotten.
        """
        while True:
            place = number - self._first
            if place < 0:
                raise ValueError(
                    f"arrival {number} is forgotten: {self._first} is the first left"
                )
            if place == len(self._kept):
                self._kept.append(next(self.stream))
            yield self._kept[place]
            number += 1

    def branch(self, number: int) -> Iterator[Arrival]:
        """The same arrivals, and then what would come if nothing were changed.

        Does not draw from the stream, so that whoever looks ahead changes nothing.
        """
        if number < self._first:
            raise ValueError(
                f"arrival {number} is forgotten: {self._first} is the first left"
            )
        return chain(self._kept[number - self._first :], self.stream.copy())

    def forget(self, before: int) -> None:
        """Let those go that came before that number; nobody will read them again."""
        drop = min(before - self._first, len(self._kept))
        if drop > 0:
            del self._kept[:drop]
            self._first += drop

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._kept)
