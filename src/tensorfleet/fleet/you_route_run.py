"""Thirty requests for eight adapters on four small instances, and a router by hand.

An instance has three slots for adapters, and the fleet twelve for eight adapters. A
load from the hub takes longer than a prompt, and a prompt longer than a step, so that
both mistakes cost: to send a request away from its adapter, and to let it wait.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.machines import MACHINE, MILLISECOND
from tensorfleet.fleet.metrics import is_cold, percentiles
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.simulation import Arrival, Simulation
from tensorfleet.fleet.workloads import Lengths, Workload
from tensorfleet.router import Router, RouterConfig
from tensorfleet.router.messages import Decision, Request

LETTERS = "ABCDEFGH"  # of adapters, the most popular first
REQUESTS, INSTANCES, SLOTS = 30, 4, 3
OURS = "tensorfleet"
SLOT_BYTES = MACHINE.adapter_pool_bytes // MACHINE.slots

SCENARIO = Scenario(
    name="you route",
    shows="thirty requests, of which the reader routes each",
    workload=Workload(
        rate=20.0,
        requests=REQUESTS,
        adapters=len(LETTERS),
        prompt=Lengths(2500, 0.8, 200, 8000),
        output=Lengths(120, 0.6, 20, 400),
    ),
    sustained=10.0,
    instances=INSTANCES,
    machine=replace(
        MACHINE,
        slots=SLOTS,
        max_adapters_per_batch=SLOTS,
        adapter_pool_bytes=SLOTS * SLOT_BYTES,
    ),
    report_interval_ns=50 * MILLISECOND,
    report_delay_ns=10 * MILLISECOND,
    unmeasured=0.0,
)


class ByHand(Router):
    """A router for which somebody else chooses, when `wanted` names an instance.

    It counts what was chosen as if it had chosen it itself, so that it can go on alone.
    """

    wanted: str | None = None

    def route(self, request: Request, now: int) -> Decision:
        wanted, self.wanted = self.wanted, None
        policy = self.members.policy_for(request)
        if wanted is None or policy is None:
            return super().route(request, now)
        choice = (wanted, "hand", (), 0, True)
        work = self.expected_work(request)
        return self._send(policy, request, work, choice, now, False)


def by_hand(seed: int, arrivals: Sequence[Arrival]) -> tuple[ByHand, Simulation]:
    """The fleet, and the router that the reader and our policy share."""
    machine = SCENARIO.machine
    costs = machine.costs.work_costs(machine.pcie_bytes_per_s)
    router = ByHand(RouterConfig(policy=OURS, costs=costs), name="router-0", seed=seed)
    return router, Simulation(SCENARIO.fleet(OURS), [router], arrivals)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of requests: mean and p90 TTFT in ms; how many came cold.

    A request is cold that waits for its adapter.
    """

    mean_ms: int
    p90_ms: int
    cold: int


def outcome(flights: Iterable[Flight]) -> Outcome | None:
    """The outcome of those that have their first token, None if nobody has."""
    begun = [flight for flight in flights if flight.first_token >= 0]
    if not begun:
        return None
    waits = [flight.first_token - flight.arrival for flight in begun]
    p90 = percentiles(waits).p90
    assert p90 is not None
    return Outcome(
        round(sum(waits) / len(waits) / MILLISECOND),
        round(p90 / MILLISECOND),
        sum(map(is_cold, begun)),
    )
