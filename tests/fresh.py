"""Programs in a Python of their own, where Triton compiles instead of interpreting."""

import os
import subprocess
import sys


def without_interpreter(program):
    environment = {n: v for n, v in os.environ.items() if n != "TRITON_INTERPRET"}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )
