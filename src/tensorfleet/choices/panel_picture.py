"""One side of the choices explorable: bins as columns, balls above them, a histogram.

Above, a column for each bin, and balls that fall towards them. Below, how many bins
hold 0, 1, 2 ... balls. Both sides share one scale, so that they can be compared.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tensorfleet.explore.marks import Circle, Mark, Rect, Text
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes

WIDTH, HEIGHT = 340, 372
LEFT, ACROSS = 32, 300
TOP, TALL = 58, 160  # of the columns
UNDER, LOW = 282, 50  # of the histogram
HEIGHTS = (6, 8, 10, 15, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500, 1000)


@dataclass(frozen=True, slots=True)
class Side:
    """What is to be drawn of one side.

    `air` holds the bins of balls that fall, `looked` the bins that the last ball looked
    at, with the loads that it went by, and `taken` is the one that it took; `thrown` is
    that ball's number.
    """

    name: str
    landed: Sequence[int]
    reported: Sequence[int]
    air: Sequence[int]
    looked: Sequence[tuple[int, int]]
    taken: int
    thrown: int


@dataclass(frozen=True, slots=True)
class Scale:
    """The tops of both axes: balls in a bin, and bins with as many."""

    balls: int
    bins: int

    @classmethod
    def of(cls, sides: Sequence[Sequence[int]]) -> "Scale":
        """One that fits all sides, with room above."""
        fullest = max(max(counts) for counts in sides)
        most = max(max(Counter(counts).values()) for counts in sides)
        return cls(
            next(height for height in HEIGHTS if height > fullest),
            next(height for height in HEIGHTS if height >= most),
        )


def draw_side(side: Side, scale: Scale, falls: Sequence[float]) -> Picture:
    """The picture of one side; `falls` says how far each ball in the air has come."""
    num_bins, balls, fullest = len(side.landed), sum(side.landed), max(side.landed)
    axes = Axes("bins", LEFT, TOP, ACROSS, TALL, (0, num_bins), (0, scale.balls))
    empty = sum(load == 0 for load in side.landed)
    return Picture(
        side.name,
        WIDTH,
        HEIGHT,
        [
            Text(key="name", x=6, y=17, text=side.name.capitalize(), size=14),
            Text(
                key="fullest",
                x=LEFT + ACROSS,
                y=17,
                text=f"fullest {fullest}, mean {balls / num_bins:.1f}",
                size=13,
                anchor="end",
            ),
            *_legend(side),
            *axes.frame("", "balls in each bin", x_ticks=()),
            *_columns(side, axes),
            *_levels(side, axes),
            *_balls(side, axes, falls),
            *_looks(side, axes),
            *_histogram(side, scale),
        ],
        alt=f"{balls} balls in {num_bins} bins, {side.name}: the fullest bin holds "
        f"{fullest}, {empty} are empty, and {len(side.air)} balls are falling.",
    )


def _legend(side: Side) -> list[Mark]:
    """What dashes mean, and colours of columns where there is more than one."""
    marks: list[Mark] = [
        Text(
            key="dashes",
            role="muted",
            x=LEFT + ACROSS,
            y=34,
            text="dashes: fullest and mean",
            anchor="end",
        )
    ]
    if list(side.landed) == list(side.reported):
        return marks
    for x, role, words in ((6, "series-0", "reported"), (84, "series-1", "since then")):
        marks += [
            Rect(key=f"legend {role}", role=role, x=x, y=25, width=10, height=10),
            Text(key=f"words {role}", role="muted", x=x + 14, y=34, text=words),
        ]
    return marks


def _columns(side: Side, axes: Axes) -> list[Mark]:
    """Each bin's balls: those that the last report knew, and those it did not."""
    marks: list[Mark] = []
    wide = ACROSS / len(side.landed) * 0.84
    unit = TALL / axes.y_range[1]
    for place, load in enumerate(side.landed):
        known = side.reported[place]
        x, hint = axes.x(place + 0.08), f"bin {place}: {load} balls"
        if known < load:
            hint += f", {known} when last reported"
            marks.append(
                Rect(
                    key=f"since {place}",
                    role="series-1",
                    x=x,
                    y=axes.y(load),
                    width=wide,
                    height=(load - known) * unit,
                    hint=hint,
                )
            )
        marks.append(
            Rect(
                key=f"bin {place}",
                role="series-0",
                x=x,
                y=axes.y(known),
                width=wide,
                height=known * unit,
                hint=hint,
            )
        )
    return marks


def _levels(side: Side, axes: Axes) -> list[Mark]:
    """Dashed lines at the fullest bin and at the mean."""
    fullest, mean = max(side.landed), sum(side.landed) / len(side.landed)
    return [
        axes.level("mean", mean, f"the mean: {mean:.2f} balls", "ink"),
        axes.level("fullest", fullest, f"the fullest bin holds {fullest}"),
    ]


def _balls(side: Side, axes: Axes, falls: Sequence[float]) -> list[Mark]:
    """Balls in the air, from the top to their bin, ever faster."""
    radius = min(5.0, max(2.0, ACROSS / len(side.landed) / 2))
    first = side.thrown - len(side.air) + 1
    marks: list[Mark] = []
    for number, (place, fall) in enumerate(zip(side.air, falls, strict=True), first):
        floor = axes.y(side.landed[place]) - radius
        marks.append(
            Circle(
                key=f"ball {number}",
                role="accent",
                x=axes.x(place + 0.5),
                y=TOP + (floor - TOP) * fall * fall,
                radius=radius,
                hint=f"ball {number} falls into bin {place}",
            )
        )
    return marks


def _looks(side: Side, axes: Axes) -> list[Mark]:
    """Below the bins, where the ball that was thrown last looked, and which it took."""
    bottom = TOP + TALL
    if not side.looked:
        return []
    words = f"ball {side.thrown} looked at the dots and took the large one"
    if len(side.looked) == 1:
        words = f"ball {side.thrown} took the dot"
    marks: list[Mark] = [
        Text(
            key="looked",
            role="muted",
            x=LEFT + ACROSS,
            y=bottom + 26,
            text=words,
            anchor="end",
        )
    ]
    for place, load in side.looked:
        took = place == side.taken
        hint = f"ball {side.thrown} saw {load} balls in bin {place}"
        marks.append(
            Circle(
                key=f"look {side.thrown} {place}",
                role="ink" if took else "muted",
                opacity=1.0 if took else 0.5,
                x=axes.x(place + 0.5),
                y=bottom + 8,
                radius=5 if took else 3,
                hint=hint + (", and fell into it" if took else ""),
            )
        )
    return marks


def _histogram(side: Side, scale: Scale) -> list[Mark]:
    """How many bins hold 0, 1, 2 ... balls."""
    exactly = Counter(side.landed)
    across = (-0.5, scale.balls + 0.5)
    axes = Axes("held", LEFT, UNDER, ACROSS, LOW, across, (0, scale.bins))
    step = max(1, scale.balls // 10)
    marks = [
        *axes.frame(
            "balls in a bin",
            "bins with so many",
            x_ticks=[(n, f"{n}") for n in range(0, scale.balls + 1, step)],
            y_ticks=[(0, "0"), (scale.bins, f"{scale.bins}")],
        )
    ]
    hint = "{count} bins hold {place} balls"
    return [*marks, *axes.histogram(exactly, hint, role="series-2")]
