"""The cells of benchmarks/quality.py: one run or search each, made once and kept.

Cells that are done are kept in _build/quality.jsonl under a hash of the sources that
they came from, so that a run that was interrupted goes on where it was. Two processes
work on them.
"""

import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
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
    faults = (Crash(1 / 6, 0.3, 0.5), Slow(1 / 6, 0.6, 0.8, 1500), Leave(1 / 6, 0.85))
    return {
        "tune_flat": asked(steady.scaled(instances=12, adapters=3000), zipf=0.8),
        "tune_bursts": asked(burst.scaled(instances=10, adapters=900), adapter_cv=3.0),
        "tune_churn": asked(steady, churn=Churn(120), crowd=Crowd(0.5, 0.3, 0.15)),
        "tune_faults": replace(steady, faults=faults),
    }


def asked(scenario: Scenario, **fields: Any) -> Scenario:
    """The scenario with another workload."""
    return replace(scenario, workload=replace(scenario.workload, **fields))


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
