"""The fleet's code runs in the browser's Python, and to the same byte."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from npm_install import path_with_node

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tensorfleet"
PYODIDE = ROOT / "node_modules" / "pyodide" / "pyodide.mjs"

# Scenarios that between them use every distribution, fault and loop.
PROGRAM = """
import hashlib
from tensorfleet.fleet import simulate

SCENARIOS = (
    "steady", "sessions", "burst", "diurnal", "flash_crowd", "crash", "scale_out",
    "revision_storm", "many_routers",
)
for scenario in SCENARIOS:
    for policy in ("tensorfleet", "notes"):
        result = simulate(scenario, policy, seed=3, instances=4, requests=600)
        digest = hashlib.sha256()
        for flight in result.flights:
            told = (
                flight.request.id, flight.arrival, flight.first_token, flight.end,
                flight.instance, flight.status, flight.output_tokens,
                flight.generation, flight.steps,
            )
            digest.update(repr(told).encode())
        print(scenario, policy, digest.hexdigest())
"""


@pytest.mark.site
def test_one_seed_gives_the_same_bytes_under_pyodide():
    """WebAssembly, 32 bits and another libm: nothing of it may show."""
    node = shutil.which("node", path=path_with_node())
    assert node
    here = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(PACKAGE.parent), "PYTHONHASHSEED": "1"},
    )
    runner = Path(__file__).with_name("in_pyodide.mjs")
    there = subprocess.run(
        [node, str(runner), str(PYODIDE), str(PACKAGE)],
        input=PROGRAM,
        capture_output=True,
        text=True,
    )
    assert there.returncode == 0, there.stderr[-2000:]
    assert there.stdout == here.stdout
    assert len(here.stdout.splitlines()) == 18
