"""Runs in Pyodide when the book is built: does to each panel all that a reader can do.

What it makes Python import is what the page's Python needs; and its last line, a digest
of all answers, must be the same with everything else left out.
"""

import hashlib
import json
from typing import Any

from tensorfleet.explore.session import Sessions

TICK = 0.05  # seconds


def values(control: dict[str, Any]) -> list[Any]:
    """Settings to try: ends and middle of a slider, all options of a choice."""
    match control["kind"]:
        case "slider":
            return [control["lowest"], control["highest"], control["default"]]
        case "choice":
            return [*control["options"], control["default"]]
        case "toggle":
            return [True, False]
        case "words":
            return ["the cat", "", control["default"]]
    return [None]


def drive(panels: list[dict[str, Any]]) -> str:
    """The digest of the figures of all frames. Raises when a panel answers an error."""
    sessions, digest = Sessions(), hashlib.sha256()

    def say(may_fail: bool = False, **message: object) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(
            sessions.handle(json.dumps({"id": "it"} | message))
        )
        if "error" in answer:
            if not may_fail:
                raise RuntimeError(f"{message} was answered: {answer['error']}")
        elif "scene" in answer:
            told = json.dumps(answer["scene"]["figures"], sort_keys=True)
            digest.update(told.encode())
        return answer

    for panel in panels:
        opened = {"do": "open", "panel": panel["path"], "state": panel["state"]}
        say(**opened, after=panel["after"])
        for control in panel["controls"]:
            for value in values(control):
                say(do="act", name=control["name"], value=value)
                say(do="advance", seconds=TICK)
        scene = say(do="advance", seconds=TICK)["scene"]
        picks = [
            mark["pick"]
            for picture in scene["pictures"]
            for mark in picture["marks"]
            if "pick" in mark
        ]
        for pick in picks[:20]:
            say(do="pick", value=pick, may_fail=True)  # the mark may be gone by now
            say(do="advance", seconds=TICK)
        say(do="act", name="no such control", value=1, may_fail=True)
        say(do="reset")
        say(do="close")
    return digest.hexdigest()
