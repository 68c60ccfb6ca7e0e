"""The highest rate that a policy sustains: how many requests a second a GPU serves.

A policy sustains a rate when at least 99% of the measured requests, over all seeds
together, meet both limits of the SLO; failed and shed requests do not. The rate is
found by bisection on a scale of equal ratios: the requests stay the same, and only come
closer together. A bracket of [1/4, 3/2] of a guess needs 7 runs for 1.5%.

That more load never helps is assumed, not guaranteed: near the limit a run at a higher
rate may pass by luck. More seeds make it rarer.

Does not handle: rates that depend on the time; the rate is that of the whole run.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, log, sqrt

from tensorfleet.fleet.running import build, collect
from tensorfleet.fleet.scenarios import Scenario
from tensorfleet.router import RouterConfig

LOWEST = 0.25
HIGHEST = 1.5


@dataclass(frozen=True, slots=True)
class Capacity:
    """What a search has found, in requests per second per instance.

    `rate` was sustained, and `above`, at most `1 + tolerance` times as much, was not
    (unless `rate` is the top of the bracket, where they are equal). A rate of 0 says
    that not even the bottom of the bracket was sustained. `runs` were made.
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
    tolerance: float = 0.015,
    config: RouterConfig | None = None,
) -> Capacity:
    """The highest rate per instance at which `share` of the requests meet the SLO.

    The bracket is from 1/4 to 3/2 of what `all_resident` sustains. Raises ValueError
    for a share outside (0, 1], a tolerance that is not above 0, and no seeds.
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
        there = replace(
            scenario,
            workload=replace(scenario.workload, rate=rate * scenario.instances),
        )
        good = total = 0
        for seed in seeds:
            runs += 1
            simulation = build(there, policy, seed, config)
            simulation.run()
            metrics = collect(there, policy, seed, simulation).metrics
            good += round(metrics.goodput_share * metrics.requests)
            total += metrics.requests
        return good >= share * total

    low, high = LOWEST * scenario.sustained, HIGHEST * scenario.sustained
    if not sustains(low):
        return Capacity(0.0, low, runs)
    if sustains(high):
        return Capacity(high, high, runs)
    for _ in range(ceil(log(log(high / low) / log(1 + tolerance), 2))):
        middle = sqrt(low * high)
        if sustains(middle):
            low = middle
        else:
            high = middle
    return Capacity(low, high, runs)
