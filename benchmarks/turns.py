"""Contestants in turns: A B C A B C ..., so that a machine whose speed drifts slows all
of them alike; ratios are taken between medians of one such run.

`times_in_turns` is for everyone. A `Contest` is for what is counted in operations and
not in bytes: each contestant does the same number of them, and the outcome is the time
of one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median, quantiles
from time import perf_counter
from typing import Any

Run = Callable[[], object]


@dataclass(frozen=True)
class Contest:
    """What is run: contestants by name, ours first.

    Each is a function that prepares one run, untimed, so that a run may find new inputs
    every time; a run does `operations` operations.
    """

    name: str
    operations: int
    contestants: dict[str, Callable[[], Run]]


@dataclass(frozen=True)
class Outcome:
    """Microseconds for one operation, and their spread.

    The spread is half the distance between the quartiles, over the median.
    """

    name: str
    microseconds: dict[str, float]
    spreads: dict[str, float]

    def ratio(self, one: str, other: str) -> float:
        """How many times as long `one` takes as `other`."""
        return self.microseconds[one] / self.microseconds[other]


def seconds(run: Run) -> float:
    start = perf_counter()
    run()
    return perf_counter() - start


def times_in_turns(
    runs: Iterable[Run], repeats: int, timer: Callable[[Run], float] = seconds
) -> list[list[float]]:
    """Seconds of each repetition of each run, after one uncounted round to warm up."""
    runs = list(runs)
    rounds = [[timer(run) for run in runs] for _ in range(repeats + 1)]
    return [list(times) for times in zip(*rounds[1:], strict=True)]


def run_contest(contest: Contest, repeats: int) -> Outcome:
    def prepared(prepare: Run) -> float:
        run = prepare()
        assert callable(run)
        return seconds(run)

    times = times_in_turns(contest.contestants.values(), repeats, prepared)
    found = dict(zip(contest.contestants, times, strict=True))
    return outcome(contest.name, contest.operations, found)


def outcome(name: str, operations: int, times: dict[str, list[float]]) -> Outcome:
    """Of the seconds that each contestant took for so many operations, run by run."""
    return Outcome(
        name,
        {who: median(seconds) / operations * 1e6 for who, seconds in times.items()},
        {who: _spread(seconds) for who, seconds in times.items()},
    )


def contest_table(result: dict[str, Any], outcomes: list[Outcome]) -> list[str]:
    """A line for each contestant; ratios are to the contest's last one, the peer."""
    width = max(len(outcome.name) for outcome in outcomes)
    lines = [
        f"{result['device']}, {_versions(result)}; medians of {result['repeats']}",
        "",
        f"{'case':{width}}  {'contestant':>20} {'µs':>10} {'spread':>7} {'of peer':>8}",
    ]
    for outcome in outcomes:
        *_, peer = outcome.microseconds
        lines += [
            f"{outcome.name:{width}}  {name:>20} {time:10.3f}"
            f" {outcome.spreads[name]:7.1%} {outcome.ratio(name, peer):7.2f}x"
            for name, time in outcome.microseconds.items()
        ]
    return lines


def _spread(times: list[float]) -> float:
    low, middle, high = quantiles(times, n=4)
    return (high - low) / 2 / middle


def _versions(result: dict[str, Any]) -> str:
    return ", ".join(
        f"{name} {version}" for name, version in result["versions"].items()
    )
