"""The command line of every benchmark: --quick, --json and --record, and the record."""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

Row = TypeVar("Row")
Quantities = dict[str, tuple[float, str]]


def main(
    chapter: str,
    claim: str,
    measure: Callable[[bool, int], tuple[list[Row], Quantities]],
    table: Callable[[dict[str, Any], list[Row]], list[str]],
    environment: Callable[[], dict[str, Any]],
    folder: Callable[[], Path],
    disturbed: Callable[[list[Row]], str | None] = lambda _: None,
) -> None:
    """Measure, print, and record if asked to.

    `measure(quick, repeats)` returns rows, which are dataclasses, and the quantities,
    with units, that pages of the book may quote by name. `table(result, rows)` gives
    the lines to print below the claim. `environment` and `folder` (see `records`) say
    what machine this is and where its records lie. `disturbed(rows)` may say why they
    are not to be recorded.
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
    rows, quantities = measure(arguments.quick, repeats)
    result = described | {
        "claim": claim,
        "repeats": repeats,
        "rows": [asdict(row) for row in rows],  # type: ignore[call-overload]
        "quantities": {
            name: {"value": value, "unit": unit}
            for name, (value, unit) in quantities.items()
        },
    }
    if arguments.json:
        print(json.dumps(result, indent=1))
    else:
        found = [f"{name} = {v:.4g} {unit}" for name, (v, unit) in quantities.items()]
        print(claim, *table(result, rows), "", *found, sep="\n")
    if arguments.record:
        reason = disturbed(rows)
        if reason:
            sys.exit(f"not recorded: {reason}. Measure again on a quiet machine.")
        file = folder() / f"{chapter}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=1) + "\n")
        print(f"recorded in {file.relative_to(file.parents[3])}")
