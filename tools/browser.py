"""Finds the Chromium or Chrome that the book's tests drive.

python tools/browser.py       prints its path
"""

import os
import shutil
import sys
from pathlib import Path

COMMANDS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
)
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
MISSING = (
    "No Chromium or Chrome was found: install one (Debian and Ubuntu: `apt-get install "
    "chromium`, macOS: `brew install --cask chromium`) or name its program in the "
    "variable CHROMIUM."
)


def find_browser() -> str:
    """The path of a browser: $CHROMIUM, else the first that is installed.

    Raises FileNotFoundError without one.
    """
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else [*COMMANDS, *APPLICATIONS]
    for candidate in candidates:
        found = shutil.which(candidate)
        if found:
            return found
    raise FileNotFoundError(
        f"CHROMIUM is {named!r}: no such program" if named else MISSING
    )


def main() -> int:
    try:
        print(Path(find_browser()))
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
