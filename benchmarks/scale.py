"""What benchmarks/fleet.py asks of the simulator: seconds and bytes, by size.

Each size runs in a fresh process, whose processor time is counted (other programs on
the machine lengthen it less than the time on the wall) and whose largest memory is
asked of the system. The run is the scenario `steady` with the default policy, from its
first arrival to its last token, the router included, the making of requests too.

The event core is compared with SimPy on a queue with c servers (M/M/c): the same
arrivals and services, drawn before the clock starts, so that every customer must wait
exactly as long in both.
"""

import json
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from pathlib import Path
from random import Random
from resource import RUSAGE_SELF, getrusage
from time import process_time
from typing import Any

import simpy
from tqdm import tqdm

from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.running import build
from tensorfleet.fleet.scenarios import SCENARIOS
from turns import Outcome, outcome, times_in_turns

ADAPTERS = 100  # of one instance
SERVERS, LOAD = 8, 0.8


@dataclass(frozen=True)
class Size:
    """One run: its size, processor seconds and largest memory."""

    kind: str
    instances: int
    adapters: int
    requests: int
    seconds: float
    gigabytes: float


def sizes(quick: bool) -> list[tuple[int, int]]:
    """(instances, requests): the largest, with fewer requests, on fewer instances."""
    most, requests = (40, 4_000) if quick else (1000, 1_000_000)
    return [
        *((most, requests // share) for share in (8, 4, 2, 1)),
        *((most // share, requests // share) for share in (8, 4, 2)),
    ]


def run_sizes(quick: bool) -> list[Size]:
    bar = tqdm(sizes(quick), unit="size", desc="simulator", disable=None)
    return [in_fresh_process(*size) for size in bar]


def in_fresh_process(instances: int, requests: int) -> Size:
    command = [sys.executable, __file__, str(instances), str(requests)]
    found = json.loads(subprocess.check_output(command, text=True))
    return Size("size", instances, ADAPTERS * instances, requests, **found)


def run_here(instances: int, requests: int) -> dict[str, float]:
    """Seconds and gigabytes of one run in this process."""
    scenario = SCENARIOS["steady"].scaled(
        instances=instances, adapters=ADAPTERS * instances, requests=requests
    )
    start = process_time()
    simulation = build(scenario, "tensorfleet", seed=0)
    flights = simulation.run()
    seconds = process_time() - start
    assert len(flights) == requests
    assert all(flight.end >= flight.arrival for flight in flights)
    return {"seconds": seconds, "gigabytes": largest_memory() / 1e9}


def largest_memory() -> int:
    """Bytes that this process held at most.

    Linux counts into `ru_maxrss` what the parent held when it started this process.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM")]
        return int(line.split()[1]) * 1024
    return getrusage(RUSAGE_SELF).ru_maxrss  # macOS counts bytes


def exponent(xs: list[float], ys: list[float]) -> float:
    """The slope of log y over log x by least squares: 1 is linear growth."""
    a, b = [log(x) for x in xs], [log(y) for y in ys]
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    pairs = zip(a, b, strict=True)
    covariance = sum((x - mean_a) * (y - mean_b) for x, y in pairs)
    return covariance / sum((x - mean_a) ** 2 for x in a)


# --- the event core and SimPy --------------------------------------------------------


Customer = tuple[int, int]  # when it comes, and how long it is served, in nanoseconds


def customers(count: int, seed: int) -> list[Customer]:
    random, now, mean = Random(seed), 0, 1_000_000
    found = []
    for _ in range(count):
        now += 1 + int(random.expovariate(1) * mean / (LOAD * SERVERS))
        found.append((now, 1 + int(random.expovariate(1) * mean)))
    return found


def wait_on_event_queue(arriving: list[Customer]) -> int:
    """The customers' waiting times in all, in ns, on the simulator's event core."""
    queue = EventQueue()
    line: deque[Customer] = deque()
    coming = iter(arriving)
    free, waited = SERVERS, 0

    def arrive(now: int, customer: Customer) -> None:
        nonlocal free
        following = next(coming, None)
        if following is not None:
            queue.push(following[0], arrive, following)
        if free:
            free -= 1
            queue.push(now + customer[1], leave, customer)
        else:
            line.append(customer)

    def leave(now: int, _: Customer) -> None:
        nonlocal free, waited
        if line:
            customer = line.popleft()
            waited += now - customer[0]
            queue.push(now + customer[1], leave, customer)
        else:
            free += 1

    first = next(coming)
    queue.push(first[0], arrive, first)
    while queue.heap:
        now, _, function, customer = queue.pop()
        function(now, customer)
    return waited


def wait_in_simpy(arriving: list[Customer]) -> int:
    """The same in SimPy, as its documentation has it: each customer is a process."""
    world = simpy.Environment()
    counter = simpy.Resource(world, capacity=SERVERS)
    waited = 0

    def customer(came: int, service: int) -> Iterator[Any]:
        nonlocal waited
        with counter.request() as turn:
            yield turn
            waited += int(world.now) - came
            yield world.timeout(service)

    def source() -> Iterator[Any]:
        for came, service in arriving:
            yield world.timeout(came - world.now)
            world.process(customer(came, service))  # type: ignore[arg-type]

    world.process(source())  # type: ignore[arg-type]
    world.run()
    return waited


def run_event_core(quick: bool, repeats: int) -> tuple[Outcome, float]:
    """Microseconds a customer of both, and the mean wait in milliseconds."""
    arriving = customers(1_000 if quick else 20_000, seed=1)
    ours, theirs = wait_on_event_queue(arriving), wait_in_simpy(arriving)
    assert ours == theirs, f"the waits differ: {ours} ns and {theirs} ns"

    def timed(function: Any) -> Any:
        def run() -> float:
            start = process_time()
            function(arriving)
            return process_time() - start

        return run

    runs = [timed(wait_on_event_queue), timed(wait_in_simpy)]
    times = times_in_turns(runs, repeats, lambda run: run())  # type: ignore[arg-type, return-value]
    found = dict(zip(("ours", "SimPy"), times, strict=True))
    waited = ours / len(arriving) / 1e6
    return outcome("customer of M/M/c", len(arriving), found), waited


if __name__ == "__main__":
    print(json.dumps(run_here(*map(int, sys.argv[1:]))))
