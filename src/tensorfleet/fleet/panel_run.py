"""One policy on a live fleet, and what is worth knowing of its last seconds.

The library's router and simulator, advanced piece by piece. Whatever is shown of
requests is about those that ended in the last `WINDOW_NS`; it is counted once in every
simulated second, and kept for the last minute.
"""

from collections import Counter, deque
from collections.abc import Collection
from itertools import takewhile
from typing import NamedTuple, cast

from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.instance import Instance as Machine
from tensorfleet.fleet.live import Recording
from tensorfleet.fleet.metrics import (
    MILLISECOND,
    SECOND,
    Percentiles,
    has_tpot,
    is_cold,
    load_of,
    percentiles,
    tpot_ns,
)
from tensorfleet.fleet.replay import Past
from tensorfleet.fleet.running import build
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.router import Router, RouterConfig
from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import AdapterKey
from tensorfleet.router.replicating import ReplicatingPolicy

WINDOW_NS = 5 * SECOND
SNAPSHOT_NS = 10 * SECOND
KEPT_SAMPLES = 61  # seconds
SLOWEST = 3
DECIDED = 3  # decisions that are told, one of each second


class Sample(NamedTuple):
    """The last `WINDOW_NS` at a time; shares are in thousandths, None without any."""

    time: int
    ttft: Percentiles
    tpot: Percentiles
    good: int | None
    hits: int | None
    cold_loads: int


