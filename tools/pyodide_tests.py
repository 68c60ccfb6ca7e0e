"""Runs the tests of all that a browser runs in a browser's Python, under Node.

    python tools/pyodide_tests.py [PART OF A TEST'S PATH ...]

These are the test files that import nothing but the standard library, pytest and
hypothesis, without what is marked `host`: threads and processes, which Pyodide has not.
pytest and hypothesis come as wheels for Pyodide, in the versions of requirements.txt,
and are kept in _build/pyodide. Files run in batches, as many at a time as there are
cores.
"""

import ast
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from npm_install import path_with_node

ROOT = Path(__file__).parents[1]
RUNNER = Path(__file__).with_suffix(".mjs")
PYODIDE = ROOT / "node_modules" / "pyodide"
SITE = ROOT / "_build" / "pyodide"
# What the Pyodide of package.json is.
PLATFORM, PYTHON = "pyemscripten_2026_0_wasm32", "3.14"
PACKAGES = (
    "hypothesis",
    "iniconfig",
    "packaging",
    "pluggy",
    "pygments",
    "pytest",
    "sortedcontainers",
)
ALLOWED = {*sys.stdlib_module_names, "hypothesis", "pytest", "tensorfleet", "tests"}


def install() -> None:
    """The packages in SITE, unless those of this requirements.txt are there."""
    lock, stamp = ROOT / "requirements.txt", SITE / "installed.txt"
    if stamp.exists() and stamp.read_bytes() == lock.read_bytes():
        return
    shutil.rmtree(SITE, ignore_errors=True)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--target", str(SITE)]
    command += ["--platform", PLATFORM, "--python-version", PYTHON]
    command += ["--only-binary=:all:", "--constraint", str(lock), *PACKAGES]
    subprocess.run(command, check=True)
    shutil.copyfile(lock, stamp)


def imported(path: Path) -> set[str]:
    """The packages that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_files() -> list[str]:
    """Those that a browser's Python can import, the largest first."""
    files = [
        path
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.parent.name not in ("site", "tools") and imported(path) <= ALLOWED
    ]
    files.sort(key=lambda path: (-path.stat().st_size, path))
    return [path.relative_to(ROOT).as_posix() for path in files]


def main() -> int:
    wanted = sys.argv[1:]
    files = [
        file
        for file in test_files()
        if not wanted or any(part in file for part in wanted)
    ]
    if not files:
        print(f"No test file has {' or '.join(wanted)} in its path.", file=sys.stderr)
        return 2
    install()
    node = shutil.which("node", path=path_with_node())
    assert node, "path_with_node has seen to it"
    began, cores = time.monotonic(), os.cpu_count() or 1
    # More batches than cores, so that no core is idle for long at the end.
    batches = [batch for n in range(4 * cores) if (batch := files[n :: 4 * cores])]

    def run(batch: list[str]) -> int:
        code = subprocess.run([node, RUNNER, PYODIDE, ROOT, SITE, *batch]).returncode
        if code:
            print(f"exit code {code} from {' '.join(batch)}", flush=True)
        return code  # negative for one that was killed

    with ThreadPoolExecutor(cores) as pool:
        codes = list(pool.map(run, batches))
    print(f"{len(files)} files in {time.monotonic() - began:.0f} s under Pyodide")
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
