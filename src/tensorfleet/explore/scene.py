"""A scene: what an explorable shows at one moment, as data.

    panel.frame() → Scene → a painter in the page, in Jupyter, or `to_svg` for print

A scene is a box of fixed size with marks in it, in the order in which they are painted,
and what the box means in words: a text alternative, the figures to read, and a log.
Coordinates have their origin in the upper left corner; the box scales with the page.

Does not handle: fonts, gradients and images. A painter decides what a role looks like.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from html import escape
from math import isfinite

from tensorfleet.explore.marks import (
    Circle,
    Line,
    Mark,
    Path,
    Rect,
    Text,
    check_words,
)

Figure = int | float | str
DIGITS = 2  # of a coordinate: a hundredth of a unit is less than a pixel


class Scene:
    """Marks in a box of `width` by `height`, with words and figures for what they show.

    `alt` describes the picture, `figures` are read by people, tests and screen readers;
    `log` is shown as lines of text below. Raises ValueError for a size that is not
    positive, two marks of one key, an empty description, or a figure that is not
    finite; TypeError for a figure that is neither number nor text.
    """

    def __init__(
        self,
        width: float,
        height: float,
        marks: Iterable[Mark],
        *,
        alt: str,
        figures: Mapping[str, Figure] | None = None,
        log: Iterable[str] = (),
    ) -> None:
        for name, size in (("width", width), ("height", height)):
            if not (isfinite(size) and size > 0):
                raise ValueError(f"{name} is {size}: it must be above 0")
        if not alt:
            raise ValueError("alt is empty: it must say what the scene shows")
        log = tuple(log)
        for words in (alt, *log):
            check_words("a description or an entry of the log", words)
        self.width, self.height, self.alt = width, height, alt
        self.marks = tuple(marks)
        self.figures = dict(figures or {})
        self.log = log
        seen = set()
        for mark in self.marks:
            if mark.key in seen:
                raise ValueError(f"two marks have the key {mark.key!r}: keys differ")
            seen.add(mark.key)
        for name, value in self.figures.items():
            if isinstance(value, bool) or not isinstance(value, (int, float, str)):
                raise TypeError(
                    f"the figure {name!r} is {value!r}: it must be a number or a text"
                )
            if isinstance(value, float) and not isfinite(value):
                raise ValueError(f"the figure {name!r} is {value}: it must be finite")

    def to_dict(self) -> dict[str, object]:
        """What a painter in the browser gets; every value is one that JSON knows."""
        return {
            "width": self.width,
            "height": self.height,
            "alt": self.alt,
            "figures": self.figures,
            "log": list(self.log),
            "marks": [_to_dict(mark) for mark in self.marks],
        }

    def to_svg(self) -> str:
        """The picture as SVG, coloured by classes: `role-good`, `role-series-0` ...

        All text is escaped, so that nothing in a scene is ever markup.
        """
        box = f"0 0 {_number(self.width)} {_number(self.height)}"
        return (
            f'<svg class="explorable-scene" xmlns="http://www.w3.org/2000/svg" '
            f'viewBox="{box}" role="img" aria-label="{escape(self.alt)}">'
            f"{''.join(map(_to_svg, self.marks))}</svg>"
        )


def _to_dict(mark: Mark) -> dict[str, object]:
    """A mark without what is at its default, so that frames stay small."""
    found: dict[str, object] = {"kind": type(mark).__name__.lower()}
    for field in fields(mark):
        value = getattr(mark, field.name)
        if value != field.default:
            found[field.name] = _rounded(value)
    return found


def _rounded(value: object) -> object:
    if isinstance(value, tuple):
        return [_rounded(one) for one in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def _number(value: float) -> str:
    """`value` without needless digits: 3.0 is 3, and -0.001 is 0."""
    return f"{round(value, DIGITS) + 0:g}" if abs(value) < 1e5 else f"{value:.0f}"


def _to_svg(mark: Mark) -> str:
    attributes = {"class": f"role-{mark.role}"}
    if mark.opacity != 1:
        attributes["opacity"] = _number(mark.opacity)
    tag, words = "path", ""
    match mark:
        case Rect():
            tag = "rect"
            for name in ("x", "y", "width", "height"):
                attributes[name] = _number(getattr(mark, name))
        case Circle():
            tag = "circle"
            attributes |= {"cx": _number(mark.x), "cy": _number(mark.y)}
            attributes["r"] = _number(mark.radius)
        case Line():
            tag = "polyline"
            attributes["points"] = " ".join(map(_number, mark.points))
            attributes["stroke-width"] = _number(mark.stroke)
            if mark.dashed:
                attributes["stroke-dasharray"] = "5 4"
        case Text():
            tag, words = "text", escape(mark.text)
            attributes |= {"x": _number(mark.x), "y": _number(mark.y)}
            attributes |= {"font-size": _number(mark.size), "text-anchor": mark.anchor}
        case Path():
            attributes["d"] = " ".join(
                step if isinstance(step, str) else _number(step) for step in mark.steps
            )
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    hint = f"<title>{escape(mark.hint)}</title>" if mark.hint else ""
    return f"<{tag}{written}>{hint}{words}</{tag}>"
