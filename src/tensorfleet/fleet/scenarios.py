"""The scenarios by name, with their utilisation beside each.

All run on the machines of `machines`, 16 of them unless it says otherwise, for 90 s,
of which the first quarter fills the caches and is not measured.

The oracle `all_resident` does not know sessions: it computes every prefix, unless
chance brings the conversation back. So in `sessions` a policy that keeps conversations
in place may exceed what it sustains.

Does not handle: scenarios that change the physical side, but for host memory.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from tensorfleet.fleet.faults import (
    BlackHole,
    Crash,
    Join,
    Leave,
    Revisions,
    Slow,
)
from tensorfleet.fleet.machines import GIB, MACHINE
from tensorfleet.fleet.popularity import Churn
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.sessions import Sessions
from tensorfleet.fleet.workloads import Crowd, Day, Workload

# An instance that fails loses what is in flight on it. No router can help that, and of
# the requests of 90 s it is about 1%: all that may miss the SLO. So these runs last
# longer.
SECONDS_WITH_LOSSES = 240
# What `all_resident` sustains, in requests per second per instance: the results of
# `highest_rate`, with seed 0 and a tolerance of 2%.
PLAIN, DAY, BURSTS, CROWD, CONVERSATIONS = 18.0, 17.0, 18.3, 15.0, 11.4


def _scenario(
    name: str,
    shows: str,
    utilisation: float,
    sustained: float = PLAIN,
    adapters: int = 2000,
    asked: Mapping[str, Any] = MappingProxyType({}),
    instances: int = 16,
    seconds: int = 90,
    **fields: Any,
) -> Scenario:
    """Some seconds of requests, of which the first quarter is not measured.

    `asked` are further fields of the workload, `fields` those of the scenario.
    """
    rate = round(utilisation * sustained * instances, 1)
    workload = Workload(rate, round(seconds * rate), adapters, **asked)
    return Scenario(name, shows, workload, sustained, instances, **fields)


_ALL = (
    _scenario(
        "steady", "the usual day: Poisson arrivals, 2,000 adapters by Zipf's law", 0.8
    ),
    _scenario(
        "long_tail",
        "10,000 adapters, most of them cold: who keeps them where they are?",
        0.7,
        adapters=10_000,
        asked={"zipf": 0.9},
        machine=replace(MACHINE, host_bytes=32 * GIB),
    ),
    _scenario(
        "flash_crowd",
        "one cold adapter suddenly takes a fifth of all requests",
        0.7,
        CROWD,
        asked={"crowd": Crowd(0.4, 0.4, 0.25)},
    ),
    _scenario(
        "diurnal",
        "a rate that swings by 25%, and popularity that changes hands",
        0.65,
        DAY,
        asked={"day": Day(2, 0.25), "churn": Churn(40)},
    ),
    _scenario(
        "burst",
        "each adapter comes in bursts: gaps between its requests have CV 4",
        0.75,
        BURSTS,
        asked={"adapter_cv": 4.0},
    ),
    _scenario(
        "scale_out",
        "a third more instances join under load: what moves to them?",
        0.9,
        instances=12,
        faults=(Join(1 / 3, 0.5),),
    ),
    _scenario(
        "scale_in",
        "a quarter of the instances is taken away: where do their keys go?",
        0.6,
        faults=(Leave(1 / 4, 0.5),),
    ),
    _scenario(
        "crash",
        "an eighth of the instances crash and come back empty",
        0.7,
        seconds=SECONDS_WITH_LOSSES,
        faults=(Crash(1 / 8, 0.4, 0.7),),
    ),
    _scenario(
        "slow_node",
        "an eighth of the instances take twice as long, and do not say so",
        0.7,
        faults=(Slow(1 / 8, 0.4, 0.8, 2000),),
    ),
    _scenario(
        "black_hole",
        "an instance answers errors at once, and looks idle",
        0.7,
        seconds=SECONDS_WITH_LOSSES,
        faults=(BlackHole(1 / 16, 0.4, 0.8),),
    ),
    _scenario(
        "revision_storm",
        "200 popular adapters get a new revision each, some are rolled back",
        0.7,
        faults=(Revisions(200, 0.3, 0.6),),
    ),
    _scenario(
        "sessions",
        "conversations, whose KV waits where they were last",
        0.7,
        CONVERSATIONS,
        asked={"sessions": Sessions()},
    ),
    _scenario(
        "many_routers",
        "eight routers, each of which counts its own requests only",
        0.8,
        routers=8,
    ),
    _scenario(
        "trace",
        "arrivals from a trace file, else lengths and gaps like Azure's of 2023",
        0.7,
        asked={"cv": 1.09},
    ),
)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}


def scenario_by_name(name: str) -> Scenario:
    """A scenario; ValueError names those that there are."""
    if name not in SCENARIOS:
        raise ValueError(
            f"the scenario is {name!r}: it must be one of {', '.join(SCENARIOS)}"
        )
    return SCENARIOS[name]
