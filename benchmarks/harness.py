"""What every benchmark shares: timing in turns, the table, --json and --record.

The contestants of a case run in turns, A B C A B C ..., so that a machine whose speed
drifts slows all of them alike; ratios are taken between medians of one such run.
Nothing here judges: a benchmark reports.
"""

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import torch
from tqdm import tqdm

from records import environment, results_folder

Run = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """One row: what is run, ours and the peers', and the bytes that it must move."""

    name: str
    ours: Run
    peers: dict[str, Run]
    num_bytes: int


@dataclass(frozen=True)
class Row:
    """The outcome of a case.

    Times in milliseconds; `speedup` is the best peer's time over ours.
    """

    name: str
    ours_ms: float
    spread: float  # half the distance between the quartiles, over the median
    peers_ms: dict[str, float]
    best_peer: str
    speedup: float
    gigabytes_per_second: float
    copy_gigabytes_per_second: float
    share_of_copy_bandwidth: float


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def times_in_turns(runs: Iterable[Run], repeats: int) -> list[list[float]]:
    """Seconds of each repetition of each run, after one uncounted round to warm up."""
    runs = list(runs)
    rounds = [[_seconds(run) for run in runs] for _ in range(repeats + 1)]
    return [list(times) for times in zip(*rounds[1:], strict=True)]


def run_case(case: Case, copy: Case, repeats: int) -> Row:
    """Time a case and, in turns with it, a plain copy: the ceiling for moving data."""
    runs = [case.ours, copy.ours, *case.peers.values()]
    ours, copies, *others = times_in_turns(runs, repeats)
    low, middle, high = quantiles(ours, n=4)
    peers = {
        name: median(times) for name, times in zip(case.peers, others, strict=True)
    }
    best = min(peers, key=lambda name: peers[name])
    copy_rate, rate = copy.num_bytes / median(copies), case.num_bytes / middle
    return Row(
        name=case.name,
        ours_ms=middle * 1e3,
        spread=(high - low) / 2 / middle,
        peers_ms={name: seconds * 1e3 for name, seconds in peers.items()},
        best_peer=best,
        speedup=peers[best] / middle,
        gigabytes_per_second=rate / 1e9,
        copy_gigabytes_per_second=copy_rate / 1e9,
        share_of_copy_bandwidth=rate / copy_rate,
    )


def copy_case(num_bytes: int) -> Case:
    """A copy of `num_bytes` bytes, which reads them once and writes them once."""
    source = torch.ones(num_bytes // 8, dtype=torch.int64, device=device())
    target = torch.ones_like(source)
    return Case("copy", lambda: target.copy_(source), {}, 2 * num_bytes)


def main(
    chapter: str,
    claim: str,
    cases: Callable[[bool], list[Callable[[], Case]]],
    summary: Callable[[dict[str, Row], bool], dict[str, tuple[float, str]]],
) -> None:
    """The command line of a benchmark.

    `cases(quick)` lists functions that each prepare a case when its turn comes, so that
    only one needs memory at a time. `summary(rows by name, quick)` names the
    quantities, with units, that pages of the book may quote.
    """
    parser = argparse.ArgumentParser(description=claim, allow_abbrev=False)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object instead of a table"
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="write benchmarks/results/<device>/" + chapter + ".json",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny sizes, to see that it runs; never recorded",
    )
    arguments = parser.parse_args()
    if arguments.quick and arguments.record:
        parser.error("--quick sizes say nothing about speed: they are not recorded")
    repeats = 3 if arguments.quick else 15
    described = environment()  # first, so that nothing is measured in vain

    size = 2**20 if arguments.quick else 2**28 if device() == "cpu" else 2**32
    copy = copy_case(size)
    turns = tqdm(cases(arguments.quick), unit="case", disable=None)
    rows = [run_case(prepare(), copy, repeats) for prepare in turns]
    quantities = summary({row.name: row for row in rows}, arguments.quick)
    result = described | {
        "claim": claim,
        "repeats": repeats,
        "rows": [asdict(row) for row in rows],
        "quantities": {
            name: {"value": value, "unit": unit}
            for name, (value, unit) in quantities.items()
        },
    }
    print(json.dumps(result, indent=1) if arguments.json else table(result, rows))
    if arguments.record:
        file = results_folder() / f"{chapter}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
        print(f"recorded in {file.relative_to(file.parents[3])}")


def table(result: dict[str, Any], rows: list[Row]) -> str:
    width = max(len(row.name) for row in rows)
    lines = [
        result["claim"],
        f"{result['device']}, torch {result['versions']['torch']}; "
        f"medians of {result['repeats']}",
        "",
        f"{'case':{width}}  {'ours ms':>9} {'spread':>7} {'best peer':>24}"
        f" {'peer ms':>9} {'peer/ours':>9} {'GB/s':>8} {'of copy':>8}",
    ]
    lines += [
        f"{row.name:{width}}  {row.ours_ms:9.3f} {row.spread:7.1%} {row.best_peer:>24}"
        f" {row.peers_ms[row.best_peer]:9.3f} {row.speedup:8.2f}x"
        f" {row.gigabytes_per_second:8.1f} {row.share_of_copy_bandwidth:8.1%}"
        for row in rows
    ]
    lines += [
        "",
        *(
            f"{name} = {q['value']:.4g} {q['unit']}"
            for name, q in result["quantities"].items()
        ),
    ]
    return "\n".join(lines)


def _seconds(run: Run) -> float:
    """Seconds of one run.

    By the device's own clock where it has one: launches return early.
    """
    if device() == "cpu":
        start = perf_counter()
        run()
        return perf_counter() - start
    start_event, end_event = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start_event.record()
    run()
    end_event.record()
    end_event.synchronize()
    return float(start_event.elapsed_time(end_event)) / 1e3
