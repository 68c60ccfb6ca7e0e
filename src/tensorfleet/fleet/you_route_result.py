"""How it went is drawn: the wait of each request, and the ranking of the policies."""

from collections.abc import Mapping, Sequence

from tensorfleet.explore.marks import Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.metrics import MILLISECOND, is_cold
from tensorfleet.fleet.you_route_picture import HEIGHT, WIDTH, letter
from tensorfleet.fleet.you_route_run import REQUESTS, Outcome

TABLE, STEP = 166, 16  # where the ranking begins, and the height of a row
BARS, LONGEST = 150, 50
RULES: tuple[str, ...] = (
    "An adapter that is in no slot is loaded first,",
    "which takes about a tenth of a second. Where",
    "all three slots are in use, it waits for one,",
    "which may take a second.",
    "When all thirty requests are sent, the same",
    "thirty stand here by every policy.",
)  # what the reader should know before there is a ranking
NAMES = {"all_resident": "nothing to load (oracle)"}


def result_picture(
    flights: Sequence[Flight], ranking: Mapping[str, Outcome], you: str, expected: int
) -> Picture:
    """The wait of each request, and, once there is one, the ranking.

    `you` is the name of the reader's row; `expected` rows will be there in the end.
    """
    marks = _waits(flights)
    if ranking:
        marks += _table(ranking, you)
    missing = expected - len(ranking)
    lines = RULES if not ranking else ()
    if ranking and missing:
        lines = (f"{missing} more are being simulated",)
    y = TABLE + 14 + len(ranking) * STEP
    for number, line in enumerate(lines):
        marks.append(words(f"later {number}", 0, y + number * 18, line, "muted", 12))
    order = ", ".join(
        f"{NAMES.get(name, name)} {row.mean_ms} ms" for name, row in ranking.items()
    )
    return Picture(
        "result",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"The time to first token of {sum(f.first_token >= 0 for f in flights)} "
        + (f"requests. By mean: {order}." if order else "requests."),
    )


def _waits(flights: Sequence[Flight]) -> list[Mark]:
    """A bar for each request that has its first token; those above 1 s are cut."""
    axes = Axes("wait", 46, 22, 288, 88, (0.5, REQUESTS + 0.5), (0, 1))
    marks = axes.frame(
        "request",
        "Your requests: time to first token",
        x_ticks=[(value, str(value)) for value in (1, 10, 20, 30)],
        y_ticks=[(0.0, "0"), (0.5, "500 ms"), (1.0, "≥ 1 s")],
    )
    for number, flight in enumerate(flights, 1):
        if flight.first_token < 0:
            continue
        wait = round((flight.first_token - flight.arrival) / MILLISECOND)
        cold = is_cold(flight)
        marks.append(
            axes.bar(
                f"bar {number}",
                number - 0.4,
                number + 0.4,
                wait / 1000,
                role="bad" if cold else "good",
                hint=f"request {number} for {letter(flight.request.key)} on "
                f"{flight.instance}: {wait} ms"
                f"{', and it waited for its adapter' if cold else ''}",
            )
        )
    marks += [
        Rect(key="key hit", role="good", x=46, y=130, width=9, height=9),
        words("key hits", 59, 139, "adapter there", "muted", 11),
        Rect(key="key cold", role="bad", x=140, y=130, width=9, height=9),
        words("key colds", 153, 139, "waited for it", "muted", 11),
    ]
    return marks


def _table(ranking: Mapping[str, Outcome], you: str) -> list[Mark]:
    """Rows in the order of `ranking`, the smallest mean first."""
    most = max(row.mean_ms for row in ranking.values())
    marks: list[Mark] = [
        words("head mean", BARS, TABLE, "mean TTFT", "muted", 11),
        words("head p90", 290, TABLE, "p90", "muted", 11, "end"),
        words("head cold", WIDTH, TABLE, "cold", "muted", 11, "end"),
    ]
    for place, (name, row) in enumerate(ranking.items()):
        y = TABLE + 14 + place * STEP
        tone = "ink" if name == you else "muted"
        wide = LONGEST * row.mean_ms / max(most, 1)
        marks += [
            words(f"row {name}", 0, y, NAMES.get(name, name), tone, 12),
            Rect(
                key=f"mean {name}",
                role="accent" if name == you else "grid",
                x=BARS,
                y=y - 9,
                width=wide,
                height=11,
                hint=f"{NAMES.get(name, name)}: mean TTFT {row.mean_ms} ms, p90 "
                f"{row.p90_ms} ms, {row.cold} of {REQUESTS} waited for their adapter",
            ),
            words(
                f"ms {name}", BARS + 4 + wide, y, f"{row.mean_ms} ms", tone, 11, "start"
            ),
            words(f"p90 {name}", 290, y, f"{row.p90_ms}", tone, 11, "end"),
            words(f"cold {name}", WIDTH, y, f"{row.cold}", tone, 11, "end"),
        ]
    return marks
