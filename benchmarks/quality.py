"""What benchmarks/fleet.py asks of the router: how high a rate it sustains, and whose.

The figure of merit of a policy on a scenario is the highest rate per instance at which
99% of the requests meet both limits of the SLO (`tensorfleet.fleet.capacity`). Every
baseline with a knob is given five configurations; ours has its defaults. In stages:

1. *tune*: every configuration on the tuning scenarios, which differ from those of the
   evaluation in size, popularity, faults and seeds. The best on the geometric mean is
   the single configuration of its policy.
2. *evaluate*: ours, the oracle and every policy's single configuration on the scenarios
   of the evaluation, on six seeds, the same for all.
3. *select*: in each scenario, all configurations of the two policies that did best in
   it, on a seed of its own. The two best are evaluated like the others. The best of all
   baselines by its mean is the one that ours is held against: the best individually
   tuned baseline.
4. *look*: the single configurations at each scenario's own rate, for the Pareto front
   of TTFT and TPOT, the coldest adapters and the keys that moved.

`cells` makes the runs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import exp, log
from statistics import fmean
from typing import Any

from cells import Job, run_all, tuning_scenarios
from tensorfleet.fleet.scenarios import SCENARIOS

OURS, ORACLE = "tensorfleet", "all_resident"
MILLISECOND = 1_000_000

Knobs = dict[str, float]
KNOBS: dict[str, list[Knobs]] = {
    "notes": [
        {"epsilon": 0.25},
        {"epsilon": 1.0},
        {"epsilon": 1.0, "beta": 0.0},
        {"epsilon": 0.25, "beta": 0.0, "replicas": 2},
        {"epsilon": 1.0, "beta": 0.0, "replicas": 2},
    ],
    "two_choices": [{"choices": d} for d in (2, 3, 4, 6, 8)],
    "consistent_hash": [{"virtual_nodes": v} for v in (16, 64, 128, 256, 512)],
    "bounded_hash": [{"epsilon": e} for e in (0.1, 0.25, 0.5, 1.0, 2.0)],
    "lora_affinity": [{"threshold": t} for t in (1.1, 1.25, 1.5, 2.0, 3.0)],
    "sticky_tokens": [{"threshold": t} for t in (1.1, 1.25, 1.5, 2.0, 3.0)],
    "predicted_ttft": [
        {"cold_ns": ms * MILLISECOND} for ms in (10, 50, 200, 500, 2000)
    ],
    "random": [{}],
    "round_robin": [{}],
    "least_outstanding": [{}],
    "residency_first": [{}],
}
# Student's t for a two-sided 95% interval, by the number of values.
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 8: 2.365, 10: 2.262}


@dataclass(frozen=True)
class Plan:
    """The sizes of a run."""

    scenarios: tuple[str, ...] = tuple(SCENARIOS)
    policies: tuple[str, ...] = tuple(KNOBS)
    instances: int = 8
    requests: int | None = None  # as many as the scenario has
    tolerance: float = 0.04
    tune_seeds: tuple[int, ...] = (101,)
    select_seed: int = 20
    seeds: tuple[int, ...] = (11, 12, 13, 14, 15, 16)
    look_seeds: tuple[int, ...] = (11,)


FULL = Plan()
QUICK = Plan(
    ("steady", "crash"), ("bounded_hash", "random"), 4, 800, 0.2,
    (101,), 20, (11, 12), (11,),
)  # fmt: skip


# --- the stages ----------------------------------------------------------------------


@dataclass(frozen=True)
class Rates:
    """Highest rates of a policy, per second per instance, by seed.

    `role` says what the configuration was chosen for: "ours", "oracle", "single" (the
    policy's best on the tuning scenarios) or "tuned" (selected for this scenario).
    """

    kind: str
    scenario: str
    policy: str
    knobs: Knobs
    role: str
    rates: list[float]


@dataclass(frozen=True)
class Look:
    """A run at the scenario's own rate; times in milliseconds, means over the seeds."""

    kind: str
    scenario: str
    policy: str
    ttft_p99: float
    tpot_p99: float
    coldest_ttft_p99: float
    keys_moved: float
    hit_rate: float
    goodput_share: float
    on_front: bool


def configurations(plan: Plan) -> Iterator[tuple[str, Knobs]]:
    for policy in plan.policies:
        for knobs in KNOBS[policy]:
            yield policy, knobs


def job_of(
    plan: Plan, stage: str, scenario: str, policy: str, knobs: Knobs, seed: int
) -> Job:
    return Job(
        stage, scenario, policy, tuple(knobs.items()), seed,
        plan.instances, plan.requests, plan.tolerance,
    )  # fmt: skip


def tune(plan: Plan) -> dict[str, Knobs]:
    """The single configuration of each policy."""
    jobs = {
        (policy, *knobs.items()): [
            job_of(plan, "tune", scenario, policy, knobs, seed)
            for scenario in tuning_scenarios()
            for seed in plan.tune_seeds
        ]
        for policy, knobs in configurations(plan)
        if len(KNOBS[policy]) > 1
    }
    found = run_all((job for group in jobs.values() for job in group), "tune")
    chosen = {policy: KNOBS[policy][0] for policy in plan.policies}
    best: dict[str, float] = defaultdict(float)
    for policy, knobs in configurations(plan):
        group = jobs.get((policy, *knobs.items()), [])
        mean = geometric_mean(found[job]["rate"] for job in group)
        if mean > best[policy]:
            best[policy], chosen[policy] = mean, knobs
    return chosen


def evaluate(plan: Plan, single: dict[str, Knobs]) -> list[Rates]:
    """Highest rates on the evaluation scenarios."""
    contestants = {
        scenario: [
            (OURS, {}, "ours"),
            (ORACLE, {}, "oracle"),
            *((policy, knobs, "single") for policy, knobs in single.items()),
        ]
        for scenario in plan.scenarios
    }
    rates = highest_rates(plan, contestants, "evaluate")
    tuned = {
        scenario: [
            (policy, knobs, "tuned")
            for policy, knobs in candidates
            if knobs != single[policy]
        ]
        for scenario, candidates in select(plan, rates).items()
    }
    return rates + highest_rates(plan, tuned, "evaluate the selected")


def select(plan: Plan, rates: list[Rates]) -> dict[str, list[tuple[str, Knobs]]]:
    """The two best configurations of the best two policies, in each scenario."""
    jobs = {}
    for scenario in plan.scenarios:
        rows = [r for r in rates if r.scenario == scenario and r.role == "single"]
        rows.sort(key=lambda row: -geometric_mean(row.rates))
        jobs[scenario] = [
            (job_of(plan, "capacity", scenario, policy, knobs, plan.select_seed),
             (policy, knobs))
            for policy in [row.policy for row in rows[:2]]
            for knobs in KNOBS[policy]
        ]  # fmt: skip
    found = run_all((job for group in jobs.values() for job, _ in group), "select")
    return {
        scenario: [
            each for _, each in sorted(group, key=lambda pair: -found[pair[0]]["rate"])
        ][:2]
        for scenario, group in jobs.items()
    }


Contestant = tuple[str, Knobs, str]


def highest_rates(
    plan: Plan, contestants: dict[str, list[Contestant]], title: str
) -> list[Rates]:
    """Of policies in roles, by scenario, on all seeds of the plan."""
    jobs = [
        (scenario, contestant, [
            job_of(plan, "capacity", scenario, *contestant[:2], seed)
            for seed in plan.seeds
        ])
        for scenario, group in contestants.items()
        for contestant in group
    ]  # fmt: skip
    found = run_all((job for *_, group in jobs for job in group), title)
    return [
        Rates("rates", scenario, *contestant, [found[job]["rate"] for job in group])
        for scenario, contestant, group in jobs
    ]


def look(plan: Plan, single: dict[str, Knobs]) -> list[Look]:
    """The single configurations at the scenarios' own rates."""
    policies: dict[str, Knobs] = {OURS: {}, ORACLE: {}} | single
    jobs = {
        (scenario, policy): [
            job_of(plan, "look", scenario, policy, knobs, seed)
            for seed in plan.look_seeds
        ]
        for scenario in plan.scenarios
        for policy, knobs in policies.items()
    }
    found = run_all((job for group in jobs.values() for job in group), "look")
    looks = [
        look_of(scenario, policy, [found[job] for job in group])
        for (scenario, policy), group in jobs.items()
    ]
    return [replace(one, on_front=is_on_front(one, looks)) for one in looks]


def look_of(scenario: str, policy: str, runs: list[dict[str, Any]]) -> Look:
    """The means over some runs' metrics."""

    def milliseconds(values: Iterable[int | None]) -> float:
        return fmean((value or 0) / MILLISECOND for value in values)

    return Look(
        kind="look",
        scenario=scenario,
        policy=policy,
        ttft_p99=milliseconds(run["ttft"]["p99"] for run in runs),
        tpot_p99=milliseconds(run["tpot"]["p99"] for run in runs),
        coldest_ttft_p99=milliseconds(run["coldest_ttft_p99"] for run in runs),
        keys_moved=fmean(run["keys_moved"] for run in runs),
        hit_rate=fmean(run["hit_rate"] for run in runs),
        goodput_share=fmean(run["goodput_share"] for run in runs),
        on_front=False,
    )


def is_on_front(one: Look, looks: list[Look]) -> bool:
    """Whether no other policy, the oracle apart, is better in both p99s."""
    return not any(
        other.scenario == one.scenario
        and other.policy != ORACLE
        and other.ttft_p99 < one.ttft_p99
        and other.tpot_p99 < one.tpot_p99
        for other in looks
    )


# --- figures -------------------------------------------------------------------------


def geometric_mean(values: Iterable[float]) -> float:
    values = list(values)
    return exp(fmean(map(log, values))) if values else 0.0


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Ours over theirs, paired by seed: the geometric mean and its 95% interval.

    By Student's t over the logarithms.
    """
    logs = [log(a / b) for a, b in zip(ours, theirs, strict=True)]
    mean = fmean(logs)
    variance = sum((x - mean) ** 2 for x in logs) / (len(logs) - 1)
    half = STUDENT[len(logs)] * (variance / len(logs)) ** 0.5
    return exp(mean), exp(mean - half), exp(mean + half)
