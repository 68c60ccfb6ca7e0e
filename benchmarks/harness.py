"""What benchmarks that move tensors share: bytes, and the bandwidth of a plain copy.

Nothing here judges: a benchmark reports.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

import torch
from tqdm import tqdm

import report
from records import environment, results_folder
from turns import Run, seconds, times_in_turns


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


def run_case(case: Case, copy: Case, repeats: int) -> Row:
    """Time a case and, in turns with it, a plain copy: the ceiling for moving data."""
    runs = [case.ours, copy.ours, *case.peers.values()]
    ours, copies, *others = times_in_turns(runs, repeats, _seconds)
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

    def measure(quick: bool, repeats: int) -> tuple[list[Row], report.Quantities]:
        size = 2**20 if quick else 2**28 if device() == "cpu" else 2**32
        copy = copy_case(size)
        turns = tqdm(cases(quick), unit="case", disable=None)
        rows = [run_case(prepare(), copy, repeats) for prepare in turns]
        return rows, summary({row.name: row for row in rows}, quick)

    report.main(chapter, claim, measure, table, environment, results_folder)


def table(result: dict[str, Any], rows: list[Row]) -> list[str]:
    width = max(len(row.name) for row in rows)
    return [
        f"{result['device']}, torch {result['versions']['torch']}; "
        f"medians of {result['repeats']}",
        "",
        f"{'case':{width}}  {'ours ms':>9} {'spread':>7} {'best peer':>24}"
        f" {'peer ms':>9} {'peer/ours':>9} {'GB/s':>8} {'of copy':>8}",
        *(
            f"{row.name:{width}}  {row.ours_ms:9.3f} {row.spread:7.1%}"
            f" {row.best_peer:>24} {row.peers_ms[row.best_peer]:9.3f}"
            f" {row.speedup:8.2f}x {row.gigabytes_per_second:8.1f}"
            f" {row.share_of_copy_bandwidth:8.1%}"
            for row in rows
        ),
    ]


def _seconds(run: Run) -> float:
    """Seconds of one run.

    By the device's own clock where it has one: launches return early.
    """
    if device() == "cpu":
        return seconds(run)
    start_event, end_event = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start_event.record()
    run()
    end_event.record()
    end_event.synchronize()
    return float(start_event.elapsed_time(end_event)) / 1e3
