"""Makes requirements.txt from the bounds in pyproject.toml.

It holds every package at one version, for Linux and macOS.

    python tools/lock.py [--upgrade]

Without --upgrade, versions that still satisfy the bounds stay. NVIDIA's libraries are
left out: torch's CUDA build names the exact ones that it needs, and its CPU build,
which this lock serves as well, none.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = "requirements.txt"
BASE = [
    "uv",
    "pip",
    "compile",
    "pyproject.toml",
    "--all-extras",
    "--universal",
    "--python-version",
    "3.11",
]
# What torch's CUDA build asks for on Linux; triton is pinned, since kernels run in its
# interpreter too.
NVIDIA = ("nvidia-", "cuda-")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--upgrade", action="store_true", help="take the newest versions in bounds"
    )
    upgrade = ["--upgrade"] if parser.parse_args().upgrade else []
    command = [sys.executable, "-m", *BASE, *upgrade]
    full = subprocess.run(
        [*command, "--quiet"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    names = {
        line.split("==")[0]
        for line in full.splitlines()
        if "==" in line and line[0].isalpha()
    }
    left_out = [
        f"--no-emit-package={name}" for name in sorted(names) if name.startswith(NVIDIA)
    ]
    header = ["--custom-compile-command", "make lock"]
    return subprocess.run(
        [*command, *left_out, *header, "--quiet", "-o", LOCK], cwd=ROOT
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
