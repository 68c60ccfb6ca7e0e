"""The instance explorable shows what the instance did, whatever is done to it."""

import json
from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Line, Rect, Text
from tensorfleet.fleet.instance_bench import KEPT
from tensorfleet.fleet.instance_lanes import RANK, WHOLE
from tensorfleet.fleet.instance_panel import GPU, InstancePanel
from tensorfleet.fleet.instance_panel_gantt import SCALE, WINDOW
from tensorfleet.fleet.machines import HUB, MILLISECOND
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.router.messages import AdapterKey
from tests.driving import do
from tests.fleet.fleets import ScriptedRouter, fleet

NEWCOMERS = [("long", None), ("short", None), ("cold", None)]
LIVE = st.one_of(
    st.sampled_from(NEWCOMERS),
    st.tuples(st.just("streams"), st.integers(1, 8)),
    st.tuples(st.just("pass"), st.sampled_from([0.0, 0.05, 0.4, 1.0])),
    st.tuples(st.just("speed"), st.sampled_from([20, 100, 500])),
)
ACTIONS = st.one_of(
    LIVE,
    st.tuples(st.just("chunked"), st.booleans()),
    st.tuples(st.just("budget"), st.sampled_from([256, 512, 2048, 8192])),
)


def let(panel, milliseconds):
    """So much of the instance's time passes, and some more."""
    for _ in range(-(-milliseconds * 20 // panel.state["speed"])):
        panel.advance(0.05)


def marks_of(panel, kind, begins, picture=0):
    return [
        mark
        for mark in panel.frame().pictures[picture].marks
        if isinstance(mark, kind) and mark.key.startswith(begins)
    ]


def spikes(panel):
    """The times of all spikes that are drawn, in nanoseconds, roughly."""
    found = []
    for line in marks_of(panel, Line, "tokens "):
        base = max(line.points[1::2])
        found += [
            panel.bench.now - (350 - x) / SCALE
            for x, y in zip(line.points[::2], line.points[1::2], strict=True)
            if y < base
        ]
    return found


def is_valid(panel):
    """The frame can be painted, and no words lie over others or outside."""
    frame = panel.frame()
    json.dumps(frame.to_dict(), allow_nan=False)
    frame.to_svg()
    assert 3 <= len(frame.figures) <= 8
    for picture in frame.pictures:
        boxes = []
        for mark in picture.marks:
            if isinstance(mark, Text) and mark.text:
                assert mark.size >= 11
                wide = 0.5 * mark.size * len(mark.text)
                shift = {"start": 0, "middle": wide / 2, "end": wide}[mark.anchor]
                boxes.append((mark.x - shift, mark.x - shift + wide, mark.y, mark.text))
        for left, right, y, text in boxes:
            assert left >= -2, text
            assert right <= picture.width + 2, text
            assert 10 <= y <= picture.height - 2, text
        for (l1, r1, y1, one), (l2, r2, y2, other) in combinations(boxes, 2):
            apart = r1 <= l2 or r2 <= l1 or abs(y1 - y2) >= 11
            assert apart, (one, other)


@settings(max_examples=25, deadline=None)
@given(st.lists(ACTIONS, max_size=14))
def test_every_frame_shows_what_the_bench_wrote_down(actions):
    panel = InstancePanel()
    for name, value in actions:
        do(panel, name, value)
        is_valid(panel)
        bench, frame = panel.bench, panel.frame()
        figures, start = frame.figures, panel.bench.now - WINDOW
        lanes = [*panel.lanes.newcomers, *panel.lanes.conversations]
        entries = [entry for lane in lanes for entry in lane.entries]
        # One after the other in a lane.
        for lane in lanes:
            assert sum(entry.flight.end < 0 for entry in lane.entries) <= lane.is_taken
        # A spike for each token, where it was written.
        tokens = sorted(
            end
            for entry in entries
            for end, _ in entry.tokens
            if start < end <= bench.now
        )
        shown = sorted(spikes(panel))
        assert len(shown) == len(tokens)
        assert all(abs(x - y) < MILLISECOND for x, y in zip(shown, tokens, strict=True))
        assert figures["tokens written a second"] == len(tokens) * 1000 // 700
        # A box for each iteration that read of a prompt.
        chunks = [
            (max(begin, start), min(end, bench.now))
            for entry in entries
            for begin, end, _ in entry.chunks
            if end - 2 * MILLISECOND > start and begin < bench.now
        ]
        boxes = marks_of(panel, Rect, "chunk ")
        assert len(boxes) == len(chunks)
        wide = sum(box.width for box in boxes) / SCALE
        assert abs(wide - sum(e - b for b, e in chunks)) <= 2.1e6 * len(chunks)
        # A thick line for each gap of 40 ms, and no other.
        long_gaps = [
            gap
            for entry in entries
            for end, gap in entry.tokens
            if end > start and min(end, bench.now) - (end - gap) >= 40 * MILLISECOND
        ]
        assert len(marks_of(panel, Rect, "gap ")) == len(long_gaps)
        # The figure knows of none that is longer.
        longest = max(
            (
                min(end, bench.now) - (end - gap)
                for entry in entries
                for end, gap in entry.tokens
                if end > start and gap
            ),
            default=0,
        )
        assert figures["longest gap shown (ms)"] == round(longest / MILLISECOND, 1)
        if panel.state["chunked"]:
            assert figures["token budget"] == panel.state["budget"]
        else:
            assert figures["token budget"] == "none"


@settings(max_examples=15, deadline=None)
@given(st.lists(LIVE, max_size=12), st.sampled_from([0, 256, 2048]))
def test_the_fast_instance_serves_the_same_requests_at_the_same_times(actions, budget):
    """The panel's requests, sent to a fleet of one that steps through nothing."""
    panel = InstancePanel(chunked=bool(budget), budget=budget or 512)
    known = {}
    for name, value in [*actions, ("pass", 1.0)]:
        do(panel, name, value)
        for lane in (*panel.lanes.newcomers, *panel.lanes.conversations):
            known |= {entry.flight.request.id: entry.flight for entry in lane.entries}
    while panel.bench.entries:
        panel.lanes.wanted = 0
        panel.advance(1.0)
    flights = [known[number] for number in sorted(known)]
    assert len(flights) == panel.lanes.num_requests
    arrivals = [
        (flight.arrival, flight.request, flight.output_tokens) for flight in flights
    ]
    config = replace(GPU, token_budget=budget or WHOLE)
    # Cold adapters are let go after use, so each request for one has one of its own.
    for place, (time, asked, tokens) in enumerate(arrivals):
        if asked.key.adapter != "hot":
            own = AdapterKey(f"cold {asked.id}", asked.key.model)
            arrivals[place] = (time, replace(asked, key=own), tokens)
    one = fleet(config, hub=HUB, rank_of=lambda key: RANK)
    fast = Simulation(one, [ScriptedRouter()], arrivals).run()
    for flight, other in zip(flights, fast, strict=True):
        assert flight.first_token == other.first_token
        assert flight.end == other.end
        assert flight.adapter_wait == other.adapter_wait


@settings(max_examples=10, deadline=None)
@given(st.lists(ACTIONS, max_size=10))
def test_the_same_actions_give_the_same_frames(actions):
    one, other = InstancePanel(), InstancePanel()
    for name, value in actions:
        do(one, name, value)
        do(other, name, value)
        assert one.frame().to_dict() == other.frame().to_dict()


def test_time_passes_as_fast_as_it_is_told():
    panel = InstancePanel(speed=20)
    then = panel.bench.now
    panel.advance(0.5)
    assert panel.bench.now - then == 10 * MILLISECOND
    panel.act("speed", 500)
    panel.advance(0.1)
    assert panel.bench.now - then == 60 * MILLISECOND


# --- the three things to try -----------------------------------------------------


def test_a_long_prompt_in_one_piece_stops_everyone():
    panel = InstancePanel()
    panel.act("long")
    let(panel, 300)
    # In the middle of it: no token for a while, for nobody.
    quiet = panel.bench.now - 250 * MILLISECOND
    assert not [time for time in spikes(panel) if time > quiet]
    stalled = {
        mark.key.split()[-1]
        for mark in marks_of(panel, Rect, "gap ")
        if mark.x + mark.width > 349
    }
    # The six conversations, and the long prompt's predecessor, which still decodes.
    assert len(stalled) == len(panel.bench.entries) - 1
    let(panel, 300)
    figures = panel.frame().figures
    assert 440 < figures["meanwhile the others' longest gap (ms)"] < 450
    assert figures["longest gap shown (ms)"] > 440


@pytest.mark.parametrize("pause", range(0, 1000, 91))
def test_in_chunks_it_stops_nobody_and_its_own_token_is_little_later(pause):
    panel = InstancePanel()
    whole = panel.frame().figures["last newcomer: first token after (ms)"]
    panel.act("chunked", True)
    let(panel, pause)
    panel.act("long")
    let(panel, 1300)
    figures = panel.frame().figures
    assert figures["meanwhile the others' longest gap (ms)"] < 20
    assert not marks_of(panel, Rect, "gap ")
    ratio = figures["last newcomer: first token after (ms)"] / whole
    assert 1.03 < ratio <= 1.1


@pytest.mark.parametrize("budget", [0, 256, 512, 2048])
def test_chunks_do_not_help_those_that_come_behind(budget):
    """A short prompt, 20 ms later, waits for the long one with chunks and without."""
    panel = InstancePanel(chunked=bool(budget), budget=budget or 512)
    let(panel, 1000)
    panel.act("short")
    let(panel, 100)
    alone = panel.frame().figures["last newcomer: first token after (ms)"]
    assert alone < 40
    panel.act("long")
    let(panel, 20)
    panel.act("short")
    let(panel, 900)
    long, short = (newcomer.entry for newcomer in list(panel.sent)[-2:])
    assert short.chunks[0][0] >= long.chunks[-1][0]
    assert short.flight.first_token >= long.flight.first_token
    waited = panel.frame().figures["last newcomer: first token after (ms)"]
    assert waited > max(400, 10 * alone)


# --- who comes -------------------------------------------------------------------


def test_there_is_room_for_four_newcomers():
    panel = InstancePanel()
    let(panel, 1000)
    for _ in range(5):
        panel.act("short")
    assert "are taken" in panel.frame().log[0]
    assert len(panel.bench.entries) <= 6 + 4
    let(panel, 1000)
    panel.act("short")
    assert "a prompt of 500 tokens comes" in panel.frame().log[0]


def test_a_cold_adapter_is_fetched_each_time_and_delays_nobody_else():
    panel = InstancePanel()
    let(panel, 1000)
    for _ in range(5):
        panel.act("cold")
        let(panel, 60)
        assert "on its way" in marks_of(panel, Rect, "load ")[-1].hint
        assert panel.frame().figures["longest gap shown (ms)"] < 15
        let(panel, 900)
        (first, *_) = (newcomer.entry.flight for newcomer in list(panel.sent)[-1:])
        # 100 ms to the first byte, then 52 MiB over a link, and over PCIe
        assert 110 < first.adapter_wait / MILLISECOND < 130


def test_conversations_come_and_go_as_wanted():
    panel = InstancePanel(streams=1)
    panel.act("streams", 8)
    let(panel, 400)
    assert sum(lane.is_taken for lane in panel.lanes.conversations) == 8
    panel.act("streams", 2)
    let(panel, 3000)
    taken = [lane.name for lane in panel.lanes.conversations if lane.is_taken]
    assert taken == ["A", "B"]
    names = {mark.text for mark in marks_of(panel, Text, "name ")}
    assert names == {"A", "B"}


def test_it_can_run_for_hours():
    """What is remembered is bounded, and what is kept is enough for the picture."""
    fastest = GPU.costs.step_ns([1])
    assert KEPT * fastest > WINDOW
    panel = InstancePanel(streams=8, speed=500, chunked=True, budget=256)

    def pass_minutes():
        sizes = []
        for step in range(240):
            panel.act(("long", "short", "cold")[step % 3])
            panel.advance(1.0)
            sizes.append(
                (
                    len(panel.bench.queue.heap),
                    len(panel.lanes._lanes),
                    len(panel.bench.instance.store.adapters),
                    sum(len(picture.marks) for picture in panel.frame().pictures),
                )
            )
        return [max(size) for size in zip(*sizes, strict=True)]

    heap, lanes, adapters, marks = sizes = pass_minutes()
    assert (heap < 30, lanes <= 12, adapters <= 5, marks < 400) == (True,) * 4
    again = pass_minutes()
    for sooner, later in zip(sizes, again, strict=True):
        assert later <= 1.3 * sooner
