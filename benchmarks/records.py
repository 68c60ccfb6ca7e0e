"""Where recorded measurements lie, and what describes the machine they were taken on.

python benchmarks/records.py       prints the folder of this machine's records
"""

import platform
import re
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parent / "results"


def device_name() -> str:
    """The GPU's name, or the processor's with the number of threads in use."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}"


def results_folder() -> Path:
    """benchmarks/results/<device>.

    The device is `cpu`, or the GPU's name in lower case with hyphens.
    """
    slug = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return RESULTS / re.sub(r"[^a-z0-9]+", "-", slug.lower()).strip("-")


def environment() -> dict[str, Any]:
    """What a reader needs to judge a measurement: device, driver, versions, date."""
    versions = {"python": platform.python_version(), "torch": torch.__version__}
    try:
        import triton

        versions["triton"] = triton.__version__
    except ImportError:
        pass
    return {
        "device": device_name(),
        "driver": _driver(),
        "versions": versions,
        "date": datetime.now(UTC).date().isoformat(),
    }


def processor_folder() -> Path:
    """Where measurements lie that no GPU takes part in, whatever the machine has."""
    return RESULTS / "cpu"


def processor_environment(*packages: str) -> dict[str, Any]:
    """As `environment`, for one core that runs Python; with versions of `packages`."""
    versions = {"python": platform.python_version()}
    versions |= {package: version(package) for package in packages}
    return {
        "device": f"{_processor()}, 1 thread",
        "driver": None,
        "versions": versions,
        "date": datetime.now(UTC).date().isoformat(),
    }


def _processor() -> str:
    """The processor's name: Linux and macOS keep it in different places."""
    try:
        if platform.system() == "Darwin":
            return subprocess.check_output(
                ["sysctl", "-n", "machdep.cpu.brand_string"], text=True
            ).strip()
        found = re.search(
            r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE
        )
    except (OSError, subprocess.CalledProcessError):
        found = None
    return found.group(1) if found else platform.machine()


def _driver() -> str | None:
    if not torch.cuda.is_available():
        return None
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return subprocess.check_output(query, text=True).splitlines()[0]


if __name__ == "__main__":
    print(results_folder())
