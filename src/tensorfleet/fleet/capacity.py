"""The highest rate that a policy sustains: how many requests a second a GPU serves.

A policy sustains a rate when at least 99% of the measured requests, over all seeds
together, meet both limits of the SLO; failed and shed requests do not. Between rates
the requests stay the same, and only come closer together.

The search starts at nine tenths of what `all_resident` sustains, goes up or down by a
quarter until one rate was sustained and one was not, and then halves the ratio between
the two until it is within the tolerance. A run in which too many requests have missed
the SLO already is not run to its end.

That more load never helps is assumed, not guaranteed: near the limit a run at a higher
rate may pass by luck. More seeds make it rarer.

Does not handle: rates above twice what `all_resident` sustains; those below a tenth of
it count as 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

from tensorfleet.fleet.running import build, measured
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.router import RouterConfig

START = 0.9
FACTOR = 1.25
LOWEST, HIGHEST = 0.1, 2.0
LOOKS = 10  # how often a run is looked at before its arrivals have ended


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a search has found, in requests per second per instance.

    `rate` was sustained, and `above`, at most `1 + tolerance` times as much, was not;
    where the search came to its highest rate they are equal. A rate of 0 says that not
    even the lowest was sustained. `runs` were made.
    """

    rate: float
    above: float
    runs: int


def highest_rate(
    scenario: Scenario,
    policy: str,
    *,
    share: float = 0.99,
    seeds: Sequence[int] = (0,),
    tolerance: float = 0.02,
    config: RouterConfig | None = None,
) -> Capacity:
    """The highest rate per instance at which `share` of the requests meet the SLO.

    About 6 runs a seed. `config` is that of `simulate`. Raises ValueError for a share
    outside (0, 1], a tolerance that is not above 0, and no seeds.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: it must be above 0 and at most 1")
    if not tolerance > 0:
        raise ValueError(f"tolerance is {tolerance}: it must be above 0")
    if not seeds:
        raise ValueError("there are no seeds: at least one run is needed")
    runs = 0

    def sustains(rate: float) -> bool:
        nonlocal runs
        runs += len(seeds)
        return _sustains(scenario, policy, rate, share, seeds, config)

    rate = START * scenario.sustained
    lowest, highest = LOWEST * scenario.sustained, HIGHEST * scenario.sustained
    low = high = rate
    if sustains(rate):
        while low == high:
            if low == highest:
                return Capacity(low, low, runs)
            high = min(low * FACTOR, highest)
            if sustains(high):
                low = high
    else:
        while low == high:
            if high == lowest:
                return Capacity(0.0, lowest, runs)
            low = max(high / FACTOR, lowest)
            if not sustains(low):
                high = low
    while high > low * (1 + tolerance):
        middle = sqrt(low * high)
        if sustains(middle):
            low = middle
        else:
            high = middle
    return Capacity(low, high, runs)


def _sustains(
    scenario: Scenario,
    policy: str,
    rate: float,
    share: float,
    seeds: Sequence[int],
    config: RouterConfig | None,
) -> bool:
    workload = replace(scenario.workload, rate=rate * scenario.instances)
    scenario = replace(scenario, workload=workload)
    met = total = 0
    for seed in seeds:
        simulation = build(scenario, policy, seed, config)
        # At most this many may miss, even if all that are still to come do not.
        spare = (1 - share) * workload.requests * len(seeds) - (total - met)
        for look in range(1, LOOKS + 1):
            simulation.advance(workload.duration_ns * look // LOOKS)
            late = simulation.now - scenario.slo.ttft_ns
            begin = round(scenario.unmeasured * workload.duration_ns)
            missed = sum(
                not scenario.slo.is_met(flight)
                and (
                    flight.end >= 0
                    or (flight.first_token < 0 and flight.arrival < late)
                )
                for flight in simulation.flights
                if flight.arrival >= begin
            )
            if missed > spare:
                return False
        flights = measured(scenario, simulation.run())
        met += sum(map(scenario.slo.is_met, flights))
        total += len(flights)
    return met >= share * total
