"""Does the net catch fish? Plants realistic bugs, one at a time, and runs the tests.

    python tools/mutants.py --jobs 2

`mutants.toml` lists the bugs: an exact piece of a source file, and what replaces it.
Each is planted in a copy of the package, against which its nets are run in turn (some
hundred seeds of the fault simulator, the tests of a chapter) until one fails: found. A
bug that no net finds has survived, which is a test that is missing. (Mutation testing:
DeMillo, Lipton and Sayward, "Hints on test data selection", Computer 11(4), 1978.)

A piece that is not in its file exactly once is an error, so that the list keeps up with
the code. All nets are run once without a bug first, since a net that always fails
proves nothing.

Exit codes: 0, 1 when a bug survived or did not apply, 2 for bad options.

Does not handle: bugs made by rule, by the thousand (mutmut and cosmic-ray do). These
were chosen, each for what it would do to a fleet.
"""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from time import monotonic

ROOT = Path(__file__).parents[1]
CATALOGUE = Path(__file__).with_suffix(".toml")
TIMEOUT_SECONDS = 300
# As tests/conftest.py, but without tensors, which these tests do not need, and without
# shrinking: that a test fails is enough.
CONFTEST = """
from hypothesis import Phase, settings

phases = [Phase.explicit, Phase.generate]
settings.register_profile("mutants", derandomize=True, deadline=None, phases=phases)
settings.load_profile("mutants")
"""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug: in `file`, below src/tensorfleet, `old` becomes `new`."""

    name: str
    file: str
    old: str
    new: str
    nets: tuple[str, ...]

    def planted(self, source: str) -> str:
        """The source with the bug. Raises ValueError unless `old` is there once."""
        count = source.count(self.old)
        if count != 1:
            raise ValueError(
                f"{self.name!r} does not apply: what it replaces is {count} times in "
                f"{self.file}, and must be there once"
            )
        return source.replace(self.old, self.new)


def catalogue() -> list[Mutant]:
    """All mutants, in the order of the file."""
    rows = tomllib.loads(CATALOGUE.read_text())["mutant"]
    return [Mutant(**{**row, "nets": tuple(row["nets"])}) for row in rows]


def net_runs(net: str, seeds: int, source: Path) -> str | None:
    """Run a net against the package in `source`: None, or what failed first.

    Raises ValueError for a net without tests.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(source / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    if net == "chaos":
        chaos = ["tensorfleet.fleet.chaos", "--seeds", str(seeds), "--stop-at-first"]
        command = [sys.executable, "-m", *chaos]
    else:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", net]
        command += ["-p", "no:cacheprovider", "-m", "not slow"]
    try:
        result = subprocess.run(
            command,
            cwd=source,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"{net}: not finished after {TIMEOUT_SECONDS} s"
    if result.returncode == 0:
        return None
    if net != "chaos" and result.returncode in (4, 5):  # pytest: no such file, no tests
        raise ValueError(f"the net {net!r} has no tests")
    return f"{net}: {_reason(result.stdout + result.stderr)}"


def _reason(output: str) -> str:
    """The line that names what failed."""
    lines = [line for line in output.splitlines() if line.strip()]
    for line in lines:
        if line.startswith(("seed ", "FAILED ", "ERROR ")):
            return line.removeprefix("FAILED ").partition("; repeat:")[0]
    return lines[-1] if lines else "no output"


def try_mutant(mutant: Mutant | None, seeds: int, nets: Sequence[str]) -> str | None:
    """Plant a bug, or none, in a copy; returns what found it, None if nothing did."""
    with TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder)
        skip = ignore_patterns("__pycache__", "conftest.py", "site", "tools")
        copytree(ROOT / "src", copy / "src", ignore=ignore_patterns("__pycache__"))
        copytree(ROOT / "tests", copy / "tests", ignore=skip)
        (copy / "tests" / "conftest.py").write_text(CONFTEST)
        (copy / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
        if mutant is not None:
            target = copy / "src" / "tensorfleet" / mutant.file
            target.write_text(mutant.planted(target.read_text()))
        for net in nets:
            found = net_runs(net, seeds, copy)
            if found is not None:
                return found
    return None


def hunt(mutants: Sequence[Mutant], seeds: int, jobs: int) -> int:
    """Try them all, a line for each; returns how many survived or did not apply."""

    def attempt(mutant: Mutant) -> tuple[Mutant, str, str, float]:
        begin = monotonic()
        try:
            found = try_mutant(mutant, seeds, mutant.nets)
        except ValueError as error:
            return mutant, "ERROR", str(error), monotonic() - begin
        outcome = "survived" if found is None else "found"
        return mutant, outcome, found or "no net found it", monotonic() - begin

    escaped = 0
    with ThreadPoolExecutor(jobs) as pool:
        attempts = [pool.submit(attempt, mutant) for mutant in mutants]
        for number, done in enumerate(as_completed(attempts), start=1):
            mutant, outcome, what, seconds = done.result()
            escaped += outcome != "found"
            place = f"[{number}/{len(mutants)}] {outcome:8} {seconds:5.1f} s"
            print(f"{place}  {mutant.name} ({mutant.file})", flush=True)
            print(f"{'':12}{what[:300]}", flush=True)
    print(f"{len(mutants) - escaped} of {len(mutants)} bugs found")
    return escaped


def sound(mutants: Sequence[Mutant], seeds: int, jobs: int) -> bool:
    """Whether every net passes without a bug."""
    nets = list(dict.fromkeys(net for mutant in mutants for net in mutant.nets))
    with ThreadPoolExecutor(jobs) as pool:
        runs = [pool.submit(try_mutant, None, seeds, [net]) for net in nets]
    failures = [what for run in runs if (what := run.result()) is not None]
    for what in failures:
        print(f"without a bug, {what}", file=sys.stderr)
    return not failures


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--list", action="store_true", help="name the bugs and stop")
    add("--only", metavar="TEXT", default="", help="bugs whose name or file has TEXT")
    add("--seeds", type=int, default=300, help="of the fault simulator (300)")
    add("--jobs", type=int, default=os.cpu_count() or 1, help="at once (one per core)")
    add("--skip-baseline", action="store_true", help="do not run the nets without bug")
    options = parser.parse_args(arguments)
    if options.seeds < 1 or options.jobs < 1:
        parser.error("--seeds and --jobs must be 1 or more")
    mutants = [m for m in catalogue() if options.only in f"{m.name} {m.file}"]
    if not mutants:
        parser.error(f"no bug has {options.only!r} in its name or file: see --list")
    if options.list:
        for mutant in mutants:
            print(f"{mutant.file:32} {mutant.name}")
        return 0
    if not options.skip_baseline and not sound(mutants, options.seeds, options.jobs):
        return 1
    return 1 if hunt(mutants, options.seeds, options.jobs) else 0


if __name__ == "__main__":
    sys.exit(main())
