"""The pictures of the loss explorable: softmax as columns, the gradient with its signs.

Below each column stand its word and its numbers, so that they are read without a
pointer and never meet the columns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tensorfleet.explore.marks import Line, Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes
from tensorfleet.loss.example import WORDS

WIDTH, HEIGHT = 340, 318
LEFT, ACROSS, TOP, TALL = 44, 290, 60, 172
TABLE = TOP + TALL + 20  # the baseline of the words below the columns
LINE = 19  # from one row of the table to the next


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be drawn: a number for each word, and the number of the target.

    `listed` is empty where nothing is listed; `reach` is where the gradient's axis
    ends, up and down.
    """

    probabilities: Sequence[float]
    wanted: Sequence[float]
    gradient: Sequence[float]
    reach: int
    listed: Sequence[float]
    target: int


def shown(value: float) -> str:
    """Three decimals, or powers of ten where the number is large."""
    return f"{value:.3f}" if value < 10_000 else f"{value:.1e}"


def draw_softmax(look: Look) -> Picture:
    """A column for the probability of each word, a line where the target wants it."""
    axes = Axes("p", LEFT, TOP, ACROSS, TALL, (0, len(WORDS)), (0, 1))
    levels = [(level, f"{level:g}") for level in (0, 0.25, 0.5, 0.75, 1)]
    marks = _paper(axes, levels, "Softmax of the logits", "line: what the target wants")
    for number, (word, p, y) in enumerate(
        zip(WORDS, look.probabilities, look.wanted, strict=True)
    ):
        marks.append(
            axes.bar(
                f"bar {number}",
                number + 0.24,
                number + 0.76,
                p,
                role="good" if number == look.target else "series-0",
                hint=f"{word} has p = {shown(p)}; click to make it the target",
                pick=f"{number}",
            )
        )
        if look.listed:
            listed = look.listed[number]
            marks.append(
                axes.bar(
                    f"listed {number}",
                    number + 0.14,
                    number + 0.86,
                    listed,
                    role="ghost",
                    hint=f"the notes list {listed:.2f} for {word}",
                )
            )
        marks.append(
            axes.line(
                f"wanted {number}",
                (number + 0.08, number + 0.92),
                (y, y),
                role="ink",
                hint=f"the target wants {shown(y)} of {word}",
            )
        )
    marks += _row(axes, 0, "", WORDS, look.target)
    marks += _row(axes, 1, "p", map(shown, look.probabilities), look.target)
    marks += _row(axes, 2, "y", map(shown, look.wanted), look.target)
    if look.listed:
        listed_words = (f"{p:.2f}" for p in look.listed)
        marks += _row(axes, 3, "notes", listed_words, look.target)
    pairs = zip(WORDS, look.probabilities, strict=True)
    alt = ", ".join(f"{word} {shown(p)}" for word, p in pairs)
    target = f"The target is {WORDS[look.target]}."
    return Picture("softmax", WIDTH, HEIGHT, marks, alt=f"Softmax: {alt}. {target}")


def draw_gradient(look: Look) -> Picture:
    """A column up for each logit that is too high, down for one that is too low."""
    ends = (-look.reach, look.reach)
    axes = Axes("g", LEFT, TOP, ACROSS, TALL, (0, len(WORDS)), ends)
    levels = [(share * look.reach, f"{share * look.reach:g}") for share in (-1, 0, 1)]
    title = "Gradient of the loss, (p − y) / T"
    marks = _paper(axes, levels, title, "up: lower this logit; down: raise it")
    middle = axes.y(0)
    for number, (word, slope) in enumerate(zip(WORDS, look.gradient, strict=True)):
        end = axes.y(slope)
        advice = "raise" if slope < 0 else "lower"
        marks.append(
            Rect(
                key=f"slope {number}",
                role="good" if slope < 0 else "bad",
                x=axes.x(number + 0.24),
                y=min(end, middle),
                width=axes.x(0.76) - axes.x(0.24),
                height=abs(end - middle),
                hint=f"the loss grows by {slope:.3f} for each unit of the logit of "
                f"{word}: {advice} it",
            )
        )
    zero = (LEFT, middle, LEFT + ACROSS, middle)
    marks.append(Line(key="zero", role="muted", points=zero, stroke=1))
    slopes = [f"{slope:+.3f}" for slope in look.gradient]
    marks += _row(axes, 0, "", WORDS, look.target)
    marks += _row(axes, 1, "", slopes, look.target)
    alt = ", ".join(f"{word} {s}" for word, s in zip(WORDS, slopes, strict=True))
    return Picture("gradient", WIDTH, HEIGHT, marks, alt=f"Gradient: {alt}.")


def _paper(
    axes: Axes, levels: Sequence[tuple[float, str]], title: str, below: str
) -> list[Mark]:
    """The title, a line that says how to read it, and a grid with its numbers."""
    marks: list[Mark] = [
        words("title", 6, 18, title, "ink", 14),
        words("legend", 6, 38, below, "muted", 12),
    ]
    for level, name in levels:
        y = axes.y(level)
        across = (LEFT, y, LEFT + ACROSS, y)
        marks += [
            Line(key=f"grid {name}", role="grid", points=across, stroke=1),
            words(f"level {name}", LEFT - 6, y + 4, name, "muted", 11, "end"),
        ]
    return marks


def _row(
    axes: Axes, row: int, name: str, texts: Iterable[str], target: int
) -> list[Mark]:
    """A row of the table below the columns; the target's entries stand out."""
    y = TABLE + row * LINE
    marks: list[Mark] = [
        words(
            f"entry {row} {number}",
            axes.x(number + 0.5),
            y,
            text,
            "good" if number == target else "ink" if row == 0 else "muted",
            12,
            "middle",
        )
        for number, text in enumerate(texts)
    ]
    if name:
        marks.append(words(f"row {row}", 6, y, name, "muted", 12))
    if row == 0:
        x = axes.x(target + 0.5)
        underline = (x - 26, y + 4, x + 26, y + 4)
        hint = f"the target is {WORDS[target]}"
        marks.append(Line(key="target", role="good", points=underline, hint=hint))
    return marks
