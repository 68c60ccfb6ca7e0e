"""Queues that are fed by choice, from reports that grow old.

Jobs arrive at random (Poisson) and each joins the queue that looks shortest among `d`
random ones: d = 1 is a random queue, d = num_servers joins the shortest of all. Every
server works on one job at a time, first come first served, and needs an exponentially
distributed time. With fresh information and d >= 2 this is the supermarket model, whose
limit `theory.queue_time` gives; with d = 1 each queue is an M/M/1.

What a router sees may be old: where `report_every` is set, all queues report their
lengths together at multiples of it, and in between the routers see the last report
(Mitzenmacher 2000, "How useful is old information?", periodic update model). Everyone
who trusts an old minimum sends to the same few servers: the herd. A router may add to
each report what it has sent since (`count_own`), which it knows without asking. With
several routers, which take turns in arrival order, each knows its own part only.

Time is in integer nanoseconds; the mean service time is MEAN_SERVICE. Each random time
is rounded as it is drawn, so a seed gives the same run on every machine.

Does not handle: jobs that leave a queue, servers of different speed, reports that
arrive one by one or late, routers that learn how fast servers finish.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from random import Random

from tensorfleet.choices.reference import draw

MEAN_SERVICE = 1_000_000_000  # nanoseconds


@dataclass(frozen=True)
class Setting:
    """Servers, load, and what the routers see.

    `utilisation` is the arrival rate over what all servers can serve; `report_every` is
    in nanoseconds, 0 for information that is always fresh.
    """

    num_servers: int
    utilisation: float
    d: int
    report_every: int = 0
    count_own: bool = False
    num_routers: int = 1

    def __post_init__(self) -> None:
        for name in ("num_servers", "d", "num_routers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be >= 1")
        if not 0 < self.utilisation < 1:
            raise ValueError(
                f"utilisation is {self.utilisation}: it must be between 0 and 1, "
                "or the queues grow without end"
            )
        if self.report_every < 0:
            raise ValueError(f"report_every is {self.report_every}: it must be >= 0")
        if not self.report_every and (self.count_own or self.num_routers > 1):
            raise ValueError(
                "fresh information holds what every router has sent: count_own and "
                "num_routers need a report_every"
            )


@dataclass(frozen=True)
class Jobs:
    """What became of the jobs, in order of arrival: times in ns, and the servers."""

    arrivals: "array[int]"
    departures: "array[int]"
    servers: "array[int]"

    def times(self) -> list[int]:
        """Each job's time in the system, waiting and service, in nanoseconds."""
        return [
            departure - arrival
            for arrival, departure in zip(self.arrivals, self.departures, strict=True)
        ]

    def settled(self) -> "Jobs":
        """The jobs without the first tenth, which met queues that were still filling"""
        start = len(self.arrivals) // 10
        return Jobs(
            self.arrivals[start:], self.departures[start:], self.servers[start:]
        )

    def mean(self) -> float:
        """Mean time in the system, in mean service times."""
        times = self.times()
        return sum(times) / len(times) / MEAN_SERVICE

    def lengths(self, moment: int, num_servers: int) -> list[int]:
        """The queues' lengths at `moment`, the jobs in service included."""
        lengths = [0] * num_servers
        for arrival, departure, server in zip(
            self.arrivals, self.departures, self.servers, strict=True
        ):
            lengths[server] += arrival <= moment < departure
        return lengths


def simulate(setting: Setting, num_jobs: int, seed: int) -> Jobs:
    """Send `num_jobs` jobs through empty servers and note what becomes of each.

    Arrival and service times come from one stream of random numbers and choices from
    another, so settings that share load and seed see the very same jobs.
    """
    workload, random = Random(seed), Random(seed + 1)
    jobs = Jobs(array("q"), array("q"), array("q"))
    free_at = [0] * setting.num_servers
    lengths = [0] * setting.num_servers
    running: list[tuple[int, int]] = []  # (departure, server) of jobs in the system

    def finish(until: int) -> None:
        while running and running[0][0] <= until:
            lengths[heappop(running)[1]] -= 1

    # Without reports the routers see the lengths themselves.
    seen, last_report = [lengths], -1
    for job, (now, service) in enumerate(_workload(setting, num_jobs, workload)):
        if setting.report_every and now // setting.report_every > last_report:
            last_report = now // setting.report_every
            finish(last_report * setting.report_every)
            # A list for each router, which it may add to.
            seen = [lengths.copy() for _ in range(setting.num_routers)]
        finish(now)
        known = seen[job % setting.num_routers]
        server = _shortest(known, setting.d, random)
        free_at[server] = max(now, free_at[server]) + service
        lengths[server] += 1
        if setting.count_own:
            known[server] += 1
        heappush(running, (free_at[server], server))
        jobs.arrivals.append(now)
        jobs.departures.append(free_at[server])
        jobs.servers.append(server)
    return jobs


def _workload(
    setting: Setting, num_jobs: int, random: Random
) -> Iterator[tuple[int, int]]:
    """(arrival, service time) of each job."""
    rate = setting.num_servers * setting.utilisation / MEAN_SERVICE
    now = 0
    for _ in range(num_jobs):
        now += round(random.expovariate(rate))
        yield now, round(random.expovariate(1 / MEAN_SERVICE))


def _shortest(lengths: list[int], d: int, random: Random) -> int:
    """A server with the shortest of `d` queues, ties broken at random."""
    if d >= len(lengths):  # all are looked at: no need to shuffle them
        low = min(lengths)
        shortest = [server for server, length in enumerate(lengths) if length == low]
        return shortest[int(random.random() * len(shortest))]
    return min(draw(len(lengths), d, random), key=lengths.__getitem__)
