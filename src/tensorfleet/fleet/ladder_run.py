"""What breaks each rung of the ladder, and a run that is counted as it goes on.

A situation is a scenario of the library on four instances, long enough to show what it
is there for. All rungs meet it with the same arrivals.
"""

from bisect import insort
from dataclasses import dataclass, field, replace

from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.metrics import (
    MILLISECOND,
    SECOND,
    SLO,
    is_cold,
    load_of,
    nearest_rank,
)
from tensorfleet.fleet.popularity import adapter_keys
from tensorfleet.fleet.running import build
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.scenarios import scenario_by_name
from tensorfleet.fleet.workloads import Crowd, Workload
from tensorfleet.router.ladder import RUNGS
from tensorfleet.router.messages import AdapterKey

INSTANCES = 4
ORDINARY = "an ordinary day"


@dataclass(frozen=True)
class Situation:
    """A scenario and how to show it.

    `speed` is simulated seconds in a second of the reader's, `span` the seconds until
    all requests have surely ended, and `bin` the seconds of one point of the curve.
    """

    what: str
    scenario: Scenario
    speed: int = 6
    span: int = 72
    bin: int = 1

    @property
    def hot(self) -> AdapterKey | None:
        """The adapter that everybody wants at once, where there is one."""
        workload = self.scenario.workload
        crowd = workload.crowd if isinstance(workload, Workload) else None
        if crowd is None:
            return None
        return adapter_keys(workload.adapters, workload.model)[crowd.place]


@dataclass(frozen=True)
class Break:
    """The situation that breaks a rung, why it does, and which column shows it."""

    situation: str
    why: str
    watch: str


def _at(utilisation: float, seconds: int = 40, crowd: Crowd | None = None) -> Scenario:
    """The usual day at a share of what the fleet sustains, and a crowd beside it."""
    usual = scenario_by_name("steady").scaled(instances=INSTANCES)
    rate = utilisation * usual.sustained * INSTANCES
    scenario = usual.scaled(rate=rate, requests=round(seconds * rate))
    if crowd is None:
        return scenario
    workload = scenario.workload
    assert isinstance(workload, Workload)
    requests = round(workload.requests * (1 + crowd.length * crowd.rate_share))
    return replace(scenario, workload=replace(workload, crowd=crowd, requests=requests))


SITUATIONS: dict[str, Situation] = {
    ORDINARY: Situation("70% of what the fleet can serve.", _at(0.7)),
    "a rush": Situation(
        "40% of capacity from all, and for 24 s 60% more from one adapter.",
        _at(0.4, crowd=Crowd(0.3, 0.6, 1.5)),
    ),
    "a quiet night": Situation(
        "5% of capacity: hardly anything is in flight.",
        _at(0.05, seconds=240),
        speed=30,
        span=260,
        bin=4,
    ),
    "at the limit": Situation("As much as the fleet can serve.", _at(1.0)),
    "late reports": Situation(
        "90% of capacity, and a report every 2.5 s, not every 0.5 s.",
        replace(_at(0.9), report_interval_ns=5 * SECOND // 2),
    ),
    "one tenant too many": Situation(
        "80% of capacity from all, and for 24 s 48% more from one adapter.",
        _at(0.8, crowd=Crowd(0.3, 0.6, 0.6)),
    ),
}
BREAKS: dict[str, Break] = {
    "hash": Break(
        "a rush",
        "the hot adapter's home gets more than it can do, while others have room.",
        "good",
    ),
    "bound": Break(
        "a quiet night",
        "where few are in flight, two that meet make their home full, and the second "
        "loads its adapter elsewhere.",
        "hits",
    ),
    "floor": Break(
        "at the limit",
        "whoever is passed on goes to the next with room, which must load the "
        "adapter, or has a large batch.",
        "p99 TTFT",
    ),
    "residency": Break(
        "late reports",
        "who holds what is known from reports only. Hits are below those of the rung "
        "before.",
        "hits",
    ),
    "two choices": Break(
        "a rush",
        "the hot adapter needs more than two, and costs are compared again and again "
        "to find a third.",
        "compared",
    ),
    "replication": Break(
        "one tenant too many",
        "more is asked than the fleet can do. A router spreads work, it does not "
        "refuse a tenant's.",
        "good",
    ),
}


@dataclass(slots=True)
class Tally:
    """What has become of requests so far; the library's metrics, one at a time."""

    slo: SLO
    ended: int = 0
    good: int = 0
    placed: int = 0
    hits: int = 0
    loads: set[tuple[AdapterKey, str, int]] = field(default_factory=set)
    compared: int = 0
    ttfts: list[int] = field(default_factory=list)  # of those served, ascending

    def add(self, flight: Flight) -> None:
        """Count a request that has ended."""
        self.ended += 1
        self.good += self.slo.is_met(flight)
        decision = flight.decision
        self.compared += decision is not None and decision.rule == "least cost"
        if flight.instance:
            self.placed += 1
            if is_cold(flight):
                self.loads.add(load_of(flight))
            else:
                self.hits += 1
        if flight.status == "served":
            insort(self.ttfts, flight.first_token - flight.arrival)

    @property
    def ttft_p99_ms(self) -> int | None:
        """p99 of the time to first token, None when nothing was served yet."""
        if not self.ttfts:
            return None
        return round(nearest_rank(self.ttfts, 990) / MILLISECOND)


class Run:
    """One rung in one situation, from the first arrival to the last answer.

    `tally` counts what the library measures: the requests that come after the first
    quarter, which fills the caches; until the first of them has ended, those before.
    `slowest` has for each bin of time the longest wait for a first token that ended in
    it, in ns, 0 where none did. `reports` are what the instances say of themselves, and
    `peaks` the most requests that each had, of those times at which time stopped.
    """

    def __init__(self, situation: Situation, rung: str, seed: int) -> None:
        scenario = situation.scenario
        self.situation = situation
        self.simulation = build(scenario, RUNGS[rung].policy, seed, RUNGS[rung])
        self.requests = scenario.workload.requests
        self.begin = round(scenario.unmeasured * scenario.workload.duration_ns)
        self.tally = Tally(scenario.slo)
        self.warm = False
        self.seen = 0
        self.unread: list[Flight] = []  # no token yet
        self.open: list[Flight] = []  # not ended yet
        self.slowest = [0] * (situation.span // situation.bin)
        self.hot = situation.hot
        self.peaks = dict.fromkeys(self.simulation.instances, 0)
        self._look()

    @property
    def is_over(self) -> bool:
        simulation = self.simulation
        return len(simulation.flights) == self.requests and not simulation.num_flying

    def advance(self, ns: int) -> None:
        """Let simulated time pass, and count what ended in it."""
        simulation = self.simulation
        simulation.advance(simulation.now + ns)
        fresh = simulation.flights[self.seen :]
        self.seen += len(fresh)
        self.unread += fresh
        self.open += fresh
        self._read()
        ended = [flight for flight in self.open if flight.status != "flying"]
        if ended:
            self.open = [flight for flight in self.open if flight.status == "flying"]
        for flight in ended:
            self._count(flight)
        self._look()

    def _look(self) -> None:
        simulation = self.simulation
        self.reports = [
            instance.report("panel", simulation.now)
            for instance in simulation.instances.values()
        ]
        for report in self.reports:
            here, before = report.running + report.waiting, self.peaks[report.instance]
            self.peaks[report.instance] = max(here, before)

    def _read(self) -> None:
        begun = [flight for flight in self.unread if flight.first_token >= 0]
        if not begun and len(self.unread) <= len(self.open):
            return
        for flight in begun:
            place = flight.first_token // (self.situation.bin * SECOND)
            if place < len(self.slowest):
                wait = flight.first_token - flight.arrival
                self.slowest[place] = max(self.slowest[place], wait)
        self.unread = [
            flight
            for flight in self.unread
            if flight.first_token < 0 and flight.status == "flying"
        ]

    def _count(self, flight: Flight) -> None:
        measured = flight.arrival >= self.begin
        if measured and not self.warm:
            self.warm, self.tally = True, Tally(self.tally.slo)
        if measured or not self.warm:
            self.tally.add(flight)
