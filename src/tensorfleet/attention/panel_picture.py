"""How the attention explorable draws the terms of a step: as shares, at every length.

The terms are stacked, for sequences from 64 tokens to a million; a dashed line marks
the length that is set, dots above mark where attention overtakes the matrices.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log2

from tensorfleet.attention.panel_amounts import amount, percent
from tensorfleet.attention.panel_terms import (
    CACHE,
    FEED_FORWARD,
    OUTPUT,
    QKV,
    SCORES,
    VOCABULARY,
    Step,
)
from tensorfleet.explore.marks import Circle, Mark, Path, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes

WIDTH, HEIGHT = 340, 388
SHORTEST, LONGEST = 6, 20  # tokens, as powers of 2
LEFT, ACROSS = 38, 292
TOP, TALL = 68, 134
ROWS = 262  # where the table of terms begins
ROLES = {
    QKV: "series-0",
    OUTPUT: "series-1",
    FEED_FORWARD: "series-2",
    VOCABULARY: "muted",
    SCORES: "series-4",
    CACHE: "series-3",
}
EQUAL = {
    QKV: "attention equals Q, K, V",
    OUTPUT: "attention equals these and output",
    FEED_FORWARD: "attention equals all of the layers",
    VOCABULARY: "the cache equals the weights",
}
TICKS = tuple(
    (power, name)
    for power, name in ((6, "64"), (10, "1,024"), (14, "16,384"), (18, "262,144"))
)


@dataclass(frozen=True, slots=True)
class Bands:
    """The shares of all terms at every length that is drawn, from the bottom up."""

    powers: Sequence[float]
    tops: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, step: Step) -> "Bands":
        powers = [half / 2 for half in range(2 * SHORTEST, 2 * LONGEST + 1)]
        tops: dict[str, list[float]] = {name: [] for name in step.terms(1)}
        for power in powers:
            terms = step.terms(round(2**power))
            total, below = sum(terms.values()), 0
            for name, term in terms.items():
                below += term
                tops[name].append(below / total)
        return cls(powers, tops)


def shares_picture(step: Step) -> Picture:
    """What a step consists of, at every length and at that which is set."""
    what, unit = "operations", "FLOP"
    if step.stage == "decode":
        what, unit = "bytes read", "B"
    axes = Axes("shares", LEFT, TOP, ACROSS, TALL, (SHORTEST, LONGEST), (0, 1))
    terms, crossovers = step.terms(step.tokens), step.crossovers()
    total = sum(terms.values())
    largest = max(terms, key=lambda name: terms[name])
    marks: list[Mark] = [
        words("model", 4, 17, step.shape.name, "ink", 14),
        words("stage", 4, 34, described(step), "ink", 12),
        *_beyond(step),
        *axes.frame(
            "tokens in each sequence",
            f"share of {what}",
            x_ticks=TICKS,
            y_ticks=((0, "0"), (0.5, "50%"), (1, "100%")),
        ),
        *_bands(Bands.of(step), axes),
        axes.line(
            "here",
            (log2(step.tokens),) * 2,
            (0, 1),
            role="ink",
            dashed=True,
            hint=f"{step.tokens:,} tokens",
        ),
        *_dots(crossovers, axes),
        *_table(terms, total, unit),
        *_equal(crossovers),
    ]
    return Picture(
        "shares",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"{step.shape.name}, {described(step)}. Of {what}, {amount(total, unit)}, "
        + ", ".join(f"{name} {percent(n, total)}%" for name, n in terms.items())
        + f". The largest term is {largest}.",
    )


def described(step: Step) -> str:
    """The stage and its lengths in a line."""
    many = f", {step.sequences} sequences" if step.sequences > 1 else ""
    if step.stage == "decode":
        return f"decode: token {step.tokens:,}{many}"
    return f"{step.stage}: {step.tokens:,} tokens{many}"


def _beyond(step: Step) -> list[Mark]:
    """A line where a model has learned fewer positions than there are tokens."""
    if not 0 < step.shape.positions < step.tokens:
        return []
    said = f"more than its {step.shape.positions:,} positions"
    return [words("beyond", 4, 49, said, "muted", 12)]


def _bands(bands: Bands, axes: Axes) -> list[Mark]:
    """All that is below a term's top, each over the one above it."""
    places = [axes.x(power) for power in bands.powers]
    bottom, marks = axes.y(0), list[Mark]()
    for name, tops in reversed(list(bands.tops.items())):
        steps: list[str | float] = ["M", places[0], bottom]
        for x, share in zip(places, tops, strict=True):
            steps += ("L", x, axes.y(share))
        steps += ("L", places[-1], bottom, "Z")
        marks.append(
            Path(key=f"band {name}", role=ROLES[name], steps=tuple(steps), hint=name)
        )
    return marks


def _dots(crossovers: Mapping[str, Fraction], axes: Axes) -> list[Mark]:
    """Where attention overtakes, on the upper edge, if that is within the plot."""
    return [
        Circle(
            key=f"equal {name}",
            role=ROLES[name],
            x=axes.x(log2(tokens)),
            y=TOP,
            radius=4.5,
            hint=f"{EQUAL[name]} at {round(tokens):,} tokens",
        )
        for name, tokens in crossovers.items()
        if 2**SHORTEST <= tokens <= 2**LONGEST
    ]


def _table(terms: Mapping[str, int], total: int, unit: str) -> list[Mark]:
    """A row for each term, the topmost band first."""
    marks: list[Mark] = []
    for row, (name, term) in enumerate(reversed(list(terms.items()))):
        y = ROWS + 16 * row
        marks += [
            Rect(
                key=f"swatch {name}",
                role=ROLES[name],
                x=4,
                y=y - 9,
                width=10,
                height=10,
            ),
            words(f"term {name}", 20, y, name, "ink", 12),
            words(f"size {name}", 250, y, amount(term, unit), "ink", 12, "end"),
            words(
                f"share {name}",
                WIDTH - 6,
                y,
                f"{percent(term, total)}%",
                "ink",
                12,
                "end",
            ),
        ]
    return marks


def _equal(crossovers: Mapping[str, Fraction]) -> list[Mark]:
    """The crossovers in words, below the table."""
    marks: list[Mark] = []
    for row, (name, tokens) in enumerate(crossovers.items()):
        y = 352 + 16 * row
        marks += [
            Circle(key=f"key {name}", role=ROLES[name], x=9, y=y - 4, radius=4.5),
            words(f"equal words {name}", 20, y, EQUAL[name], "muted", 12),
            words(
                f"equal at {name}",
                WIDTH - 6,
                y,
                f"at {round(tokens):,}",
                "muted",
                12,
                "end",
            ),
        ]
    return marks
