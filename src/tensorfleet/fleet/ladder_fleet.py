"""How the fleet of the ladder's explorable is drawn, and its waits as time goes on.

The curves are on a scale of logarithms: a wait of 100 ms and one of 10 s are both to be
seen.
"""

from collections.abc import Mapping

from tensorfleet.explore.marks import Circle, Line, Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes
from tensorfleet.fleet.ladder_picture import (
    HEIGHT,
    HIGHEST,
    NAMES,
    WIDTH,
    Result,
    height,
    role,
)
from tensorfleet.fleet.ladder_run import Run, Situation
from tensorfleet.fleet.metrics import SECOND
from tensorfleet.router.messages import Report

SMALLEST = 32  # requests that the longest bar stands for, at least
BARS, LONGEST = 66, 196  # where the bars of instances begin, how long they get


def fleet_picture(rung: str, run: Run, results: Mapping[str, Result]) -> Picture:
    """What is on each instance, and the longest waits of every rung."""
    marks: list[Mark] = [
        words("title", 0, 16, "On each instance", "ink", 13),
        Rect(key="key running", role="accent", x=128, y=7, width=10, height=10),
        words("word running", 142, 16, "running", "muted", 11),
        Rect(key="key waiting", role="bad", x=192, y=7, width=10, height=10),
        words("word waiting", 206, 16, "waiting", "muted", 11),
    ]
    if run.hot is not None:
        marks += [
            Circle(key="key hot", role="series-6", x=262, y=12, radius=5),
            words("word hot", 271, 16, "hot adapter", "muted", 11),
        ]
    full = SMALLEST
    while full < max(run.peaks.values()):
        full *= 2
    for number, report in enumerate(run.reports):
        holds = run.hot is not None and run.hot in report.resident
        peak = run.peaks[report.instance]
        marks += _instance(report, peak, 24 + number * 22, LONGEST / full, holds)
    marks += _curves(rung, run.situation, results)
    on = ", ".join(
        f"{report.instance} runs {report.running} and has {report.waiting} waiting"
        for report in run.reports
    )
    return Picture(
        "fleet",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"After {run.simulation.now // SECOND} s: {on}. Below, the longest wait "
        "for a first token in each second, for every rung that was run.",
    )


def _instance(
    report: Report, peak: int, y: float, scale: float, holds: bool
) -> list[Mark]:
    name, running, waiting = report.instance, report.running, report.waiting
    wide, more = running * scale, waiting * scale
    marks: list[Mark] = [
        Rect(
            key=f"peak {name}",
            role="grid",
            x=BARS,
            y=y,
            width=peak * scale,
            height=17,
            hint=f"{name} had {peak} requests at most in this run",
        ),
        words(f"name {name}", 0, y + 13, name, "ink", 12),
        Rect(
            key=f"running {name}",
            role="accent",
            x=BARS,
            y=y,
            width=wide,
            height=17,
            hint=f"{name}: {running} requests in the batch",
        ),
        Rect(
            key=f"waiting {name}",
            role="bad",
            x=BARS + wide,
            y=y,
            width=more,
            height=17,
            hint=f"{name}: {waiting} wait for their turn or their adapter",
        ),
        words(
            f"number {name}",
            BARS + peak * scale + 6,
            y + 13,
            f"{running} + {waiting}" if waiting else f"{running}",
            "ink",
            12,
        ),
    ]
    if holds:
        marks.append(
            Circle(
                key=f"hot {name}",
                role="series-6",
                x=BARS - 12,
                y=y + 9,
                radius=5,
                hint=f"{name} holds the hot adapter",
            )
        )
    return marks


def _curves(
    rung: str, situation: Situation, results: Mapping[str, Result]
) -> list[Mark]:
    axes = Axes(
        "wait", 40, 146, 292, 170, (0, situation.span), (height(0), height(HIGHEST))
    )
    ticks = [(height(value), f"{value:g} s") for value in (0.1, 1, 10)]
    unit = "second" if situation.bin == 1 else f"{situation.bin} s"
    marks = axes.frame(
        "simulated time (s)",
        f"Longest wait for a first token, each {unit}",
        y_ticks=ticks,
    )
    limit = situation.scenario.slo.ttft_ns / SECOND
    marks.append(
        axes.level("limit", height(limit), f"the limit of a good TTFT, {limit:g} s")
    )
    last = situation.scenario.workload.duration_ns / SECOND
    marks.append(
        Line(
            key="wait last",
            role="muted",
            points=(axes.x(last), axes.top, axes.x(last), axes.top + axes.height),
            stroke=1,
            dashed=True,
            hint="about here the last request arrives",
        )
    )
    # The one that runs is painted last, on top of the others.
    for other in sorted(results, key=lambda name: (name == rung, NAMES.index(name))):
        points = results[other].points
        if len(points) > 1:
            times, waits = zip(*points, strict=True)
            line = axes.line(
                other,
                times,
                waits,
                role=role(other),
                stroke=3 if other == rung else 1.5,
                hint=f"{other}: the longest waits",
            )
            marks.append(line)
    return marks
