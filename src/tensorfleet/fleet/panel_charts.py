"""TTFT and TPOT over the last minute, of one policy or of two on the same arrivals.

The scales are logarithmic, since a fleet that is overrun is a hundred times slower than
one that is not. Thick lines are the 99th percentile, thin ones the median; the first
policy is solid, the second dashed. The limits of the SLO are dashed across.
"""

from collections.abc import Callable, Sequence
from math import log10

from tensorfleet.explore.marks import Line, Mark
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes
from tensorfleet.fleet.metrics import MILLISECOND, SECOND, Percentiles
from tensorfleet.fleet.panel_cells import small
from tensorfleet.fleet.panel_run import LiveRun, Sample, milliseconds

WIDTH, HEIGHT = 340, 352
LEFT, LONG, HIGH = 44, 288, 106
SHOWN = 60  # seconds
ROLES = ("accent", "ink")
Reader = Callable[[Sample], Percentiles]


def chart_picture(runs: Sequence[LiveRun]) -> Picture:
    """Both charts, one below the other."""
    now = max(run.now for run in runs) // SECOND
    slo = runs[0].slo
    marks: list[Mark] = []
    for place, run in enumerate(runs):
        x = LEFT + place * 150
        marks += [
            Line(
                key=f"{run.side} name line",
                role=ROLES[place],
                points=(x - 24, 10, x - 6, 10),
                stroke=2.5,
                dashed=place > 0,
            ),
            small(f"{run.side} name", x, 14, run.policy),
        ]
    marks.append(small("thick", WIDTH - 2, HEIGHT - 4, "thick: p99, thin: p50", "end"))
    ttft = Axes("ttft", LEFT, 44, LONG, HIGH, (now - SHOWN, now), (1, 5))
    named = ((1, "10 ms"), (2, "100 ms"), (3, "1 s"), (4, "10 s"), (5, "100 s"))
    marks += _chart(ttft, "time to first token", named, slo.ttft_ns, runs, _ttft)
    tpot = Axes("tpot", LEFT, 202, LONG, HIGH, (now - SHOWN, now), (0.7, 2.5))
    steps = tuple((log10(ms), f"{ms} ms") for ms in (5, 10, 20, 50, 100, 200))
    marks += _chart(tpot, "time per output token", steps, slo.tpot_ns, runs, _tpot)
    return Picture("charts", WIDTH, HEIGHT, marks, alt=_alt(runs))


def _ttft(sample: Sample) -> Percentiles:
    return sample.ttft


def _tpot(sample: Sample) -> Percentiles:
    return sample.tpot


def _chart(
    axes: Axes,
    title: str,
    named: Sequence[tuple[float, str]],
    limit_ns: int,
    runs: Sequence[LiveRun],
    read: Reader,
) -> list[Mark]:
    begin, end = axes.x_range
    seconds = [(second, f"{second}") for second in range(int(begin), int(end) + 1, 20)]
    shown = [(second, name if second >= 0 else "") for second, name in seconds]
    marks = axes.frame(
        "simulated seconds" if axes.key == "tpot" else "",
        f"{title}, {axes.key.upper()}",
        x_ticks=[tick for tick in shown if tick[1]],
        y_ticks=named,
    )
    limit = f"the limit on {axes.key.upper()} is {milliseconds(limit_ns)} ms"
    marks.append(axes.level("limit", log10(limit_ns / MILLISECOND), limit))
    for place, run in enumerate(runs):
        samples = [
            sample
            for sample in run.samples
            if read(sample).p99 is not None and sample.time >= begin * SECOND
        ]
        if len(samples) < 2:
            continue
        times = [sample.time / SECOND for sample in samples]
        for name, stroke in (("p50", 1.2), ("p99", 2.6)):
            values = [getattr(read(sample), name) for sample in samples]
            last = f"{run.policy}, {axes.key.upper()} {name}: "
            marks.append(
                axes.line(
                    f"{run.side} {name}",
                    times,
                    [log10(max(value, 1) / MILLISECOND) for value in values],
                    role=ROLES[place],
                    stroke=stroke,
                    dashed=place > 0,
                    hint=f"{last}{milliseconds(values[-1], 1)} ms",
                )
            )
    return marks


def _alt(runs: Sequence[LiveRun]) -> str:
    said = []
    for run in runs:
        last = run.samples[-1] if run.samples else None
        if last is None or last.ttft.p99 is None:
            said.append(f"nothing was served in the last 5 s under {run.policy}")
            continue
        said.append(
            f"under {run.policy} TTFT p50 is {milliseconds(last.ttft.p50)} ms and p99 "
            f"{milliseconds(last.ttft.p99)} ms, TPOT p50 "
            f"{milliseconds(last.tpot.p50, 1)} ms and p99 "
            f"{milliseconds(last.tpot.p99, 1)} ms"
        )
    return f"Over the last {SHOWN} seconds, now: {'; '.join(said)}."
