"""A picture: marks in a box, as SVG or as data for a painter.

Coordinates have their origin in the upper left corner; the box scales with the page.
Boxes 320 to 360 wide stay readable on a phone, and two of them fit beside each other on
a desk.

Does not handle: fonts, gradients and images. A painter decides what a role looks like.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import fields
from json.encoder import encode_basestring_ascii
from operator import attrgetter

from tensorfleet.explore.marks import (
    FAR,
    Circle,
    Line,
    Mark,
    Path,
    Rect,
    Text,
    check_words,
)

Reader = Callable[[Mark], tuple[object, ...]]
# What text must not contain to stand in SVG. (Python's `html` would bring its table of
# two thousand entities into the page.)
ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}
)
DIGITS = 2  # of a coordinate: a hundredth of a unit is less than a pixel


class Picture:
    """Marks in a box of `width` by `height`, in the order in which they are painted.

    `key` tells it from the scene's other pictures, `alt` describes it to those who
    cannot see it. Raises ValueError for a size that is not positive, two marks of one
    key, or an empty key or description; TypeError where these are no strings.
    """

    def __init__(
        self, key: str, width: float, height: float, marks: Iterable[Mark], *, alt: str
    ) -> None:
        for name, words in (("the key", key), ("the description", alt)):
            check_words(f"{name} of a picture", words)
            if not words:
                raise ValueError(f"{name} of a picture is empty: it must say something")
        for name, size in (("width", width), ("height", height)):
            if not 0 < size < FAR:
                raise ValueError(f"the {name} of {key!r} is {size}: it must be above 0")
        self.key, self.width, self.height, self.alt = key, width, height, alt
        self.marks = tuple(marks)
        self._told = ""
        keys = [mark.key for mark in self.marks]
        if len(set(keys)) < len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise ValueError(f"two marks have the key {twice!r}: keys differ")

    def to_dict(self) -> dict[str, object]:
        """What a painter in the browser gets; every value is one that JSON knows."""
        return {
            "key": self.key,
            "width": self.width,
            "height": self.height,
            "alt": self.alt,
            "marks": [_to_dict(mark) for mark in self.marks],
        }

    def to_json(self) -> str:
        """The same as JSON.

        What was in an earlier frame, a mark or all of a picture, is not written anew.
        """
        if not self._told:
            box = {"key": self.key, "width": self.width, "height": self.height}
            head = json.dumps(box | {"alt": self.alt})
            marks = ",".join([mark.told or _tell(mark) for mark in self.marks])
            self._told = f'{head[:-1]},"marks":[{marks}]}}'
        return self._told

    def to_svg(self, x: float | None = None) -> str:
        """The picture as SVG, coloured by classes: `role-good`, `role-series-0` ...

        `x` is its place in an SVG around it, where there is one. All text is escaped,
        so that nothing in a scene is ever markup.
        """
        width, height = _number(self.width), _number(self.height)
        place = ""
        if x is not None:
            place = f' x="{_number(x)}" width="{width}" height="{height}"'
        alt, marks = self.alt.translate(ESCAPES), "".join(map(_to_svg, self.marks))
        return (
            f'<svg class="explorable-picture" xmlns="http://www.w3.org/2000/svg"{place}'
            f' viewBox="0 0 {width} {height}" role="img" aria-label="{alt}">{marks}'
            "</svg>"
        )


# For each kind of mark its fields with their defaults, and what reads them all at once.
_KINDS: dict[type[Mark], tuple[str, tuple[tuple[str, object], ...], Reader]] = {
    kind: (
        kind.__name__.lower(),
        tuple((field.name, field.default) for field in fields(kind) if field.init),
        attrgetter(*(field.name for field in fields(kind) if field.init)),
    )
    for kind in (Rect, Circle, Line, Path, Text)
}


def _to_dict(mark: Mark) -> dict[str, object]:
    """A mark without what is at its default, so that frames stay small."""
    name, declared, read = _KINDS[type(mark)]
    found: dict[str, object] = {"kind": name}
    for (field, default), value in zip(declared, read(mark), strict=True):
        if value != default:
            found[field] = _rounded(value) if type(value) in (float, tuple) else value
    return found


def _tell(mark: Mark) -> str:
    """`_to_dict` as JSON, in a third of the time of going by way of a dictionary."""
    name, declared, read = _KINDS[type(mark)]
    parts = [f'{{"kind":"{name}"']
    for (field, default), value in zip(declared, read(mark), strict=True):
        if value != default:
            parts.append(f',"{field}":{_said(value)}')
    parts.append("}")
    mark.told = "".join(parts)
    return mark.told


def _said(value: object) -> str:
    """A value as JSON, its coordinates rounded."""
    kind = type(value)
    if kind is float:
        return repr(round(value, DIGITS))  # type: ignore[call-overload]
    if kind is str:
        return encode_basestring_ascii(value)  # type: ignore[arg-type]
    return repr(value) if kind is int else json.dumps(_rounded(value))


def _rounded(value: object) -> object:
    if isinstance(value, tuple):
        return [_rounded(one) for one in value]
    return round(value, DIGITS) if isinstance(value, float) else value


def _number(value: float) -> str:
    """`value` without needless digits: 3.0 is 3, and -0.001 is 0."""
    return f"{round(value, DIGITS) + 0:.{DIGITS}f}".rstrip("0").rstrip(".")


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
            # Said here too, for whoever shows it without a style sheet.
            attributes |= {"fill": "none", "stroke": "currentColor"}
            attributes["stroke-width"] = _number(mark.stroke)
            if mark.dashed:
                attributes["stroke-dasharray"] = "5 4"
        case Text():
            tag, words = "text", mark.text.translate(ESCAPES)
            attributes |= {"x": _number(mark.x), "y": _number(mark.y)}
            attributes |= {"font-size": _number(mark.size), "text-anchor": mark.anchor}
        case Path():
            attributes["d"] = " ".join(
                step if isinstance(step, str) else _number(step) for step in mark.steps
            )
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    hint = f"<title>{mark.hint.translate(ESCAPES)}</title>" if mark.hint else ""
    return f"<{tag}{written}>{hint}{words}</{tag}>"
