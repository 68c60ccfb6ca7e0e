"""One instance of a live fleet as marks, and what there is to say of it.

    3      37+2    number, requests that run + that wait
    ● ● ●          the first that wait, in the colour of their adapter
    ▬▬▬▬──────     KV memory in use
    ▬▬▬▬▬▬──┆      work left, and (dashed) what the router believes of it
    ■ ■   ■        which of the hottest adapters are on the GPU; faint: on their way

The words are made once in a second, since nobody reads twenty sentences in one. Most
marks are the same as in the frame before, and are remembered by what they are made of.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from tensorfleet.explore.marks import Circle, Mark, Rect, Text
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.instance import Instance
from tensorfleet.fleet.panel_run import LiveRun, milliseconds
from tensorfleet.fleet.revisions import READY
from tensorfleet.router.messages import AdapterKey

TOP, CELL = 40, 68  # where the fleet begins, and the size of a cell
ROOM = CELL - 4  # of a cell, for what is in it
LONG = ROOM - 8  # the longest bar
QUEUE = 7  # dots shown of a queue
WIDEST = 9  # letters beside each other
OTHERS = "series-7"  # adapters that have no colour of their own
# Clockwise along the edge from the upper left corner; who comes where.
PLACES = (
    *((column, 0) for column in range(4)),
    *((4, row) for row in range(4)),
    *((column, 4) for column in range(4, 0, -1)),
    *((0, row) for row in range(4, 0, -1)),
)
ORDER = (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15)
CORNERS = tuple(
    (PLACES[place][0] * CELL + 2, TOP + PLACES[place][1] * CELL + 2) for place in ORDER
)

Colours = Mapping[AdapterKey, str]


class Words(NamedTuple):
    """What is said of a fleet, and of each instance; who is slow."""

    alt: str
    hints: Mapping[str, str]
    slow: frozenset[str]


def work_left(run: LiveRun) -> dict[str, int]:
    """The work that each instance has left, in ns of its time at normal speed."""
    return {
        name: sum(instance.work_by_router(run.now).values())
        for name, instance in run.instances.items()
    }


def describe(run: LiveRun) -> Words:
    """The fleet in a sentence, and each instance in another."""
    work, beliefs = work_left(run), run.beliefs
    pool = run.pool
    hints = {}
    slow, down = [], []
    for name, instance in run.instances.items():
        running = len(instance.running)
        said = f"{name}: {running} requests run, "
        said += f"{instance.num_requests - running} wait; "
        if instance.costs != instance.config.costs:
            slow.append(name)
            said += "it takes twice as long for everything; "
        if not instance.is_up:
            down.append(name)
            said = f"{name} is down; "
        said += f"its KV memory is {round(100 * instance.memory.kv_used())}% full; "
        said += f"{milliseconds(work[name])} ms of work are left"
        if name in beliefs:
            said += f", the router believes {milliseconds(beliefs[name].work)} ms"
        if name not in pool:
            said += "; the router sends nothing here"
        hints[name] = f"{said}; click to choose it"
    most = max(work, key=work.__getitem__)
    off = max(abs(work[name] - belief.work) for name, belief in beliefs.items())
    missing = f", of which {', '.join(down)} down" if down else ""
    alt = (
        f"Under {run.policy}, {run.simulation.num_flying} requests are under way on "
        f"{len(work)} instances{missing}; {most} has the most work left, "
        f"{milliseconds(work[most])} ms; the router's belief is off by "
        f"{milliseconds(off)} ms at most."
    )
    return Words(alt, hints, frozenset(slow))


def cell(
    instance: Instance,
    words: Words,
    work: int,
    believed: int | None,
    full: int,
    is_target: bool,
) -> list[Mark]:
    """The box of an instance, its numbers, and its bars, of which `full` is longest."""
    name = instance.config.name
    x, y = CORNERS[instance.index]
    running = len(instance.running)
    waiting = instance.num_requests - running
    kv = instance.memory.kv_used()
    number, counts = name.removeprefix("gpu-"), f"{running + waiting}"
    if name in words.slow:
        number += " slow"
    elif waiting and running + waiting < 1000:
        counts = f"{running}+{waiting}"
    if len(number) + len(counts) > WIDEST:
        counts = ""  # its hint has them
    if not instance.is_up:
        number, counts = number.split()[0], "down"
    up = instance.is_up
    marks: list[Mark] = [
        _box(name, x, y, up, words.hints[name]),
        _number(name, x + 4, y + 13, number),
        _counts(name, x + ROOM - 4, y + 13, counts, up),
        _bar(name, "kv", "muted", x + 4, y + 29, _long(kv), 4),
        _bar(name, "work", "accent", x + 4, y + 37, _long(work / full), 8),
    ]
    if believed is not None:
        long = _long(believed / full)
        marks.append(_bar(name, "believed", "ghost", x + 4, y + 35.5, long, 11))
    if is_target:
        marks.append(_bar("the", "chosen", "ink", x, y + ROOM - 3, ROOM, 3))
    return marks


def contents(
    instance: Instance, waiting: Sequence[Flight], colours: Colours
) -> list[Mark]:
    """The queue of an instance, and the adapters with a colour that it holds."""
    name = instance.config.name
    x, y = CORNERS[instance.index]
    marks: list[Mark] = [
        Circle(
            key=f"request {flight.request.id}",
            role=colours.get(flight.request.key, OTHERS),
            x=x + 8 + 8 * place,
            y=y + 22,
            radius=3,
        )
        for place, flight in enumerate(islice(waiting, QUEUE))
    ]
    for place, (key, role) in enumerate(colours.items()):
        adapter = instance.store.adapters.get(key)
        if adapter is not None and adapter.serving is not None:
            is_there = adapter.serving.state == READY
            at = x + 4 + 8 * place
            marks.append(_square(name, key.adapter, role, at, y + 51, is_there))
    return marks


@lru_cache(maxsize=1024)
def small(key: str, x: float, y: float, text: str, anchor: str = "start") -> Text:
    """Small words beside something."""
    return Text(key=key, role="muted", x=x, y=y, text=text, size=11, anchor=anchor)


def _long(share: float) -> float:
    """The length of a bar, in half units: finer is not seen."""
    return round(2 * LONG * min(share, 1)) / 2


@lru_cache(maxsize=64)
def _box(name: str, x: float, y: float, up: bool, hint: str) -> Rect:
    return Rect(
        key=name,
        role="surface" if up else "bad",
        x=x,
        y=y,
        width=ROOM,
        height=ROOM,
        opacity=1 if up else 0.3,
        hint=hint,
        pick=name,
    )


@lru_cache(maxsize=64)
def _number(name: str, x: float, y: float, text: str) -> Text:
    return Text(key=f"{name} number", x=x, y=y, text=text)


@lru_cache(maxsize=1024)
def _counts(name: str, x: float, y: float, text: str, up: bool) -> Text:
    role = "ink" if up else "bad"
    key = f"{name} counts"
    return Text(key=key, role=role, x=x, y=y, text=text, size=11, anchor="end")


@lru_cache(maxsize=4096)
def _bar(
    name: str, what: str, role: str, x: float, y: float, width: float, height: float
) -> Rect:
    key = f"{name} {what}"
    return Rect(key=key, role=role, x=x, y=y, width=width, height=height)


@lru_cache(maxsize=512)
def _square(
    name: str, adapter: str, role: str, x: float, y: float, is_there: bool
) -> Rect:
    return Rect(
        key=f"{name} {adapter}",
        role=role,
        x=x,
        y=y,
        width=7,
        height=7,
        opacity=1 if is_there else 0.35,
    )
