"""Axes with lines, bars and histograms in them, as marks.

    axes = Axes("ttft", 40, 10, 260, 120, (0, 60), (0, 500))
    marks = [*axes.frame("time (s)", "TTFT (ms)"), axes.line("p99", times, values)]

Does not handle: logarithmic axes. Give it logarithms, and ticks with the numbers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10

from tensorfleet.explore.marks import Line, Mark, Rect, Text

SMALL = 11  # the size of words at an axis
Tick = tuple[float, str]


def ticks(low: float, high: float, most: int = 5) -> list[Tick]:
    """At most `most` round numbers from `low` to `high`, with their names.

    Raises ValueError unless low < high and most is 2 or more.
    """
    if not low < high:
        raise ValueError(f"an axis from {low} to {high}: it must begin below its end")
    if most < 2:
        raise ValueError(f"most is {most}: an axis has two ticks or more")
    power = floor(log10((high - low) / most))
    step = next(
        step
        for step in (10.0**power * factor for factor in (1, 2, 5, 10, 20))
        if floor(high / step) - floor(-(-low // step)) < most
    )
    first, last = -floor(-low / step), floor(high / step)
    digits = max(0, -floor(log10(step)))
    return [(n * step, f"{n * step:,.{digits}f}") for n in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Axes:
    """A rectangle of a picture in which data are drawn; keys begin with `key`.

    (left, top) is its upper left corner. What lies outside of `x_range` and `y_range`
    is drawn at the edge. Raises ValueError for a range that is empty.
    """

    key: str
    left: float
    top: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]

    def __post_init__(self) -> None:
        for name, (low, high) in (("x", self.x_range), ("y", self.y_range)):
            if not low < high:
                raise ValueError(
                    f"the {name}-axis of {self.key!r} goes from {low} to {high}: it "
                    "must begin below its end"
                )

    def x(self, value: float) -> float:
        """The place of `value` from left to right."""
        low, high = self.x_range
        return self.left + self.width * min(max((value - low) / (high - low), 0), 1)

    def y(self, value: float) -> float:
        """The place of `value` from the top down."""
        low, high = self.y_range
        share = min(max((value - low) / (high - low), 0), 1)
        return self.top + self.height * (1 - share)

    def frame(
        self,
        x_label: str,
        y_label: str,
        *,
        x_ticks: Sequence[Tick] | None = None,
        y_ticks: Sequence[Tick] | None = None,
    ) -> list[Mark]:
        """Grid, ticks and labels. The label of y stands above its axis."""
        bottom, right = self.top + self.height, self.left + self.width
        marks: list[Mark] = []
        for value, name in ticks(*self.y_range, 4) if y_ticks is None else y_ticks:
            y = self.y(value)
            marks += [
                Line(
                    key=f"{self.key} y line {name}",
                    role="grid",
                    points=(self.left, y, right, y),
                    stroke=1,
                ),
                self._words(f"y {name}", self.left - 5, y + 4, name, "end"),
            ]
        for value, name in ticks(*self.x_range) if x_ticks is None else x_ticks:
            place = self.x(value)
            marks.append(self._words(f"x {name}", place, bottom + 14, name, "middle"))
        return [
            *marks,
            Line(
                key=f"{self.key} axis",
                role="muted",
                points=(self.left, bottom, right, bottom),
                stroke=1,
            ),
            self._words("x label", right, bottom + 28, x_label, "end"),
            self._words("y label", self.left, self.top - 7, y_label, "start"),
        ]

    def line(
        self,
        name: str,
        xs: Iterable[float],
        ys: Iterable[float],
        *,
        role: str = "accent",
        stroke: float = 2,
        dashed: bool = False,
        hint: str = "",
    ) -> Line:
        """A line through two or more points."""
        points = [
            place
            for x, y in zip(xs, ys, strict=True)
            for place in (self.x(x), self.y(y))
        ]
        return Line(
            key=f"{self.key} {name}",
            role=role,
            points=tuple(points),
            stroke=stroke,
            dashed=dashed,
            hint=hint,
        )

    def level(self, name: str, value: float, words: str, role: str = "bad") -> Line:
        """A dashed line across, at the height of `value`; `words` are its hint."""
        across = self.x_range
        return self.line(
            name, across, (value, value), role=role, dashed=True, hint=words
        )

    def bar(
        self,
        name: str,
        begin: float,
        end: float,
        value: float,
        *,
        role: str = "accent",
        hint: str = "",
        pick: str = "",
    ) -> Rect:
        """A bar from 0 up to `value`, from `begin` to `end` along x."""
        top = self.y(value)
        return Rect(
            key=f"{self.key} {name}",
            role=role,
            x=self.x(begin),
            y=top,
            width=self.x(end) - self.x(begin),
            height=self.top + self.height - top,
            hint=hint,
            pick=pick,
        )

    def histogram(
        self, counts: Mapping[int, int], hint: str, *, role: str = "accent"
    ) -> list[Mark]:
        """A bar around each number of x; `hint` names {place} and {count}."""
        return [
            self.bar(
                f"bar {place}",
                place - 0.4,
                place + 0.4,
                count,
                role=role,
                hint=hint.format(place=place, count=count),
            )
            for place, count in sorted(counts.items())
        ]

    def _words(self, name: str, x: float, y: float, text: str, anchor: str) -> Text:
        return Text(
            key=f"{self.key} {name}",
            role="muted",
            x=x,
            y=y,
            text=text,
            size=SMALL,
            anchor=anchor,
        )
