"""The marks that a scene is made of: rectangles, circles, lines, paths and words.

A mark has a *key*, by which a painter finds it again in the next frame, and a *role*,
which says what it stands for; its colour follows from that and from the page's theme. A
mark with a `pick` can be clicked, which hands this value to the panel's `pick`.
"""

from dataclasses import dataclass, fields
from math import isfinite

# What a mark may stand for. Series are told apart by colour, and by nothing else that a
# painter adds, so whoever uses them writes a name beside each.
SERIES = tuple(f"series-{number}" for number in range(8))
ROLES = frozenset(
    ("ink", "muted", "grid", "surface", "accent", "good", "bad", "ghost", *SERIES)
)
ANCHORS = frozenset(("start", "middle", "end"))
PATH_LETTERS = frozenset("MLAQCZ")


def check_words(name: str, value: object) -> None:
    """Raise unless `value` is text that can stand in any document."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}: it must be a string")
    if not value.isprintable():
        raise ValueError(f"{name} is {value!r}: it must be one line of printable text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What all marks share. `hint` is what a pointer, or a screen reader, is told.

    Raises ValueError for a coordinate that is not finite, a negative size, an opacity
    outside [0, 1], an unknown role, an empty key, or words of more than one line;
    TypeError for words that are no string.
    """

    key: str
    role: str = "ink"
    opacity: float = 1.0
    hint: str = ""
    pick: str = ""

    def __post_init__(self) -> None:
        for name in ("key", "hint", "pick", "text", "anchor", "role"):
            value = getattr(self, name, "")
            check_words(name, value)
        if not self.key:
            raise ValueError("a mark has an empty key: it must have one of its own")
        if self.role not in ROLES:
            raise ValueError(
                f"the role of {self.key!r} is {self.role!r}: it must be one of "
                f"{', '.join(sorted(ROLES))}"
            )
        for field in fields(self):
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, (int, float)):
                    self._check_number(field.name, number)
        if self.opacity > 1:
            raise ValueError(
                f"the opacity of {self.key!r} is {self.opacity}: it must be 1 at most"
            )

    def _check_number(self, name: str, value: float) -> None:
        if not isfinite(value):
            raise ValueError(f"{name} of {self.key!r} is {value}: it must be finite")
        if value < 0 and name in ("width", "height", "radius", "opacity", "stroke"):
            raise ValueError(f"{name} of {self.key!r} is {value}: it must be 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rect(Mark):
    """A filled rectangle; (x, y) is its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Circle(Mark):
    """A filled circle around (x, y)."""

    x: float
    y: float
    radius: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(Mark):
    """A line through points, given as x, y, x, y ...; `stroke` is its width."""

    points: tuple[float, ...]
    stroke: float = 1.5
    dashed: bool = False

    def __post_init__(self) -> None:
        Mark.__post_init__(self)
        if len(self.points) < 4 or len(self.points) % 2:
            raise ValueError(
                f"the line {self.key!r} has {len(self.points)} coordinates: "
                "it must have two for each of two or more points"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Path(Mark):
    """A filled outline: letters of SVG's path language, absolute, with their numbers.

    `("M", 0, 0, "L", 10, 0, "L", 5, 8, "Z")` is a triangle.
    """

    steps: tuple[str | float, ...]

    def __post_init__(self) -> None:
        Mark.__post_init__(self)
        for step in self.steps:
            if isinstance(step, str) and step not in PATH_LETTERS:
                raise ValueError(
                    f"the path {self.key!r} has {step!r}: it must be a number or "
                    f"one of {', '.join(sorted(PATH_LETTERS))}"
                )
        if self.steps[:1] != ("M",):
            raise ValueError(f"the path {self.key!r} must begin with 'M'")


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(Mark):
    """Words at (x, y), which is the baseline at their start, middle or end."""

    x: float
    y: float
    text: str
    size: float = 12
    anchor: str = "start"

    def __post_init__(self) -> None:
        Mark.__post_init__(self)
        if self.anchor not in ANCHORS:
            raise ValueError(
                f"the anchor of {self.key!r} is {self.anchor!r}: it must be start, "
                "middle or end"
            )
