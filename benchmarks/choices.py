"""A pair of distinct indices costs less than two calls of randrange, or one of sample.

    python benchmarks/choices.py [--json] [--record] [--quick]

The peers are the ways in which Python's random module draws: `sample`, which gives two
distinct indices, and two calls of `randrange`, which may give the same one twice. A
whole choice by a score is compared with the same choice by `sample`, and with a scan of
all replicas for the lowest score. Balls are thrown by that same choice.
"""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random

from tqdm import tqdm

from records import processor_environment, processor_folder
from report import Quantities, main
from tensorfleet.choices import choose, pair
from tensorfleet.choices.bins import loads
from turns import Contest, Outcome, Run, contest_table, run_contest

SIZES = (3, 64, 10_000)
OURS, SAMPLE, RANDRANGE, SCAN = "ours", "sample", "two randrange", "scan of all"


def repeated(operation: Callable[[], object], times: int) -> Callable[[], Run]:
    def run() -> None:
        for _ in range(times):
            operation()

    return lambda: run


def contests(quick: bool) -> Iterator[Contest]:
    times, balls = (200, 1_000) if quick else (20_000, 100_000)
    random = Random(1)
    for n in SIZES:
        indices = range(n)
        yield Contest(
            f"pair of {n}",
            times,
            {
                OURS: repeated(partial(pair, n, random), times),
                RANDRANGE: repeated(
                    lambda n=n: (random.randrange(n), random.randrange(n)),  # type: ignore[misc]
                    times,
                ),
                SAMPLE: repeated(partial(random.sample, indices, 2), times),
            },
        )
    for n in SIZES:
        score = [random.randrange(8) for _ in range(n)].__getitem__
        scans = max(1, 30 * times // (30 + n))  # fewer where each takes longer
        indices = range(n)
        yield Contest(
            f"choice of {n}",
            times,
            {
                OURS: repeated(partial(choose, indices, score, random), times),
                SAMPLE: repeated(
                    lambda indices=indices, score=score: min(  # type: ignore[misc]
                        random.sample(indices, 2), key=score
                    ),
                    times,
                ),
            },
        )
        yield Contest(
            f"scan of {n}",
            scans,
            {
                OURS: repeated(partial(choose, indices, score, random), scans),
                SCAN: repeated(partial(min, indices, key=score), scans),
            },
        )
    yield Contest(
        f"a ball of {balls}",
        balls,
        {
            f"{d} choices": lambda d=d: partial(loads, balls, balls, d, random)  # type: ignore[misc]
            for d in (3, 2, 1)
        },
    )


def measure(quick: bool, repeats: int) -> tuple[list[Outcome], Quantities]:
    outcomes = [
        run_contest(contest, repeats)
        for contest in tqdm(contests(quick), unit="case", disable=None)
    ]
    return outcomes, summary({outcome.name: outcome for outcome in outcomes})


def summary(outcomes: dict[str, Outcome]) -> Quantities:
    def digits(value: float) -> float:
        return float(f"{value:.2g}")

    found: Quantities = {}
    for n in SIZES:
        drawn, chosen = outcomes[f"pair of {n}"], outcomes[f"choice of {n}"]
        found[f"pair_{n}_time"] = digits(drawn.microseconds[OURS]), "µs"
        found[f"pair_{n}_randrange"] = digits(drawn.ratio(RANDRANGE, OURS)), "times"
        found[f"pair_{n}_sample"] = digits(drawn.ratio(SAMPLE, OURS)), "times"
        found[f"choice_{n}_time"] = digits(chosen.microseconds[OURS]), "µs"
        found[f"choice_{n}_sample"] = digits(chosen.ratio(SAMPLE, OURS)), "times"
        scanned = outcomes[f"scan of {n}"]
        found[f"choice_{n}_scan"] = digits(scanned.ratio(SCAN, OURS)), "times"
    return found


if __name__ == "__main__":
    assert __doc__
    main(
        "choices",
        " ".join(__doc__.partition("\n\n")[0].split()),
        measure,
        contest_table,
        processor_environment,
        processor_folder,
    )
