"""How the rungs of the ladder's explorable are drawn, each with what it reached.

Each rung has a colour, in its row and as its curve (see `ladder_fleet`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10
from textwrap import wrap

from tensorfleet.explore.marks import Circle, Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.fleet.ladder_run import BREAKS, Run, Situation, Tally
from tensorfleet.fleet.metrics import SECOND
from tensorfleet.router.ladder import RUNGS

WIDTH, HEIGHT = 340, 352
NAMES = tuple(RUNGS)
TOP, ROW = 24, 34  # of the rows of rungs
COLUMNS = {"good": 152, "p99 TTFT": 208, "hits": 264, "compared": 334}
WANTED = 99  # percent: below it the share of good requests is shown as bad
LETTERS = 50  # of a line of text, at size 12
LOWEST, HIGHEST = 0.03, 60.0  # seconds, of the curves


@dataclass(frozen=True, slots=True)
class Result:
    """What a rung has reached: its tally, and its curve: seconds, log10 of waits."""

    tally: Tally
    points: Sequence[tuple[float, float]]


def height(wait: float) -> float:
    """Where a wait in seconds stands on the axis."""
    return log10(min(max(wait, LOWEST), HIGHEST))


def result_of(run: Run) -> Result:
    """What the run has reached so far."""
    bin_ns = run.situation.bin * SECOND
    points = [
        ((place + 0.5) * run.situation.bin, height(wait / SECOND))
        for place, wait in enumerate(run.slowest[: run.simulation.now // bin_ns])
        if wait
    ]
    return Result(run.tally, points)


def role(rung: str) -> str:
    return f"series-{NAMES.index(rung)}"


def percent(part: int, whole: int) -> float:
    return round(100 * part / whole, 1)


def seconds(milliseconds: int | None) -> str:
    """A time in words short enough for a table."""
    if milliseconds is None:
        return "–"
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    return f"{milliseconds / 1000:.1f} s"


# --- the rungs -------------------------------------------------------------------


def rungs_picture(
    rung: str,
    name: str,
    situation: Situation,
    results: Mapping[str, Result],
    progress: float,
) -> Picture:
    """A row for each rung, the first at the bottom; then what is happening, and why."""
    watched = {BREAKS[other].watch for other in broken_by(name)}
    marks: list[Mark] = []
    for title, x in COLUMNS.items():
        tone = "accent" if title in watched else "muted"
        marks.append(words(f"head {title}", x, 16, title, tone, 11, "end"))
    for number, other in enumerate(NAMES):
        y = TOP + (len(NAMES) - 1 - number) * ROW
        marks += _row(other, y, results.get(other), other == rung)
    here = TOP + (len(NAMES) - 1 - NAMES.index(rung)) * ROW
    marks += [
        Rect(key="here", role="accent", x=0, y=here, width=4, height=ROW - 4),
        Rect(
            key="progress",
            role="accent",
            x=0,
            y=here + ROW - 7,
            width=WIDTH * min(progress, 1.0),
            height=3,
            hint=f"{round(100 * min(progress, 1.0))}% of the run is over",
        ),
    ]
    y = TOP + len(NAMES) * ROW + 18
    marks.append(words("situation", 0, y, name.capitalize(), "ink", 14))
    for number, line in enumerate(wrap(explanation(rung, name, situation), LETTERS)):
        marks.append(words(f"why {number}", 0, y + 20 + number * 17, line, "ink", 12))
    reached = ", ".join(
        f"{other} {percent(result.tally.good, result.tally.ended):g}%"
        for other, result in results.items()
        if result.tally.ended
    )
    return Picture(
        "rungs",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"The ladder on {name}; the fleet runs {rung}. Good requests so far: "
        f"{reached or 'none has ended yet'}.",
    )


def explanation(rung: str, name: str, situation: Situation) -> str:
    """What the situation is, and what it does to the rung."""
    broken = broken_by(name)
    if not broken:
        return f"{situation.what} Every rung bears it. Press “break this rung”."
    if rung in broken:
        watch = f"Watch “{BREAKS[rung].watch}”."
        return f"{situation.what} It breaks {rung}: {BREAKS[rung].why} {watch}"
    return f"{situation.what} It breaks {' and '.join(broken)}. What does {rung} do?"


def broken_by(name: str) -> list[str]:
    """The rungs that the situation of this name breaks."""
    return [rung for rung in NAMES if BREAKS[rung].situation == name]


def _row(rung: str, y: float, result: Result | None, is_here: bool) -> list[Mark]:
    tally = result.tally if result else None
    cells: dict[str, tuple[str, str]] = {}
    hint = f"{rung}: not run here yet; click to run it"
    if tally is not None and tally.ended:
        good = percent(tally.good, tally.ended)
        hits = percent(tally.hits, tally.placed)
        compared = percent(tally.compared, tally.ended)
        cells = {
            "good": (f"{good:g}%", "good" if good >= WANTED else "bad"),
            "p99 TTFT": (seconds(tally.ttft_p99_ms), "ink"),
            "hits": (f"{hits:g}%", "ink"),
            "compared": (f"{compared:g}%", "ink"),
        }
        hint = (
            f"{rung}: {good:g}% good, p99 TTFT {seconds(tally.ttft_p99_ms)}, "
            f"{hits:g}% found their adapter, {len(tally.loads)} loads waited for, "
            f"{compared:g}% of decisions compared costs; click to run it again"
        )
    middle = y + (ROW - 4) / 2 + 4
    return [
        Rect(
            key=f"row {rung}",
            role="grid" if is_here else "surface",
            x=0,
            y=y,
            width=WIDTH,
            height=ROW - 4,
            hint=hint,
            pick=rung,
        ),
        Circle(key=f"colour {rung}", role=role(rung), x=14, y=middle - 4, radius=5),
        words(f"name {rung}", 24, middle, rung, "ink", 13),
        *(
            words(f"{title} {rung}", COLUMNS[title], middle, text, tone, 12, "end")
            for title, (text, tone) in cells.items()
        ),
    ]
