"""Synthetic workloads: who asks for what and when, made from a seed as it is consumed.

Arrivals are `(time, request, output_tokens)`, sorted by time. They are built in stages,
each an iterator over the last:

    gaps → times → (the hour of the day) → (a crowd) → adapters → lengths or sessions

*Gaps* between requests are exponential (a Poisson process) or Gamma with a coefficient
of variation: CV 4 comes in bursts. `bursts` does so for each adapter by itself.

*The hour of the day.* A rate that varies is a change of the clock: a process of
constant rate in a time in which day hours count more (Çinlar, "Introduction to
Stochastic Processes", section 4.7). The rate is constant within each of 48 steps of a
day, so the change is exact in integers.

*A crowd* asks for one cold adapter during a part of the run, beside all the others.

*Lengths* are lognormal and clamped.

Every stage draws from a stream of its own. So two workloads that differ in rate have
the same requests in the same order, only closer together, and policies and rates are
compared on paired arrivals.

Does not handle: lengths that depend on the adapter, or users who give up.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice, repeat
from math import cos, pi
from random import Random

from tensorfleet.fleet.bursts import bursts
from tensorfleet.fleet.distributions import (
    BITS,
    Table,
    exponential,
    gamma,
    lognormal,
)
from tensorfleet.fleet.popularity import Churn, adapter_keys, ask
from tensorfleet.fleet.sessions import Sessions, converse
from tensorfleet.router.messages import AdapterKey, Request

SECOND = 1_000_000_000
DAY_STEPS = 48

Arrival = tuple[int, Request, int]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens: lognormal with `mean` and `cv`, clamped to [lowest, highest]."""

    mean: int
    cv: float
    lowest: int
    highest: int

    def __post_init__(self) -> None:
        if self.lowest < 1:
            raise ValueError(f"lowest is {self.lowest}: a length is 1 token or more")
        self.table()

    def table(self) -> Table:
        """The quantiles that lengths are drawn from."""
        return lognormal(self.mean, self.cv, self.lowest, self.highest)


# Means and CVs as in Azure's conversation trace of 2023 (see `traces`).
CONVERSATION_PROMPT = Lengths(1155, 0.96, 16, 8192)
CONVERSATION_OUTPUT = Lengths(211, 0.77, 1, 1024)


