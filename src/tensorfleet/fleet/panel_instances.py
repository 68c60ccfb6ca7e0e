"""The picture of a fleet: router and ring in the middle, instances around them.

Sixteen places along the edge of a square; the order in which they are taken is such
that those who come later stand between the others, and nobody moves. In the simulator a
request is with its instance at once. The picture lets it travel for a moment, so that
its way can be seen, and then counts it in the queue. What is in a box, `panel_cells`
says.
"""

from tensorfleet.explore.marks import Circle, Mark, Text
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.rings import Ring
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.metrics import SECOND
from tensorfleet.fleet.panel_cells import (
    CELL,
    CORNERS,
    OTHERS,
    ROOM,
    TOP,
    Colours,
    Words,
    cell,
    contents,
    small,
    work_left,
)
from tensorfleet.fleet.panel_ring import ring_marks
from tensorfleet.fleet.panel_run import LiveRun, milliseconds

SIZE = 5 * CELL
DOTS = 30  # on their way at most
MIDDLE = (SIZE / 2, TOP + SIZE / 2)
RING = Ring(*MIDDLE, 46)
# Work that the longest bar stands for.
SCALES = tuple(step * 10**e for e in (8, 9, 10, 11) for step in (1, 2, 5))


def fleet_picture(
    run: LiveRun,
    words: Words,
    colours: Colours,
    travel_ns: int,
    every: int,
    target: str,
) -> Picture:
    """The fleet at this moment; of requests that travel one in `every` is shown."""
    landed = run.now - travel_ns
    queues: dict[str, list[Flight]] = {name: [] for name in run.instances}
    for flight in run.waiting():
        if flight.arrival <= landed and flight.instance:
            queues[flight.instance].append(flight)
    work = work_left(run)
    beliefs = {name: belief.work for name, belief in run.beliefs.items()}
    most = max(*work.values(), *beliefs.values())
    full = next((scale for scale in SCALES if scale >= most), SCALES[-1])
    marks: list[Mark] = []
    for name, instance in run.instances.items():
        believed = beliefs.get(name)
        marks += cell(instance, words, work[name], believed, full, name == target)
        marks += contents(instance, queues[name], colours)
    marks += ring_marks(run, RING, colours)
    marks += _travellers(run, colours, travel_ns, every)
    marks += _words(run, full, every)
    return Picture(f"{run.side} fleet", SIZE, TOP + SIZE, marks, alt=words.alt)


def _travellers(
    run: LiveRun, colours: Colours, travel_ns: int, every: int
) -> list[Mark]:
    """Requests on their way from the router, the newest first."""
    marks: list[Mark] = []
    simulation, side = run.simulation, run.side
    now = simulation.now
    x0, y0 = MIDDLE
    for flight in reversed(simulation.flights):
        age = now - flight.arrival
        if age >= travel_ns or len(marks) == DOTS:
            break
        number = flight.request.id
        if number % every or not flight.instance:
            continue
        left, top = CORNERS[simulation.instances[flight.instance].index]
        # To the edge of the cell, where it is nearest to the router.
        x = min(max(x0, left - 3), left + ROOM + 3)
        y = min(max(y0, top - 3), top + ROOM + 3)
        share = age / travel_ns
        key = flight.request.key
        marks.append(
            Circle(
                key=f"request {number}",
                role=colours.get(key, OTHERS),
                x=x0 + (x - x0) * share,
                y=y0 + (y - y0) * share,
                radius=4,
                hint=f"request {number} for {key.adapter}, to {flight.instance}; "
                "click to follow it",
                pick=f"{side} {number}",
            )
        )
    return marks


def _words(run: LiveRun, full: int, every: int) -> list[Mark]:
    """The router, the policy's name above, and what the last seconds were like."""
    x, y = MIDDLE
    last = run.samples[-1] if run.samples else None
    said = "nothing was served in the last 5 s"
    if last and last.hits is not None:
        good = "–" if last.good is None else f"{last.good / 10:.1f}"
        said = (
            f"{good}% good, {last.hits / 10:.1f}% hits, "
            f"p99 TTFT {milliseconds(last.ttft.p99)} ms"
        )
    scale = f"bars: {full / SECOND:g} s of work"
    dots = f"one dot: {every} requests" if every > 1 else "one dot: one request"
    middle = TOP + CELL + 13, TOP + 4 * CELL - 6
    flying = f"{run.simulation.num_flying} under way"
    return [
        Circle(key="router", role="ink", x=x, y=y, radius=13, hint="the router"),
        Text(key="policy", x=2, y=14, text=run.policy, size=14),
        small("under way", SIZE - 2, 14, flying, "end"),
        small("said", 2, 32, said),
        small("router name", x, y + 28, "router", "middle"),
        small("scale", x - 52, middle[0], scale, "middle"),
        small("dots", x + 52, middle[1], dots, "middle"),
    ]
