"""`python -m tensorfleet.fleet`: run a scenario under one policy or all of them.

Prints a table, or with --json one JSON object; progress goes to standard error when
that is a terminal. Exit codes: 0, 2 for bad options, 130 when interrupted.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from textwrap import TextWrapper
from time import monotonic
from typing import NoReturn

from tensorfleet.fleet.result import Comparison
from tensorfleet.fleet.running import Overrides, build, collect, resolve
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.scenarios import SCENARIOS
from tensorfleet.router.policies import POLICIES

ALL = "all"
BAR_CELLS = 30
REDRAW_SECONDS = 0.2


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without the usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> Parser:
    wrap = TextWrapper(width=88, initial_indent="  ", subsequent_indent=" " * 18)
    lines = [
        "scenarios (load is relative to what the policy all_resident sustains):",
        *(wrap.fill(describe(scenario)) for scenario in SCENARIOS.values()),
        "",
        "policies:",
        TextWrapper(88, "  ", "  ").fill(", ".join(POLICIES)),
    ]
    result = Parser(
        prog="python -m tensorfleet.fleet",
        description="Simulate a fleet of LLM instances behind a LoRA router.",
        epilog="\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = result.add_argument
    add("--scenario", metavar="NAME", help="what to run (default: steady)")
    add(
        "--policy",
        metavar="NAME",
        default="tensorfleet",
        help="a policy, several with commas between, or all (default: tensorfleet)",
    )
    add("--seed", type=int, default=0, metavar="N", help="default: 0")
    add(
        "--instances",
        type=int,
        metavar="N",
        help="rate, requests, adapters grow in proportion where they are not given",
    )
    add("--adapters", type=int, metavar="N")
    add("--rate", type=float, metavar="R", help="requests per second")
    add("--requests", type=int, metavar="N")
    add(
        "--trace",
        metavar="FILE",
        help="replay an Azure, BurstGPT or Mooncake trace (scenario trace)",
    )
    add("--json", action="store_true", help="print one JSON object")
    return result


def describe(scenario: Scenario) -> str:
    """A scenario in a sentence, with the figures that were fixed beforehand."""
    load = f"{100 * scenario.utilisation:.0f}% load"
    return (
        f"{scenario.name:<15} {scenario.shows} ({load}, "
        f"{scenario.adapters_per_slot:.1f} adapters per slot, fetching one takes "
        f"{scenario.fetch_to_prefill:.1f} prefills)"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    options = parser().parse_args(arguments)
    try:
        try:
            scenario, policies = choose(options)
        except OSError as error:
            return _complain(f"{error.filename}: {error.strerror}")
        except ValueError as error:
            return _complain(str(error))
        run(scenario, policies, options.seed, options.json)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def choose(options: argparse.Namespace) -> tuple[Scenario, list[str]]:
    """The scenario and the policies asked for.

    Raises ValueError when the options make no sense, OSError when a trace is not there.
    """
    overrides: Overrides = {}
    for size in ("instances", "adapters", "rate", "requests", "trace"):
        if getattr(options, size) is not None:
            overrides[size] = getattr(options, size)
    scenario = resolve(
        options.scenario or ("trace" if options.trace else "steady"), overrides
    )
    policies = list(POLICIES) if options.policy == ALL else options.policy.split(",")
    for policy in policies:
        if policy not in POLICIES:
            raise ValueError(
                f"the policy is {policy!r}: it must be {ALL} or one of "
                f"{', '.join(POLICIES)}"
            )
    return scenario, policies


def run(scenario: Scenario, policies: Sequence[str], seed: int, as_json: bool) -> None:
    """Run the policies one after the other and print what came out."""
    results = []
    for number, policy in enumerate(policies, 1):
        label = f"{policy} ({number}/{len(policies)})"
        bar = Bar(label, scenario.workload.requests)
        simulation = build(scenario, policy, seed)
        try:
            simulation.run(bar.show)
        finally:
            bar.close()
        results.append(collect(scenario, policy, seed, simulation).without_flights())
    if as_json:
        print(json.dumps({"results": [result.to_dict() for result in results]}))
    else:
        print(Comparison(tuple(results)))


class Bar:
    """A progress bar on standard error, if that is a terminal."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total = label, total
        self.is_shown = sys.stderr.isatty()
        self.drawn_at = monotonic()

    def show(self, ended: int) -> None:
        """`ended` requests of the total have ended."""
        now = monotonic()
        if not self.is_shown or now - self.drawn_at < REDRAW_SECONDS:
            return
        self.drawn_at = now
        cells = BAR_CELLS * ended // self.total
        bar = "#" * cells + "." * (BAR_CELLS - cells)
        line = f"\r{self.label} [{bar}] {ended:,}/{self.total:,}"
        print(line, end="\x1b[K", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.is_shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _complain(message: str) -> int:
    print(f"{parser().prog}: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
