"""An explorable as HTML: a still picture with all that a page needs to make it live.

It is what print shows, what readers without JavaScript see, and what `web/host.mjs`
finds in a page. The element carries `data-explorable` (module:Class), `data-status`
("static" until it starts) and `data-figures` (the figures of the frame shown, as JSON).
"""

import json
from dataclasses import asdict
from html import escape

from tensorfleet.explore.panel import Control, Panel, Value
from tensorfleet.explore.session import pass_time


def describe(panel: Panel) -> dict[str, object]:
    """The panel's declarations and settings, for a painter."""
    return {
        "title": panel.title,
        "moves": panel.moves,
        "controls": [_control(control) for control in panel.controls],
        "state": panel.state,
    }


def to_html(
    kind: type[Panel],
    state: dict[str, Value] | None = None,
    *,
    after: float = 0,
    name: str = "explorable",
) -> str:
    """The panel with the settings `state`, as it is when `after` seconds have passed.

    `name` becomes the element's id, by which a link to it begins. Raises what the
    panel raises for its settings.
    """
    panel = kind(**(state or {}))
    # As told, not as set: the page opens the panel with these.
    told = describe(panel) | {"after": after}
    pass_time(panel, after)
    scene = panel.frame()
    pictures = "".join(picture.to_svg() for picture in scene.pictures)
    path = f"{kind.__module__}:{kind.__qualname__}"
    return (
        f'<div class="explorable" id="{escape(name)}" data-explorable="{escape(path)}" '
        f'data-status="static" data-figures="{_json(scene.figures)}" '
        f'data-description="{_json(told)}">'
        f'<div class="explorable-pictures">{pictures}</div>'
        "</div>"
    )


def _control(control: Control) -> dict[str, object]:
    return {"kind": type(control).__name__.lower(), **asdict(control)}


def _json(value: object) -> str:
    return escape(json.dumps(value, ensure_ascii=False, allow_nan=False))
