"""One run: a scenario under a policy, from seed to result.

The seed decides on the arrivals and on the routers' draws. Arrivals do not depend on
the policy, so that runs with one seed compare policies on the same requests.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import TypedDict, Unpack

from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.metrics import measure
from tensorfleet.fleet.result import Result
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.scenarios import scenario_by_name
from tensorfleet.fleet.simulation import Arrival, Simulation
from tensorfleet.fleet.traces import Trace, load
from tensorfleet.router import Router, RouterConfig
from tensorfleet.router.leader import LeaseStore
from tensorfleet.router.policies import POLICIES


class Overrides(TypedDict, total=False):
    """What may be given to change a scenario's size; see `Scenario.scaled`."""

    instances: int
    adapters: int
    rate: float
    requests: int
    routers: int
    trace: str | Path | Trace


def simulate(
    scenario: str | Scenario,
    policy: str = "tensorfleet",
    seed: int = 0,
    *,
    config: RouterConfig | None = None,
    progress: Callable[[int], object] | None = None,
    **overrides: Unpack[Overrides],
) -> Result:
    """Run a scenario, given by name or as such, under a policy.

    `config` gives the routers' constants; its policy and costs are replaced by
    `policy` and by those of the scenario's machine. `progress` is called with the
    number of requests ended, now and then. `overrides` are instances, adapters, rate,
    requests, routers and trace (a file, or a loaded trace), as in `Scenario.scaled`.

    Raises ValueError for what is unknown or impossible, and OSError for a trace file
    that cannot be read.
    """
    chosen = resolve(scenario, overrides)
    simulation = build(chosen, policy, seed, config)
    simulation.run(progress)
    return collect(chosen, policy, seed, simulation)


def resolve(scenario: str | Scenario, overrides: Overrides) -> Scenario:
    """The scenario at the size asked for."""
    if isinstance(scenario, str):
        scenario = scenario_by_name(scenario)
    known = Overrides.__optional_keys__
    for name in overrides:
        if name not in known:
            raise ValueError(
                f"the override is {name!r}: it must be one of "
                f"{', '.join(sorted(known))}"
            )
    trace = overrides.get("trace")
    return scenario.scaled(
        instances=overrides.get("instances"),
        adapters=overrides.get("adapters"),
        rate=overrides.get("rate"),
        requests=overrides.get("requests"),
        routers=overrides.get("routers"),
        trace=load(trace) if isinstance(trace, str | Path) else trace,
    )


def build(
    scenario: Scenario,
    policy: str,
    seed: int,
    config: RouterConfig | None = None,
    arrivals: Iterable[Arrival] | None = None,
) -> Simulation:
    """The simulation before its first event; the routers know all instances.

    `arrivals` replace those of the scenario.
    """
    if policy not in POLICIES:
        raise ValueError(
            f"the policy is {policy!r}: it must be one of {', '.join(POLICIES)}"
        )
    fleet = scenario.fleet(policy)
    machine = scenario.machine
    costs = machine.costs.work_costs(machine.pcie_bytes_per_s)
    config = replace(config or RouterConfig(), policy=policy, costs=costs)
    lease = LeaseStore() if scenario.routers > 1 else None
    routers = [
        Router(
            config,
            name=f"router-{number}",
            seed=seed * scenario.routers + number,
            lease=lease,
        )
        for number in range(scenario.routers)
    ]
    if arrivals is None:
        arrivals = scenario.workload.arrivals(seed)
    return Simulation(fleet, routers, arrivals, events=scenario.events(fleet))


def collect(
    scenario: Scenario, policy: str, seed: int, simulation: Simulation
) -> Result:
    """The result of a simulation that has run to its end."""
    flights = simulation.flights
    busy = {name: simulation.busy_ns(name) for name in simulation.instances}
    return Result(
        scenario=scenario.name,
        policy=policy,
        seed=seed,
        instances=scenario.instances,
        rate=scenario.workload.rate,
        slo=scenario.slo,
        metrics=measure(measured(scenario, flights), scenario.slo, busy),
        flights=flights,
        busy_ns=busy,
    )


def measured(scenario: Scenario, flights: Sequence[Flight]) -> Sequence[Flight]:
    """The flights that came after the caches had their time to fill.

    All, if none did, as may be in a run of a few requests.
    """
    begin = round(scenario.unmeasured * scenario.workload.duration_ns)
    first = bisect_left(flights, begin, key=attrgetter("arrival"))
    return flights[first:] or flights
