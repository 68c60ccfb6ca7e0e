"""Circles with positions on them: points and arcs, clockwise from the top."""

from dataclasses import dataclass
from math import cos, pi, sin

from tensorfleet.explore.marks import Line

STEP = 1 / 120  # of a turn: the longest straight piece of an arc


@dataclass(frozen=True, slots=True)
class Ring:
    """A circle around (x, y). Positions are in turns: 0.25 is three o'clock."""

    x: float
    y: float
    radius: float

    def at(self, turn: float, inwards: float = 0) -> tuple[float, float]:
        """The point at a position, `inwards` units inside of the circle."""
        angle, radius = 2 * pi * turn, self.radius - inwards
        return self.x + radius * sin(angle), self.y - radius * cos(angle)

    def arc(
        self,
        key: str,
        begin: float,
        end: float,
        *,
        role: str = "accent",
        stroke: float = 9,
        hint: str = "",
    ) -> Line:
        """The circle from `begin` to `end`, which is at most a turn further.

        Raises ValueError if it is not.
        """
        if not 0 <= end - begin <= 1:
            raise ValueError(f"the arc {key!r} goes from {begin} to {end}")
        steps = max(1, round((end - begin) / STEP))
        points = [
            place
            for step in range(steps + 1)
            for place in self.at(begin + (end - begin) * step / steps)
        ]
        return Line(key=key, role=role, points=tuple(points), stroke=stroke, hint=hint)
