"""The second picture of the explorable of one instance: pauses, and what they bought.

Above, the longest gap between two tokens of a request, over the same time as in the
first picture. Below, for each of the last newcomers, how long its first token took and
the longest gap of the others meanwhile.
"""

from collections.abc import Iterable

from tensorfleet.explore.marks import Mark, Rect
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes
from tensorfleet.fleet.instance_bench import Bench, Entry
from tensorfleet.fleet.instance_lanes import Newcomer
from tensorfleet.fleet.instance_panel_gantt import (
    AGO,
    HEIGHT,
    LEFT,
    PROMPT,
    RIGHT,
    TOKEN,
    WIDTH,
    WINDOW,
    in_ms,
    past_gaps,
    words_at,
)
from tensorfleet.fleet.machines import MILLISECOND

TOPS = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000)  # ms: where the axis may end


def pauses(bench: Bench, sent: Iterable[Newcomer]) -> Picture:
    """The longest time between tokens over time; below it the last newcomers."""
    now, gaps, newest_first = bench.now, past_gaps(bench), list(sent)[::-1]
    longest = max((end - begin for begin, end in gaps), default=0)
    top = next((t for t in TOPS if longest <= t * MILLISECOND), TOPS[-1])
    axes = Axes("gap", LEFT, 28, RIGHT - LEFT, 112, (now - WINDOW, now), (0, top))
    ticks = [
        (
            now - ago * MILLISECOND,
            f"{ago} ms ago" if ago == AGO[0] else f"{ago or 'now'}",
        )
        for ago in AGO
    ]
    marks = axes.frame("", "longest gap between two tokens (ms)", x_ticks=ticks)
    if gaps:
        marks.append(_steps(axes, gaps, now))
    marks += _table(newest_first)
    told = "; ".join(map(_told_of, newest_first)) or "none has come"
    return Picture(
        "pauses",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"Above, the longest gap between two tokens of a request, at most "
        f"{in_ms(longest)} ms. Below, newcomers: {told}.",
    )


def _steps(axes: Axes, gaps: list[tuple[int, int]], now: int) -> Mark:
    """A step for each gap; those that follow each other and look alike are one."""
    xs: list[int] = []
    ys: list[float] = []
    for begin, end in gaps:
        height = in_ms(end - begin)
        if ys and end == now:
            # The gap that goes on counts once it is longer than the one before.
            height = max(height, ys[-1])
        if ys and ys[-1] == height:
            xs[-1] = end
        else:
            xs += (begin, end)
            ys += (height, height)
    words = "the longest gap between two tokens of a request, at each moment"
    return axes.line("line", xs, ys, role=TOKEN, hint=words)


def _table(newest_first: list[Newcomer]) -> list[Mark]:
    """For each newcomer how long its first token took, and what it cost the others."""
    y = 190
    marks: list[Mark] = [
        words_at("head kind", 4, y, "newcomer"),
        words_at("head first", 104, y, "its first token after"),
        words_at("head stall", 232, y, "others' longest gap"),
    ]
    read = [one.entry for one in newest_first if one.entry.flight.first_token >= 0]
    longest = max((max(_waited(entry), entry.stall) for entry in read), default=1)
    for row, newcomer in enumerate(newest_first, 1):
        number, y = newcomer.entry.flight.request.id, 190 + row * 25
        marks.append(words_at(f"who {number}", 4, y, _name(newcomer), role="ink"))
        if newcomer.entry not in read:
            marks.append(words_at(f"soon {number}", 104, y, "not yet"))
            continue
        for name, x, role, value in (
            ("first", 104, PROMPT, _waited(newcomer.entry)),
            ("stall", 232, TOKEN, newcomer.entry.stall),
        ):
            wide = 70 * value / longest
            marks += [
                Rect(
                    key=f"{name} bar {number}",
                    role=role,
                    x=x,
                    y=y - 11,
                    width=wide,
                    height=14,
                    hint=_told_of(newcomer),
                ),
                words_at(
                    f"{name} {number}", x + wide + 4, y, f"{in_ms(value):,}", role="ink"
                ),
            ]
    return marks


def _waited(entry: Entry) -> int:
    return entry.flight.first_token - entry.flight.arrival


def _name(newcomer: Newcomer) -> str:
    return f"{newcomer.kind}, {f'{newcomer.budget:,}' if newcomer.budget else 'whole'}"


def _told_of(newcomer: Newcomer) -> str:
    """A newcomer in words."""
    tokens = newcomer.entry.flight.request.prompt_tokens
    how = f"a budget of {newcomer.budget:,}" if newcomer.budget else "no budget"
    words = f"{newcomer.kind} prompt of {tokens:,} tokens with {how}: "
    if newcomer.entry.flight.first_token < 0:
        return words + "no token yet"
    return (
        f"{words}first token after {in_ms(_waited(newcomer.entry)):,} ms, the others' "
        f"longest gap {in_ms(newcomer.entry.stall):,} ms"
    )
