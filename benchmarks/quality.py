"""What benchmarks/fleet.py asks of the router: how high a rate it sustains, and whose.

The figure of merit of a policy on a scenario is the highest rate per instance at which
99% of the requests meet both limits of the SLO (`tensorfleet.fleet.capacity`). Every
baseline with a knob is given five configurations; ours has its defaults. In stages:

1. *tune*: every configuration on the tuning scenarios, which differ from those of the
   evaluation in size, popularity, faults and seeds. The best on the geometric mean is
   the single configuration of its policy.
2. *select*: every configuration on every evaluation scenario, on a seed of its own. The
   two best there are that scenario's individually tuned candidates.
3. *evaluate*: ours, the oracle, every policy's single configuration and the scenario's
   candidates, on five further seeds, the same for all. The best of the baselines by
   its mean over these seeds is the one that ours is held against.
4. *look*: the same single configurations at each scenario's own rate, for the Pareto
   front of TTFT and TPOT, the coldest adapters and the keys that moved.

A cell that is done is kept in _build/quality.jsonl under a hash of the sources that it
came from, so that a run that was interrupted goes on where it was.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from math import exp, log
from pathlib import Path
from statistics import fmean
from typing import Any

from tqdm import tqdm

from tensorfleet.fleet.capacity import LOWEST, highest_rate
from tensorfleet.fleet.faults import Crash, Leave, Slow
from tensorfleet.fleet.popularity import Churn
from tensorfleet.fleet.running import simulate
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.scenarios import SCENARIOS
from tensorfleet.fleet.workloads import Crowd
from tensorfleet.router import RouterConfig

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / "_build" / "quality.jsonl"
PACKAGES = ("fleet", "router", "hashing", "choices", "attention")
WORKERS = 2
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
    tolerance: float = 0.03
    tune_seeds: tuple[int, ...] = (101, 102)
    select_seed: int = 20
    seeds: tuple[int, ...] = (11, 12, 13, 14, 15)
    look_seeds: tuple[int, ...] = (11, 12, 13)


FULL = Plan()
QUICK = Plan(
    ("steady", "crash"), ("bounded_hash", "random"), 4, 800, 0.2,
    (101,), 20, (11, 12), (11,),
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One cell: a policy with its knobs on a scenario, with one seed."""

    stage: str  # "tune", "capacity" or "look"
    scenario: str
    policy: str
    knobs: tuple[tuple[str, float], ...]
    seed: int
    instances: int
    requests: int | None
    tolerance: float

    @property
    def key(self) -> str:
        return json.dumps([sources(), *self.__dict__.values()])


@cache
def tuning_scenarios() -> dict[str, Scenario]:
    """None of these is evaluated: sizes, popularity, lengths of faults all differ."""
    steady, burst = SCENARIOS["steady"], SCENARIOS["burst"]
    busy = steady.scaled(instances=12, adapters=3000)
    bursts = burst.scaled(instances=10, adapters=900)
    crowd = Crowd(0.5, 0.3, 0.15)
    return {
        "tune_flat": replace(busy, workload=replace(busy.workload, zipf=0.8)),
        "tune_bursts": replace(
            bursts, workload=replace(bursts.workload, adapter_cv=3.0)
        ),
        "tune_churn": replace(
            steady, workload=replace(steady.workload, churn=Churn(120), crowd=crowd)
        ),
        "tune_faults": replace(
            steady,
            faults=(Crash(1 / 6, 0.3, 0.5), Slow(1 / 6, 0.6, 0.8, 1500),
                    Leave(1 / 6, 0.85)),
        ),
    }  # fmt: skip


def scenario_of(job: Job) -> Scenario:
    known = tuning_scenarios() if job.stage == "tune" else SCENARIOS
    scenario = known[job.scenario].scaled(instances=job.instances)
    return scenario.scaled(requests=job.requests) if job.requests else scenario


def run(job: Job) -> dict[str, Any]:
    """The outcome of a cell, of types that JSON knows."""
    scenario, config = scenario_of(job), RouterConfig(**dict(job.knobs))  # type: ignore[arg-type]
    if job.stage == "look":
        result = simulate(scenario, job.policy, job.seed, config=config)
        metrics = result.without_flights().to_dict()["metrics"]
        assert isinstance(metrics, dict)
        return metrics
    found = highest_rate(
        scenario,
        job.policy,
        seeds=(job.seed,),
        tolerance=job.tolerance,
        config=config,
    )
    # A rate of 0 is one below the lowest that is tried.
    return {"rate": found.rate or LOWEST * scenario.sustained, "runs": found.runs}


