"""Panels driven by messages: what the page's worker and Jupyter's widget share.

A message is an object that says what to `do`, and names the session by its `id`:

    open       a panel of the class `panel`, "module:Class", with the settings `state`,
               after `after` seconds
    act        set the setting `name` to `value`, or press the button `name`
    advance    let `seconds` pass
    work       go on with what a `busy` scene waits for, while no time passes
    pick       a mark was clicked that has this `value`
    reset      begin again
    show       nothing: only the answer is wanted
    close      forget the session

The answer has the same `id` and, if there was one, the same number `n`; and either
`scene` and `state`, or `error`: one sentence. After an error the panel is as it was, or
as its own code left it; nothing else suffers.

Does not handle: who may send messages. What is opened must be a panel of this package.
"""

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from tensorfleet.explore.panel import Panel

Message = Mapping[str, Any]
EXPECTED = (ValueError, TypeError, KeyError)  # their words are meant for readers


class Sessions:
    """All panels of a page, by the id that the page gave to each."""

    def __init__(self) -> None:
        self.panels: dict[str, Panel] = {}

    def handle(self, text: str) -> str:
        """A message and its answer, both as JSON."""
        message = json.loads(text)
        answer = {"id": message["id"], "n": message.get("n")}
        try:
            panel = self._panel_after(message)
            if panel is None:
                return json.dumps(answer)
            head = json.dumps(answer | {"state": panel.state})
            return f'{head[:-1]},"scene":{panel.frame().to_json()}}}'
        except Exception as error:  # of a panel's own code: the page says it in place
            return json.dumps(answer | {"error": in_words(error)})

    def _panel_after(self, message: Message) -> Panel | None:
        """The panel of the session, when it has done what the message says."""
        name = message["id"]
        if message["do"] == "close":
            self.panels.pop(name, None)
            return None
        if message["do"] == "open":
            panel = find_panel(message["panel"])(**message["state"])
            pass_time(panel, message["after"])
            self.panels[name] = panel
        elif name not in self.panels:
            raise KeyError(f"there is no session {name!r}: it must be opened first")
        else:
            do(self.panels[name], message)
        return self.panels[name]


def do(panel: Panel, message: Message) -> None:
    """Do with a panel what a message says, but for open and close.

    Raises ValueError for a message that says nothing of this, and what the panel does.
    """
    match message["do"]:
        case "act":
            panel.act(message["name"], message.get("value"))
        case "advance":
            panel.advance(message["seconds"])
        case "work":
            panel.work()
        case "pick":
            panel.pick(message["value"])
        case "reset":
            panel.reset()
        case "show":
            pass
        case other:
            raise ValueError(
                f"the message says {other!r}: it must be act, advance, work, pick, "
                "reset or show"
            )


def find_panel(path: str) -> type[Panel]:
    """The class of the panel at "module:Class".

    Raises ValueError unless it is a panel of this package; ImportError where there is
    no such module.
    """
    module, _, name = path.partition(":")
    found = None
    if module.startswith("tensorfleet."):
        found = getattr(import_module(module), name, None)
    if not (isinstance(found, type) and issubclass(found, Panel)):
        raise ValueError(
            f"the panel is {path!r}: it must be tensorfleet.module:Class, a Panel"
        )
    return found


def pass_time(panel: Panel, seconds: float) -> None:
    """Let many seconds pass, in steps that a panel accepts."""
    while seconds > 0:
        panel.advance(min(seconds, 0.5))
        seconds -= 0.5


def in_words(error: Exception) -> str:
    """An exception as one line: what it says, with its kind where readers need that."""
    words = str(error.args[0]) if error.args else ""
    line = " ".join(words.split())
    if " " in line and isinstance(error, EXPECTED):
        return line
    return f"{type(error).__name__}: {line}" if line else type(error).__name__
