"""The hottest adapters with their colours and replicas, and the slowest requests."""

from collections.abc import Sequence

from tensorfleet.explore.marks import Circle, Mark, Rect, Text
from tensorfleet.explore.picture import Picture
from tensorfleet.fleet.panel_cells import OTHERS, Colours, small
from tensorfleet.fleet.panel_run import LiveRun, milliseconds

WIDTH, HEIGHT = 340, 362
ROW = 17
COLUMNS = (150, 246)  # of the two policies
LEGEND = (
    "4 for 80: four instances for 80 requests under way.",
    "In a box: number, requests that run + that wait; queue;",
    "grey: KV memory in use; blue: work left, dashed: as the",
    "router believes; squares: adapters there, faint: loading.",
)


def adapter_picture(runs: Sequence[LiveRun], colours: Colours, crowd: str) -> Picture:
    """`crowd` is the name of the adapter that a flash crowd asks for."""
    marks: list[Mark] = [small("head", 2, 14, "adapter")]
    for x, run in zip(COLUMNS, runs, strict=False):
        held = "replicas" if run.has_table() else "holders"
        words = f"{run.side} ({held})" if len(runs) > 1 else held
        marks.append(small(f"{run.side} head", x, 14, words))
    said = []
    for row, (key, role) in enumerate(colours.items()):
        y = 32 + row * ROW
        name = f"{key.adapter}{' (crowd)' if key.adapter == crowd else ''}"
        marks += [
            Rect(
                key=f"{key.adapter} colour", role=role, x=2, y=y - 9, width=9, height=9
            ),
            Text(key=f"{key.adapter} name", x=17, y=y, text=name, size=12),
        ]
        for x, run in zip(COLUMNS, runs, strict=False):
            count, asked = run.serving(key), run.under_way[key]
            marks.append(
                Text(
                    key=f"{run.side} {key.adapter}",
                    x=x,
                    y=y,
                    text=f"{count} for {asked}",
                    size=12,
                    hint=f"{count} instances take requests for {key.adapter}, of "
                    f"which {asked} are under way",
                )
            )
        said.append(f"{key.adapter} {', '.join(str(r.serving(key)) for r in runs)}")
    y = 32 + len(colours) * ROW
    marks += [
        Circle(key="others", role=OTHERS, x=6.5, y=y - 4, radius=4),
        small("others name", 17, y, "all other adapters"),
        small("slow head", 2, y + 30, "The slowest first tokens of 5 s; click one:"),
    ]
    y += 30 + ROW
    for run in runs:
        for flight in run.slowest:
            number, key = flight.request.id, flight.request.key
            wait = milliseconds(flight.first_token - flight.arrival)
            marks.append(
                Text(
                    key=f"{run.side} slow {number}",
                    role="accent",
                    x=2,
                    y=y,
                    text=f"{run.prefix}{wait} ms, {key.adapter} on {flight.instance}",
                    size=12,
                    hint=f"request {number} under {run.policy}; click to follow it",
                    pick=f"{run.side} {number}",
                )
            )
            y += ROW
    for line, words in enumerate(LEGEND):
        marks.append(small(f"legend {line}", 2, HEIGHT - 58 + 14 * line, words))
    return Picture(
        "adapters",
        WIDTH,
        HEIGHT,
        marks,
        alt="Instances that serve each of the hottest adapters: "
        + "; ".join(said)
        + ".",
    )