@dataclass(frozen=True, slots=True)
class Day:
    """A rate that rises and falls: (1 - swing·cos) of the mean, `days` times a run."""

    days: int = 2
    swing: float = 0.5

    def __post_init__(self) -> None:
        if self.days < 1:
            raise ValueError(f"days is {self.days}: it must be 1 or more")
        if not 0 < self.swing < 1:
            raise ValueError(f"swing is {self.swing}: it must be between 0 and 1")

    def steps(self) -> list[int]:
        """The rate in each step of a day, in thousandths of the mean."""
        angles = [(step + 0.5) / DAY_STEPS * 2 * pi for step in range(DAY_STEPS)]
        return [1000 - round(1000 * self.swing * cos(angle)) for angle in angles]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Requests for one adapter, beside all others, in a part of the run.

    They come at `rate_share` of the workload's rate, from the share `start` of the run
    for the share `length` of it. `place` is the adapter's popularity before: 0 is the
    most popular, -1 the least.
    """

    start: float = 0.3
    length: float = 0.4
    rate_share: float = 0.25
    place: int = -1

    def __post_init__(self) -> None:
        if not (0 <= self.start < 1 and 0 < self.length <= 1 - self.start):
            raise ValueError(
                f"a crowd from {self.start} for {self.length} of the run: it must lie "
                "between 0 and 1"
            )
        if not self.rate_share > 0:
            raise ValueError(f"rate_share is {self.rate_share}: it must be above 0")


@dataclass(frozen=True, slots=True)
class Workload:
    """What is asked of a fleet; checked on construction (ValueError).

    `rate` is requests per second on average, the crowd's not included; with sessions
    it counts turns. `requests` is how many arrive in all. `zipf` is the exponent of
    the adapters' popularity, `cv` the coefficient of variation of the gaps between all
    requests, and `adapter_cv` that between the requests for one adapter (see `bursts`).
    """

    rate: float
    requests: int
    adapters: int
    model: str = "llama-3.1-8b"
    zipf: float = 1.0
    cv: float = 1.0
    adapter_cv: float = 1.0
    prompt: Lengths = CONVERSATION_PROMPT
    output: Lengths = CONVERSATION_OUTPUT
    follow_up: Lengths = Lengths(96, 1.0, 4, 1024)
    churn: Churn | None = None
    day: Day | None = None
    crowd: Crowd | None = None
    sessions: Sessions | None = None

    def __post_init__(self) -> None:
        for name in ("requests", "adapters"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} is {value!r}: it must be an integer above 0")
        if not 1e-3 <= self.rate <= 1e7:
            raise ValueError(
                f"rate is {self.rate}: it must be from 0.001 to 10 million"
            )
        if not 0 <= self.zipf <= 10:
            raise ValueError(f"zipf is {self.zipf}: it must be from 0 to 10")
        for name in ("cv", "adapter_cv"):
            if not 0.05 <= getattr(self, name) <= 20:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be from 0.05 to 20"
                )
        if self.adapter_cv != 1 and (self.cv != 1 or self.day or self.churn):
            raise ValueError(
                f"adapter_cv is {self.adapter_cv}: it must be 1 with a cv, a day or "
                "churn, since each adapter keeps its own time"
            )
        if self.crowd and not -self.adapters <= self.crowd.place < self.adapters:
            raise ValueError(
                f"the crowd's place is {self.crowd.place}: there are {self.adapters} "
                "adapters"
            )

    @property
    def duration_ns(self) -> int:
        """The expected time of the last arrival; shares of the run are shares of it."""
        crowd = self.crowd.rate_share * self.crowd.length if self.crowd else 0
        return round(self.requests / (self.rate * (1 + crowd)) * SECOND)

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """All arrivals in order of time, made as they are taken."""
        prompts, outputs = self.prompt.table(), self.output.table()
        pairs = self._times_and_keys(seed)
        most = min(self.requests, sys.maxsize)  # which is 2³¹ - 1 in a browser
        if self.sessions:
            turns = converse(
                pairs,
                self._under_way(self.sessions, seed),
                self.sessions,
                prompts,
                self.follow_up.table(),
                outputs,
                _stream(seed, "turns"),
            )
            return islice(turns, most)
        return islice(_single(pairs, prompts, outputs, seed), most)

    def _times_and_keys(self, seed: int) -> Iterator[tuple[int, AdapterKey]]:
        """When a request or a conversation begins, and on which adapter; endless."""
        rate = self.rate / self.sessions.turns if self.sessions else self.rate
        keys = adapter_keys(self.adapters, self.model)
        gaps, popularity = _stream(seed, "gaps"), _stream(seed, "adapters")
        if self.adapter_cv == 1:
            times = _sums(_gaps(rate, self.cv), gaps)
            if self.day:
                times = change_clock(times, self.day, self.duration_ns)
            duration = self.duration_ns
            pairs = ask(times, keys, self.zipf, popularity, self.churn, duration)
        else:
            pairs = bursts(rate, keys, self.zipf, self.adapter_cv, gaps)
        if self.crowd:
            crowd = _crowd(rate, self.duration_ns, self.crowd, _stream(seed, "crowd"))
            wanted = keys[self.crowd.place]
            pairs = merge(pairs, ((time, wanted) for time in crowd))
        return pairs

    def _under_way(self, sessions: Sessions, seed: int) -> list[AdapterKey]:
        """The adapters of the conversations that are in a pause at time 0.

        As many as begin while a conversation is in its pauses (Little's law).
        """
        pause = sessions.think_ns + self.output.table().mean * sessions.token_ns
        turns_due = self.rate * (1 - 1 / sessions.turns) * float(pause) / SECOND
        keys = adapter_keys(self.adapters, self.model)
        times = repeat(0, round(turns_due))
        pairs = ask(times, keys, self.zipf, _stream(seed, "under way"))
        return [key for _, key in pairs]


def change_clock(times: Iterable[int], day: Day, duration_ns: int) -> Iterator[int]:
    """Times of a process of constant rate, moved so that the rate follows the day.

    Within a step of the day whose rate is r thousandths of the mean, r ns of the
    constant process pass in 1000 ns.
    """
    rates = day.steps()
    length = max(duration_ns // (day.days * DAY_STEPS * 1000), 1) * 1000
    step = 0
    begins = before = 0  # the step's beginning, on the new clock and on the old
    rate = rates[0]
    passes = length // 1000 * rate
    for time in times:
        while time - before >= passes:
            before += passes
            begins += length
            step += 1
            rate = rates[step % DAY_STEPS]
            passes = length // 1000 * rate
        yield begins + (time - before) * 1000 // rate


def _gaps(rate: float, cv: float) -> Table:
    mean = round(SECOND / rate)
    return exponential(mean) if cv == 1 else gamma(mean, cv)


def _sums(gaps: Table, random: Random) -> Iterator[int]:
    """The times at which gaps end, endless."""
    body, tail, bits = gaps.body, gaps.tail, random.getrandbits
    time = 0
    while True:
        cell = bits(BITS)
        time += body[cell] if cell else tail[bits(BITS)]
        yield time


def _crowd(
    rate: float, duration_ns: int, crowd: Crowd, random: Random
) -> Iterator[int]:
    """The times of a crowd's requests."""
    start = round(crowd.start * duration_ns)
    end = start + round(crowd.length * duration_ns)
    for time in _sums(_gaps(rate * crowd.rate_share, 1), random):
        if start + time >= end:
            return
        yield start + time


def _single(
    pairs: Iterable[tuple[int, AdapterKey]], prompts: Table, outputs: Table, seed: int
) -> Iterator[Arrival]:
    """Requests that have nothing to do with each other."""
    prompt_body, prompt_tail = prompts.body, prompts.tail
    output_body, output_tail = outputs.body, outputs.tail
    bits = _stream(seed, "lengths").getrandbits
    for number, (time, key) in enumerate(pairs):
        cell, other = bits(BITS), bits(BITS)
        prompt = prompt_body[cell] if cell else prompt_tail[bits(BITS)]
        output = output_body[other] if other else output_tail[bits(BITS)]
        yield time, Request(number, key, prompt), output


def _stream(seed: int, purpose: str) -> Random:
    """A generator of its own for each purpose (text is hashed by SHA-512)."""
    return Random(f"{purpose} {seed}")
