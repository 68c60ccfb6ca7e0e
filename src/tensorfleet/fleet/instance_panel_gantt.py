"""The first picture of the explorable of one instance: what each request got.

Time runs to the right, up to now. A spike is a token and a box an iteration that read
of the prompt; a thin line is a wait, one in another colour an adapter that is on its
way, and a thick one says that a token was long in coming.
"""

from tensorfleet.explore.marks import Line, Mark, Rect, Text
from tensorfleet.explore.picture import Picture
from tensorfleet.fleet.instance_bench import Bench, Entry
from tensorfleet.fleet.instance_lanes import LETTERS, NEWCOMERS, WHOLE, Lanes
from tensorfleet.fleet.machines import MILLISECOND

WINDOW = 700 * MILLISECOND  # what is shown of the past
LONG_GAP = 40 * MILLISECOND  # between two tokens: drawn as a stall
WIDTH, HEIGHT = 360, 350
LEFT, RIGHT = 42, 350  # of the time axis
SCALE = (RIGHT - LEFT) / WINDOW
TOP, ROW = 40, 23  # of the first row, and the height of each
AGO = (600, 400, 200, 0)  # milliseconds: ticks
TOKEN, PROMPT, ADAPTER, WAITS, STALL = (
    "series-0",
    "series-1",
    "series-3",
    "muted",
    "bad",
)


def in_ms(ns: int) -> float:
    """Nanoseconds as milliseconds, rounded to tenths."""
    return round(ns / MILLISECOND, 1)


def past_gaps(bench: Bench) -> list[tuple[int, int]]:
    """(begin, end) of each longest time between two tokens that is in the window.

    The last one may go on, and then ends now.
    """
    start, now = bench.now - WINDOW, bench.now
    return [(end - gap, min(end, now)) for end, gap in bench.gaps if end > start]


def gantt(lanes: Lanes) -> Picture:
    """A row for each lane, newcomers above conversations."""
    now = lanes.bench.now
    marks = _ground()
    budget = lanes.bench.instance.config.token_budget
    words = f"budget: {budget:,} tokens" if budget < WHOLE else "no budget"
    marks.append(words_at("budget", RIGHT, 31, words, "end", role="ink"))
    for row, lane in enumerate([*lanes.newcomers, *lanes.conversations]):
        y = _top(row)
        shown = [entry for entry in lane.entries if _is_shown(entry, now)]
        if shown:
            marks.append(words_at(f"name {row}", 4, y + 16, lane.name, role="ink"))
        for entry in shown:
            marks += _entry(entry, y, now)
    return Picture("gantt", WIDTH, HEIGHT, marks, alt=_told(lanes))


def _top(row: int) -> float:
    return TOP + row * ROW + (6 if row >= NEWCOMERS else 0)


def _is_shown(entry: Entry, now: int) -> bool:
    end = entry.flight.end
    return end < 0 or end > now - WINDOW


def _told(lanes: Lanes) -> str:
    """The picture in words."""
    counts = dict.fromkeys(("decode", "are being read", "wait"), 0)
    for entry in lanes.bench.entries.values():
        if entry.flight.first_token >= 0:
            counts["decode"] += 1
        else:
            counts["wait" if entry.flight.started < 0 else "are being read"] += 1
    words = ", ".join(f"{count} {what}" for what, count in counts.items())
    longest = max((end - begin for begin, end in past_gaps(lanes.bench)), default=0)
    return (
        f"Rows of requests over the last {WINDOW // MILLISECOND} milliseconds: now "
        f"{words}. The longest gap between two tokens of one is {in_ms(longest)} ms."
    )


def _ground() -> list[Mark]:
    """Legend, bands, and the axis of time."""
    bottom = _top(NEWCOMERS + len(LETTERS))
    marks: list[Mark] = [
        Rect(
            key="newcomers",
            role="surface",
            x=LEFT,
            y=TOP,
            width=RIGHT - LEFT,
            height=NEWCOMERS * ROW + 2,
            hint="rows of newcomers; those below are conversations",
        )
    ]
    x = 4.0
    for role, words, wide in (
        (TOKEN, "a token", 60),
        (PROMPT, "reads prompt", 88),
        (ADAPTER, "adapter loads", 90),
        (WAITS, "waits", 50),
    ):
        marks += _sample(role, words, x, 14)
        x += wide
    marks += _sample(STALL, f"no token for {LONG_GAP // MILLISECOND} ms or more", 4, 31)
    for ago in AGO:
        x = RIGHT - ago * MILLISECOND * SCALE
        name = f"{ago} ms ago" if ago == AGO[0] else str(ago) if ago else "now"
        marks += [
            Line(key=f"tick {ago}", role="grid", points=(x, TOP, x, bottom), stroke=1),
            words_at(
                f"ago {ago}", x, bottom + 14, name, "end" if not ago else "middle"
            ),
        ]
    return marks


