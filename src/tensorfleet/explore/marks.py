"""The marks that a picture is made of: rectangles, circles, lines, paths and words.

A mark has a *key*, by which a painter finds it again in the next frame, and a *role*,
which says what it stands for; its colour follows from that and from the page's theme. A
mark with a `pick` can be clicked, which hands this value to the panel's `pick`.

A panel makes some hundred marks twenty times a second, in a browser, so the checks are
chained comparisons (infinity and NaN fail them too), and a mark remembers what a
painter is told of it. Marks are values: who wants another makes another.
"""

from dataclasses import dataclass, field

# What a mark may stand for. Series are told apart by colour, and by nothing else that a
# painter adds, so whoever uses them writes a name beside each.
SERIES = tuple(f"series-{number}" for number in range(8))
ROLES = frozenset(
    ("ink", "muted", "grid", "surface", "accent", "good", "bad", "ghost", *SERIES)
)
ANCHORS = frozenset(("start", "middle", "end"))
PATH_LETTERS = frozenset("MLAQCZ")
FAR = 1e6  # no coordinate and no size is beyond


def check_words(name: str, value: object) -> None:
    """Raise unless `value` is text that can stand in any document."""
    if not isinstance(value, str):
        raise TypeError(f"{name} is {value!r}: it must be a string")
    if not value.isprintable():
        raise ValueError(f"{name} is {value!r}: it must be one line of printable text")


@dataclass(slots=True, kw_only=True)
class Mark:
    """What all marks share. `hint` is what a pointer, or a screen reader, is told.

    Raises ValueError for a coordinate that is not finite, a negative size, an opacity
    outside [0, 1], an unknown role, an empty key, or words of more than one line;
    TypeError for words that are no string and numbers that are none.
    """

    key: str
    role: str = "ink"
    opacity: float = 1.0
    hint: str = ""
    pick: str = ""
    told: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("key", "hint", "pick"):
            check_words(name, getattr(self, name))
        if not self.key:
            raise ValueError("a mark has an empty key: it must have one of its own")
        if self.role not in ROLES:
            raise ValueError(
                f"the role of {self.key!r} is {self.role!r}: it must be one of "
                f"{', '.join(sorted(ROLES))}"
            )
        if not 0 <= self.opacity <= 1:
            raise ValueError(
                f"the opacity of {self.key!r} is {self.opacity}: it must be from 0 to 1"
            )

    def _refuse(self, **sizes: float) -> None:
        """Say what is wrong with a number of the mark; `sizes` are not negative."""
        for name, value in sizes.items():
            if not 0 <= value < FAR:
                raise ValueError(
                    f"{name} of {self.key!r} is {value}: it must be 0 or more, and "
                    f"below {FAR:,.0f}"
                )
        raise ValueError(
            f"a coordinate of {self!r} is not finite, or beyond {FAR:,.0f}"
        )


@dataclass(slots=True, kw_only=True)
class Rect(Mark):
    """A filled rectangle; (x, y) is its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        Mark.__post_init__(self)
        at = -FAR < self.x < FAR and -FAR < self.y < FAR
        if not (at and 0 <= self.width < FAR and 0 <= self.height < FAR):
            self._refuse(width=self.width, height=self.height)


@dataclass(slots=True, kw_only=True)
class Circle(Mark):
    """A filled circle around (x, y)."""

    x: float
    y: float
    radius: float

    def __post_init__(self) -> None:
        Mark.__post_init__(self)
        at = -FAR < self.x < FAR and -FAR < self.y < FAR
        if not (at and 0 <= self.radius < FAR):
            self._refuse(radius=self.radius)


@dataclass(slots=True, kw_only=True)
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
        if not (0 <= self.stroke < FAR and all(-FAR < x < FAR for x in self.points)):
            self._refuse(stroke=self.stroke)


@dataclass(slots=True, kw_only=True)
class Path(Mark):
    """A filled outline: letters of SVG's path language, absolute, with their numbers.

    `("M", 0, 0, "L", 10, 0, "L", 5, 8, "Z")` is a triangle.
    """

    steps: tuple[str | float, ...]

    def __post_init__(self) -> None:
        Mark.__post_init__(self)
        for step in self.steps:
            if not isinstance(step, str):
                if not -FAR < step < FAR:
                    self._refuse()
            elif step not in PATH_LETTERS:
                raise ValueError(
                    f"the path {self.key!r} has {step!r}: it must be a number or "
                    f"one of {', '.join(sorted(PATH_LETTERS))}"
                )
        if self.steps[:1] != ("M",):
            raise ValueError(f"the path {self.key!r} must begin with 'M'")


@dataclass(slots=True, kw_only=True)
class Text(Mark):
    """Words at (x, y), which is the baseline at their start, middle or end."""

    x: float
    y: float
    text: str
    size: float = 12
    anchor: str = "start"

    def __post_init__(self) -> None:
        Mark.__post_init__(self)
        check_words("text", self.text)
        at = -FAR < self.x < FAR and -FAR < self.y < FAR
        if not (at and 0 <= self.size < FAR):
            self._refuse(size=self.size)
        if self.anchor not in ANCHORS:
            raise ValueError(
                f"the anchor of {self.key!r} is {self.anchor!r}: it must be start, "
                "middle or end"
            )


def words(
    key: str,
    x: float,
    y: float,
    text: str,
    role: str,
    size: float,
    anchor: str = "start",
) -> Text:
    """Text, in the order in which one thinks of it."""
    return Text(key=key, role=role, x=x, y=y, text=text, size=size, anchor=anchor)