class LiveRun:
    """A policy that serves `recording`; `side` is the place that it is shown at.

    `prefix` begins what is said of it: the side, where there is another.
    """

    def __init__(
        self,
        side: str,
        policy: str,
        scenario: Scenario,
        config: RouterConfig,
        seed: int,
        recording: Recording,
        prefix: str,
    ) -> None:
        self.side = side
        self.prefix = prefix
        self.policy = policy
        self.slo = scenario.slo
        self.simulation = build(scenario, policy, seed, config, recording.reader())
        self.past = Past(self.simulation, recording, SNAPSHOT_NS)
        self.recent: deque[Flight] = deque()  # that ended in the window, in that order
        self.samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)
        self.slowest: list[Flight] = []
        self.under_way: Counter[AdapterKey] = Counter()
        self.decided: deque[Flight] = deque(maxlen=DECIDED)
        self._waiting: list[Flight] = []
        self._newest = -1  # the number of the last request that was in there
        self._replicas: dict[AdapterKey, tuple[str, ...]] = {}
        self._phases: dict[AdapterKey, str] = {}
        self._pool: tuple[str, ...] = tuple(self.pool)

    # --- time --------------------------------------------------------------------

    def advance(self, until: int) -> None:
        """Serve what comes up to a time."""
        self.simulation.advance(until)

    def look(self, keys: Collection[AdapterKey]) -> list[str]:
        """Count what there is, as once in a second; returns what is new, in words.

        Of replicas it tells those of the adapters in `keys`.
        """
        ended = self.simulation.forget_ended()
        self.recent += sorted(ended, key=lambda flight: flight.end)
        while self.recent and self.recent[0].end <= self.now - WINDOW_NS:
            self.recent.popleft()
        flights = self.simulation.flights
        served = [flight for flight in self.recent if flight.status == "served"]
        placed = [flight for flight in self.recent if flight.instance]
        num_hits = sum(not is_cold(flight) for flight in placed)
        loads = {load_of(flight) for flight in placed if is_cold(flight)}
        sample = Sample(
            self.simulation.now,
            percentiles(flight.first_token - flight.arrival for flight in served),
            percentiles(tpot_ns(flight) for flight in served if has_tpot(flight)),
            _share(sum(map(self.slo.is_met, self.recent)), len(self.recent)),
            _share(num_hits, len(placed)),
            len(loads),
        )
        self.samples.append(sample)
        served.sort(key=lambda flight: flight.arrival - flight.first_token)
        self.slowest = served[:SLOWEST]
        self.under_way = Counter(flight.request.key for flight in flights)
        self.decided += flights[-1:]
        return [*self._new_replicas(keys), *self._new_phases(), *self._new_pool()]

    # --- what may be shown -------------------------------------------------------

    @property
    def now(self) -> int:
        return self.simulation.now

    @property
    def instances(self) -> dict[str, Machine]:
        """By name; as `build` makes them, none is of the reference kind."""
        return cast("dict[str, Machine]", self.simulation.instances)

    @property
    def router(self) -> Router:
        """The first router: the one that leads, and whose beliefs are shown."""
        router = self.simulation.routers[0]
        assert isinstance(router, Router)
        return router

    @property
    def beliefs(self) -> dict[str, Instance]:
        """What the router believes of each instance."""
        return self.router.members.instances

    @property
    def pool(self) -> dict[str, Instance]:
        """Those of them that it sends requests to."""
        return self.router.members.policies()[0].pool.instances

    def has_table(self) -> bool:
        """Whether the policy keeps a replica table."""
        return isinstance(self.router.members.policies()[0], ReplicatingPolicy)

    def serving(self, key: AdapterKey) -> int:
        """How many instances the table names for an adapter.

        Of a policy without one, how many are believed to hold it.
        """
        policy = self.router.members.policies()[0]
        if not isinstance(policy, ReplicatingPolicy):
            return len(policy.pool.holders.of(key))
        row = policy.table.rows.get(key)
        homes = min(policy.table.homes, len(policy.pool.names))
        return len(row.serving()) if row else homes

    def decisions(self) -> list[str]:
        """The last of the decisions that are told, in words, the newest first."""
        return [
            f"{self.prefix}request {flight.request.id} for "
            f"{flight.request.key.adapter}: {flight.decision.why}"
            for flight in reversed(self.decided)
            if flight.decision
        ]

    def waiting(self) -> list[Flight]:
        """The flights that no batch has admitted yet, in order of arrival.

        Only those that have come since it was last asked are looked for: it is asked in
        every frame, and many more are under way than wait.
        """
        flights, newest = self.simulation.flights, self._newest
        fresh = list(takewhile(lambda f: f.request.id > newest, reversed(flights)))
        if fresh:
            self._newest = fresh[0].request.id
        self._waiting = [
            flight
            for flight in (*self._waiting, *reversed(fresh))
            if flight.generation < 0 and flight.status == "flying"
        ]
        return self._waiting

    def find(self, number: int) -> Flight | None:
        """The flight of a request that is under way or ended a moment ago."""
        for flights in (self.simulation.flights, self.recent, self.slowest):
            for flight in flights:
                if flight.request.id == number:
                    return flight
        return None

    # --- what is new -------------------------------------------------------------

    def _new_replicas(self, keys: Collection[AdapterKey]) -> list[str]:
        """What has changed hands; an adapter without a row is served by its homes."""
        before, after = self._replicas, dict(self.router.replicas())
        self._replicas = after
        return [
            f"{key.adapter} is now served by {', '.join(after[key]) or 'nobody'}"
            for key in keys
            if key in after
            and len(after[key])
            != len(before.get(key, after[key][: self.router.config.replicas]))
        ]

    def _new_phases(self) -> list[str]:
        said = []
        loop = self.router.revisions
        for key, rollout in loop.rollouts.items():
            number = rollout.revision.generation
            phase = f"revision {number} of {key.adapter}: "
            if key not in loop.active:
                phase += "served by all who hold it"
            else:
                behind = len(rollout.outdated)
                phase += f"{rollout.phase}, {behind} still serve an older one"
            if self._phases.get(key) != phase:
                self._phases[key] = phase
                said.append(phase)
        return said

    def _new_pool(self) -> list[str]:
        before, self._pool = self._pool, tuple(self.pool)
        left = [name for name in before if name not in self.pool]
        came = [name for name in self._pool if name not in before]
        return [
            *(f"the router sends nothing to {name} any more" for name in left),
            *(f"the router sends requests to {name}" for name in came),
        ]


def milliseconds(value: int | None, digits: int = 0) -> str:
    """Nanoseconds as they are read."""
    return "–" if value is None else f"{value / MILLISECOND:,.{digits}f}"


def _share(part: int, whole: int) -> int | None:
    return part * 1000 // whole if whole else None