def _sample(role: str, words: str, x: float, y: float) -> list[Mark]:
    """A mark as the picture uses it, with what it means."""
    mark: Mark
    if role == TOKEN:
        points = (x, y, x + 5, y, x + 5, y - 9, x + 5, y, x + 10, y)
        mark = Line(key=f"sample {role}", role=role, points=points, stroke=1.2)
    else:
        height = {PROMPT: 9, WAITS: 2.5}.get(role, 4)
        mark = Rect(
            key=f"sample {role}", role=role, x=x, y=y - height, width=10, height=height
        )
    return [mark, words_at(f"means {role}", x + 13, y, words)]


def _entry(entry: Entry, y: float, now: int) -> list[Mark]:
    """What one request got: the adapter, a wait, chunks, tokens."""
    flight, start = entry.flight, now - WINDOW
    base = y + 19
    marks = _before(entry, base, now)
    for begin, end, tokens in entry.chunks:
        if end > start:
            hint = f"{tokens:,} tokens of its prompt, in {in_ms(end - begin)} ms"
            # a little less than its time, to tell one iteration from the next
            end = max(end - 2 * MILLISECOND, begin + MILLISECOND)
            marks += _box(
                f"chunk {begin}", entry, PROMPT, begin, end, base, 15, now, hint
            )
    for end, gap in entry.tokens:
        if gap >= LONG_GAP and end > start:
            begin, end = end - gap, min(end, now)
            if end - begin >= LONG_GAP:
                hint = f"no token for {in_ms(end - begin)} ms"
                marks += _box(
                    f"gap {begin}", entry, STALL, begin, end, base, 4, now, hint
                )
    spikes = _spikes(entry, now, base)
    if spikes:
        written = entry.written - (entry.tokens[-1][0] > now)
        marks.append(
            Line(
                key=f"tokens {flight.request.id}",
                role=TOKEN,
                points=tuple(spikes),
                stroke=1.2,
                hint=f"{written} of {flight.output_tokens} tokens written, after a "
                f"prompt of {flight.request.prompt_tokens:,}",
            )
        )
    return marks


def _before(entry: Entry, base: float, now: int) -> list[Mark]:
    """What came before its first iteration: its adapter's way, and a wait."""
    flight, there = entry.flight, entry.flight.arrival + entry.flight.adapter_wait
    marks: list[Mark] = []
    if flight.cold:
        hint = f"its adapter came after {in_ms(flight.adapter_wait)} ms"
        if not flight.adapter_wait:
            there = now
            hint = f"its adapter is on its way, {in_ms(now - flight.arrival)} ms so far"
        marks += _box("load", entry, ADAPTER, flight.arrival, there, base, 4, now, hint)
    started = flight.started if flight.started >= 0 else now
    hint = f"waits {in_ms(started - there)} ms for its first iteration"
    return marks + _box("wait", entry, WAITS, there, started, base, 2.5, now, hint)


def _box(
    name: str,
    entry: Entry,
    role: str,
    begin: int,
    end: int,
    base: float,
    height: float,
    now: int,
    hint: str,
) -> list[Mark]:
    """A box over the base line, of what there is of it in the window."""
    begin, end = max(begin, now - WINDOW), min(end, now)
    if begin >= end:
        return []
    return [
        Rect(
            key=f"{name} of {entry.flight.request.id}",
            role=role,
            x=RIGHT - (now - begin) * SCALE,
            y=base - height,
            width=(end - begin) * SCALE,
            height=height,
            hint=hint,
        )
    ]


def _spikes(entry: Entry, now: int, base: float) -> list[float]:
    """A line along the base from the first token to the last, up and down at each."""
    start = now - WINDOW
    points: list[float] = []
    for end, gap in entry.tokens:
        if end > now:
            break
        if end >= start:
            x = RIGHT - (now - end) * SCALE
            if not points and gap:
                points += (max(x - gap * SCALE, LEFT), base)
            points += (x, base, x, base - 14, x, base)
    if entry.flight.end < 0 and entry.tokens and entry.tokens[0][0] <= now:
        points += (RIGHT, base) if points else (LEFT, base, RIGHT, base)
    return points


def words_at(
    key: str, x: float, y: float, text: str, anchor: str = "start", role: str = "muted"
) -> Text:
    """Small words."""
    return Text(key=key, role=role, x=x, y=y, text=text, size=11, anchor=anchor)