@cache
def sources() -> str:
    """A hash of all code that the outcome of a cell depends on."""
    digest = sha256()
    folder = ROOT / "src" / "tensorfleet"
    files = [
        file for name in PACKAGES for file in sorted((folder / name).rglob("*.py"))
    ]
    for file in [*files, folder / "hardware.py", Path(__file__)]:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:16]


def run_all(jobs: Iterable[Job], title: str) -> dict[Job, dict[str, Any]]:
    """The outcomes of all cells, of which those that were made before are read."""
    jobs = list(dict.fromkeys(jobs))
    kept = {}
    if CACHE.exists():
        for line in CACHE.read_text().splitlines():
            entry = json.loads(line)
            kept[entry["key"]] = entry["outcome"]
    found = {job: kept[job.key] for job in jobs if job.key in kept}
    missing = [job for job in jobs if job not in found]
    CACHE.parent.mkdir(exist_ok=True)
    bar = tqdm(
        total=len(jobs), initial=len(found), unit="cell", desc=title, disable=None
    )
    with CACHE.open("a") as file, ProcessPoolExecutor(WORKERS) as pool, bar:
        futures = {pool.submit(run, job): job for job in missing}
        for future in as_completed(futures):
            job = futures[future]
            found[job] = future.result()
            file.write(json.dumps({"key": job.key, "outcome": found[job]}) + "\n")
            file.flush()
            bar.update()
    return found


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


def select(plan: Plan) -> dict[str, list[tuple[str, Knobs]]]:
    """The two best configurations on each scenario."""
    jobs = {
        scenario: [
            (job_of(plan, "capacity", scenario, *each, plan.select_seed), each)
            for each in configurations(plan)
        ]
        for scenario in plan.scenarios
    }
    found = run_all((job for group in jobs.values() for job, _ in group), "select")
    return {
        scenario: [
            each for _, each in sorted(group, key=lambda pair: -found[pair[0]]["rate"])
        ][:2]
        for scenario, group in jobs.items()
    }


def evaluate(plan: Plan, single: dict[str, Knobs]) -> list[Rates]:
    """Highest rates on the evaluation scenarios."""
    selected = select(plan)
    contestants = [
        (scenario, policy, knobs, role)
        for scenario in plan.scenarios
        for policy, knobs, role in (
            (OURS, {}, "ours"),
            (ORACLE, {}, "oracle"),
            *((policy, knobs, "single") for policy, knobs in single.items()),
            *(
                (policy, knobs, "tuned")
                for policy, knobs in selected[scenario]
                if knobs != single[policy]
            ),
        )
    ]
    jobs = {
        (scenario, policy, role, *knobs.items()): [
            job_of(plan, "capacity", scenario, policy, knobs, seed)
            for seed in plan.seeds
        ]
        for scenario, policy, knobs, role in contestants
    }
    found = run_all((job for group in jobs.values() for job in group), "evaluate")
    return [
        Rates("rates", scenario, policy, knobs, role,
              [found[job]["rate"]
               for job in jobs[scenario, policy, role, *knobs.items()]])
        for scenario, policy, knobs, role in contestants
    ]  # fmt: skip


def look(plan: Plan, single: dict[str, Knobs]) -> list[Look]:
    """The single configurations at the scenarios' own rates."""
    policies = {OURS: {}, ORACLE: {}} | single
    jobs = {
        (scenario, policy): [
            job_of(plan, "look", scenario, policy, knobs, seed)
            for seed in plan.look_seeds
        ]
        for scenario in plan.scenarios
        for policy, knobs in policies.items()
    }
    found = run_all((job for group in jobs.values() for job in group), "look")
    looks = []
    for (scenario, policy), group in jobs.items():
        runs = [found[job] for job in group]
        looks.append(
            Look(
                "look", scenario, policy,
                fmean((run["ttft"]["p99"] or 0) / MILLISECOND for run in runs),
                fmean((run["tpot"]["p99"] or 0) / MILLISECOND for run in runs),
                fmean((run["coldest_ttft_p99"] or 0) / MILLISECOND for run in runs),
                *(fmean(run[name] for run in runs)
                  for name in ("keys_moved", "hit_rate", "goodput_share")),
                False,
            )
        )  # fmt: skip
    return [replace(one, on_front=is_on_front(one, looks)) for one in looks]


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
