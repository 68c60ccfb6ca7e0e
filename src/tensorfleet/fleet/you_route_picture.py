"""How the fleet of "you route" is drawn: the request that has come, the instances.

An adapter has a colour and a letter wherever it stands: in a slot, on a request.
"""

from collections.abc import Sequence

from tensorfleet.explore.marks import Circle, Line, Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.metrics import MILLISECOND
from tensorfleet.fleet.you_route_run import (
    LETTERS,
    REQUESTS,
    SCENARIO,
    SLOTS,
)
from tensorfleet.router.messages import AdapterKey, Report, Request

WIDTH, HEIGHT = 340, 416
TOP, ROW = 62, 78  # of the rows of instances
PALE = 0.45  # so that letters can be read on every colour
SLOT, RADIUS, PITCH, LINE = 24, 7, 15.6, 17
FIRST, PER_LINE = 106, 15  # where an instance's requests begin
WORK_MS = 1000  # of work ahead fill the width of a row


def letter(key: AdapterKey) -> str:
    return LETTERS[int(key.adapter.rpartition("-")[2])]


def role(key: AdapterKey) -> str:
    return f"series-{LETTERS.index(letter(key))}"


def prefill_ms(tokens: int) -> int:
    """How long an idle instance reads so many tokens."""
    return round(SCENARIO.machine.costs.step_ns(chunks=[(tokens, 0)]) / MILLISECOND)


def fleet_picture(
    number: int,
    request: Request | None,
    reports: Sequence[Report],
    flights: Sequence[Flight],
) -> Picture:
    """The request number `number` that has come, and what each instance has."""
    marks: list[Mark] = []
    if request is None:
        said = "All thirty are sent: see how they fared."
        marks.append(words("asks", 0, 22, said, "ink", 14))
    else:
        name, tokens = letter(request.key), request.prompt_tokens
        said = (
            f"Request {number} of {REQUESTS} asks for {name} and reads {tokens:,} "
            f"tokens, {prefill_ms(tokens)} ms of work."
        )
        asks = f"asks for {name}, reads {tokens:,} tokens ({prefill_ms(tokens)} ms)"
        marks += [
            *_request(request, 12, 20, 11, said),
            words("number", 30, 16, f"Request {number} of {REQUESTS}", "ink", 14),
            words("asks", 30, 33, asks, "ink", 12),
        ]
        marks.append(
            words("do", 0, 54, "Click the instance that should serve it.", "muted", 12)
        )
    for row, report in enumerate(reports):
        here = [
            flight
            for flight in flights
            if flight.instance == report.instance and flight.status == "flying"
        ]
        marks += _instance(report, here, TOP + row * ROW, request is not None)
    y = TOP + len(reports) * ROW + 14
    marks += [
        Line(key="key line", role="bad", points=(0, y - 3, 14, y - 3), stroke=2.5),
        words("key words", 20, y, "no token yet", "muted", 11),
        Circle(key="key load", role="ghost", x=108, y=y - 4, radius=6),
        words("key loads", 119, y, "adapter loads", "muted", 11),
        Rect(key="key work", role="accent", x=206, y=y - 6, width=20, height=4),
        words("key ahead", 231, y, "work ahead, to 1 s", "muted", 11),
    ]
    on = "; ".join(map(_in_words, reports))
    return Picture("fleet", WIDTH, HEIGHT, marks, alt=f"{said} {on}.")


def _in_words(report: Report) -> str:
    held = ", ".join(map(letter, report.resident)) or "nothing"
    return (
        f"{report.instance} holds {held}, runs {report.running}, has "
        f"{report.waiting} waiting and {_ahead(report)} ms of work ahead"
    )


def _ahead(report: Report) -> int:
    return round(report.work_ns / MILLISECOND)


def _instance(
    report: Report, flights: Sequence[Flight], y: float, is_asked: bool
) -> list[Mark]:
    name = report.instance
    ahead = _ahead(report)
    marks: list[Mark] = [
        Rect(
            key=f"row {name}",
            role="surface",
            x=0,
            y=y,
            width=WIDTH,
            height=ROW - 6,
            hint=_in_words(report)
            + ("; click to send the request here" if is_asked else ""),
            pick=name if is_asked else "",
        ),
        words(f"name {name}", 8, y + 16, name, "ink", 13),
        words(f"work {name}", WIDTH - 8, y + 16, f"{ahead} ms ahead", "ink", 12, "end"),
        Rect(
            key=f"ahead {name}",
            role="accent",
            x=0,
            y=y + ROW - 10,
            width=WIDTH * min(ahead / WORK_MS, 1.0),
            height=4,
            hint=f"{ahead} ms of work ahead on {name}",
        ),
    ]
    held = [(key, True) for key in report.resident]
    held += [(key, False) for key in report.loading if key not in report.resident]
    for slot in range(SLOTS):
        marks += _slot(name, slot, y, *(held[slot] if slot < len(held) else (None, 0)))
    for place, flight in enumerate(flights):
        x = FIRST + place % PER_LINE * PITCH
        row = y + 31 + place // PER_LINE * LINE
        is_waiting = flight.first_token < 0
        hint = (
            f"asks for {letter(flight.request.key)}: "
            f"{'waits for its first token' if is_waiting else 'is being answered'}"
        )
        marks += _request(flight.request, x, row, RADIUS, hint)
        if is_waiting:
            marks.append(
                Line(
                    key=f"waits {flight.request.id}",
                    role="bad",
                    points=(x - 6, row + 9, x + 6, row + 9),
                    stroke=2.5,
                )
            )
    return marks


def _slot(
    name: str, slot: int, y: float, key: AdapterKey | None, there: bool | int
) -> list[Mark]:
    """A slot: empty, with an adapter, or with one that is on its way."""
    x = 8 + slot * (SLOT + 5)
    place = f"slot {slot} {name}"
    box = Rect(
        key=place,
        role="grid",
        x=x,
        y=y + 26,
        width=SLOT,
        height=SLOT,
        hint="an empty slot",
    )
    if key is None:
        return [box]
    box.role = role(key) if there else "ghost"
    box.opacity = PALE if there else 1
    box.hint = (
        f"{letter(key)} is {'here' if there else 'on its way, or waits for a slot'}"
    )
    tone = "ink" if there else "muted"
    mark = words(f"in {place}", x + SLOT / 2, y + 43, letter(key), tone, 13, "middle")
    return [box, mark]


def _request(
    request: Request, x: float, y: float, radius: float, hint: str
) -> list[Mark]:
    """A circle that keeps its key on its way, so that it is seen to move."""
    size = 13 if radius > RADIUS else 11
    return [
        Circle(
            key=f"request {request.id}",
            role=role(request.key),
            opacity=PALE,
            x=x,
            y=y,
            radius=radius,
            hint=hint,
        ),
        words(
            f"letter {request.id}", x, y + 4, letter(request.key), "ink", size, "middle"
        ),
    ]
