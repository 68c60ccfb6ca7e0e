"""One request: where its time went, why it went where it did, and if it had not.

Above, the request as it was: a bar for each part of its way, one after the other. Below
the same request on every other instance, on identical arrivals (see `replay`): a bar up
to its first token, with TTFT and TPOT as numbers.
"""

from itertools import pairwise
from textwrap import wrap

from tensorfleet.explore.marks import Mark, Rect, Text
from tensorfleet.explore.picture import Picture
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.metrics import has_tpot, tpot_ns
from tensorfleet.fleet.panel_cells import small
from tensorfleet.fleet.panel_run import LiveRun, milliseconds
from tensorfleet.fleet.replay import Replay

WIDTH = 340
ROW = 16
BARS, LONG = 74, 190  # where bars begin, and the longest
LETTERS = 56  # of small words in a line
ROLES = ("muted", "muted", "bad", "series-4", "accent", "good")
PARTS = ("route", "lost before", "adapter load", "queue", "prefill", "decode")


def parts(flight: Flight) -> list[int]:
    """Nanoseconds of each of `PARTS`, as far as they are over.

    To decide takes no simulated time. What comes before its last instance took it is
    lost: an instance crashed, or answered an error.
    """
    if not hasattr(flight, "submitted"):  # it was shed, or no instance was up
        return [0]
    times = [flight.arrival, flight.arrival, flight.submitted]
    if flight.started >= 0:
        times += [flight.submitted + flight.adapter_wait, flight.started]
    if flight.first_token >= 0:
        times.append(flight.first_token)
    if flight.status == "served":
        times.append(flight.end)
    return [later - before for before, later in pairwise(times)]


def waterfall_picture(
    run: LiveRun, flight: Flight, replay: Replay | None, why_not: str
) -> Picture:
    """`why_not` says why there is no replay, where there is none."""
    request = flight.request
    title = f"request {request.id}, {run.prefix}{run.policy}"
    why = flight.decision.why if flight.decision else "not decided"
    lines = [
        f"{request.key.adapter}: reads {request.prompt_tokens:,} tokens, "
        f"writes {flight.output_tokens:,}",
        *wrap(why, LETTERS, max_lines=4, placeholder=" …"),
        "The time stands still until you let it go on.",
    ]
    marks: list[Mark] = [Text(key="title", x=2, y=15, text=title, size=14)]
    y = 32.0
    for place, line in enumerate(lines):
        marks.append(small(f"line {place}", 2, y, line))
        y += 14
    shown, is_known = flight, flight.status != "flying"
    if replay and not is_known:
        shown = replay.ended.get(flight.instance, flight)
    marks += _own(shown, y + 8)
    y += 8 + ROW * len(PARTS)
    if shown.status == "flying" or not is_known:
        late = "still under way" if shown is flight else "as it will be"
        marks.append(small("late", 2, y + 6, late))
    elif shown.status == "failed":
        marks.append(small("late", 2, y + 6, f"failed: {shown.reason}"))
    y += 24
    words = why_not
    if replay:
        done = f"{len(replay.ended)} of {len(replay.names)}"
        words = "elsewhere, same arrivals: ms to first token, per token"
        if not replay.is_over:
            words = f"replaying it elsewhere, same arrivals: {done} are done"
    for place, line in enumerate(wrap(words, LETTERS)):
        marks.append(small(f"words {place}", 2, y, line))
        y += 14
    said = f"It went to {flight.instance or 'nobody'}: {why}."
    if replay:
        known = dict(replay.ended)
        if shown.status == "served" and not shown.retries:
            known[shown.instance] = shown
        names = list(run.simulation.instances)
        marks += _elsewhere(names, known, shown, replay.is_over, y + 4)
        y += 4 + ROW * len(names)
        firsts = {
            name: one.first_token - one.arrival
            for name, one in known.items()
            if one.first_token >= 0
        }
        if firsts:
            best = min(firsts, key=firsts.__getitem__)
            said += f" Of those replayed {best} has the earliest first token, after "
            said += f"{milliseconds(firsts[best])} ms."
    return Picture("request", WIDTH, y, marks, alt=f"{title}. {said}")


def _own(flight: Flight, top: float) -> list[Mark]:
    """A row for each part."""
    known = parts(flight)
    total = max(sum(known), 1)
    marks: list[Mark] = []
    before = 0
    for place, (name, role) in enumerate(zip(PARTS, ROLES, strict=True)):
        y = top + place * ROW
        marks.append(small(f"part {name}", 2, y + 9, name))
        if place >= len(known):
            continue
        took = known[place]
        marks += [
            Rect(
                key=f"bar {name}",
                role=role,
                x=BARS + LONG * before / total,
                y=y,
                width=max(LONG * took / total, 1),
                height=ROW - 5,
                hint=f"{name}: {milliseconds(took, 1)} ms",
            ),
            small(
                f"took {name}", WIDTH - 2, y + 9, f"{milliseconds(took, 1)} ms", "end"
            ),
        ]
        before += took
    return marks


def _elsewhere(
    names: list[str], known: dict[str, Flight], own: Flight, is_over: bool, top: float
) -> list[Mark]:
    """A row for each instance, with the request's way to its first token there."""
    longest = max((sum(parts(one)[:5]) for one in known.values()), default=0)
    scale = LONG / max(longest, 1)
    marks: list[Mark] = []
    for place, name in enumerate(names):
        y = top + place * ROW
        is_own = name == own.instance
        marks.append(
            Text(
                key=f"else {name}",
                role="ink" if is_own else "muted",
                x=2,
                y=y + 9,
                text=f"{name}, as is" if is_own else name,
                size=11,
            )
        )
        one = known.get(name)
        if one is None:
            nothing = "the router could not send it here" if is_over else "..."
            if is_own and own.status == "failed":
                nothing = f"failed: {own.reason}"
            marks.append(small(f"numbers {name}", BARS, y + 9, nothing))
            continue
        x = float(BARS)
        for part, took in enumerate(parts(one)[:5]):
            if took * scale >= 0.5:
                marks.append(
                    Rect(
                        key=f"else {name} {PARTS[part]}",
                        role=ROLES[part],
                        x=x,
                        y=y,
                        width=took * scale,
                        height=ROW - 5,
                        hint=f"{PARTS[part]} on {name}: {milliseconds(took, 1)} ms",
                    )
                )
            x += took * scale
        first = one.first_token - one.arrival if one.first_token >= 0 else None
        each = tpot_ns(one) if has_tpot(one) else None
        numbers = f"{milliseconds(first)}, {milliseconds(each, 1)}"
        marks.append(small(f"numbers {name}", WIDTH - 2, y + 9, numbers, "end"))
    return marks
