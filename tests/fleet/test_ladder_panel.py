"""The ladder's explorable shows what `simulate` finds, however time was cut."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Circle, Line, Rect, Text
from tensorfleet.fleet import simulate
from tensorfleet.fleet.ladder_panel import LadderPanel
from tensorfleet.fleet.ladder_picture import LETTERS, NAMES, explanation
from tensorfleet.fleet.ladder_run import BREAKS, ORDINARY, SITUATIONS, Run
from tensorfleet.router.ladder import RUNGS
from tests.driving import do, marks_of

STEP = 0.5
ACTIONS = st.one_of(
    st.sampled_from([("break", None), ("up", None), ("again", None)]),
    st.tuples(st.just("rung"), st.sampled_from(NAMES)),
    st.tuples(st.just("situation"), st.sampled_from(list(SITUATIONS))),
    st.tuples(st.just("seed"), st.sampled_from([1, 3])),
    st.tuples(st.just("pass"), st.sampled_from([0.05, 0.7])),
    st.tuples(st.just("pick"), st.sampled_from(NAMES)),
)


def finish(panel, step=STEP):
    """Let time pass until the run is over; the figures that are shown then."""
    for _ in range(round(20 / step)):
        panel.advance(step)
    assert panel.run.is_over
    return panel.frame().figures


def found(rung, situation, seed):
    """The figures of the same run by the library at once."""
    scenario = SITUATIONS[situation].scenario
    result = simulate(scenario, RUNGS[rung].policy, seed, config=RUNGS[rung])
    metrics = result.metrics
    begin = scenario.unmeasured * scenario.workload.duration_ns
    compared = [
        flight.decision.rule == "least cost"
        for flight in result.flights
        if flight.arrival >= begin
    ]
    return {
        "requests measured": metrics.requests,
        "good (%)": round(100 * metrics.goodput_share, 1),
        "p99 TTFT (ms)": round(metrics.ttft.p99 / 1e6),
        "hits (%)": round(100 * metrics.hit_rate, 1),
        "cold loads": metrics.cold_loads,
        "decisions that compare (%)": round(100 * sum(compared) / len(compared), 1),
    }, result


@pytest.mark.parametrize(
    ("rung", "situation", "seed", "step"),
    [
        ("hash", "a rush", 3, 0.05),
        ("bound", "a quiet night", 2, 1.0),
        ("residency", "late reports", 3, 0.31),
        ("replication", "one tenant too many", 5, 0.5),
    ],
)
def test_a_run_that_was_watched_ends_as_simulate_does(rung, situation, seed, step):
    panel = LadderPanel(rung=rung, situation=situation, seed=seed)
    figures = finish(panel, step)
    expected, result = found(rung, situation, seed)
    assert {name: figures[name] for name in expected} == expected
    # The curve has the longest wait of each bin, by the end of the wait.
    bins = {}
    for flight in result.flights:
        if flight.first_token >= 0:
            place = flight.first_token // (SITUATIONS[situation].bin * 10**9)
            bins.setdefault(place, []).append(flight.first_token - flight.arrival)
    shown = {place: wait for place, wait in enumerate(panel.run.slowest) if wait}
    assert shown == {place: max(waits) for place, waits in bins.items()}
    assert not panel.run.open
    assert not panel.run.unread


def test_figures_on_the_way_are_of_requests_that_have_ended():
    panel = LadderPanel(rung="hash", situation="a rush")
    for _ in range(70):
        panel.advance(0.1)
        run = panel.run
        ended = [f for f in run.simulation.flights if f.status != "flying"]
        measured = [f for f in ended if f.arrival >= run.begin] or ended
        figures = panel.frame().figures
        assert figures["requests measured"] == len(measured)
        good = sum(map(run.situation.scenario.slo.is_met, measured))
        assert run.tally.good == good
    assert 0 < figures["good (%)"] < 70


def test_before_anything_has_ended_there_is_no_share():
    panel = LadderPanel()
    scene = panel.frame()
    assert panel.run.tally.ended == 0
    for name in ("good (%)", "hits (%)", "decisions that compare (%)", "p99 TTFT (ms)"):
        assert scene.figures[name] == "none yet"
    assert "none has ended yet" in scene.pictures[0].alt
    assert not [key for key in marks_of(panel, Text) if key.startswith("good ")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rung", "seed"), [*((rung, 3) for rung in NAMES[:-1]), ("floor", 2), ("floor", 4)]
)
def test_what_is_said_to_break_a_rung_does_so_and_the_next_rung_mends_it(rung, seed):
    """In the column to watch, more is better but for waits and comparisons."""
    panel = LadderPanel(rung=rung, seed=seed)
    panel.act("break")
    watched = {
        "good": "good (%)",
        "hits": "hits (%)",
        "p99 TTFT": "p99 TTFT (ms)",
        "compared": "decisions that compare (%)",
    }[BREAKS[rung].watch]
    broken = finish(panel)[watched]
    panel.act("up")
    mended = finish(panel)[watched]
    if BREAKS[rung].watch in ("p99 TTFT", "compared"):
        assert mended < 0.9 * broken
    else:
        assert mended > 1.02 * broken


def test_bars_show_what_instances_report():
    panel = LadderPanel(rung="hash", situation="a rush")
    for _ in range(12):
        panel.advance(STEP)
    bars = marks_of(panel, Rect)
    hot = SITUATIONS["a rush"].hot
    circles = marks_of(panel, Circle)
    widths = {}
    for name, instance in panel.run.simulation.instances.items():
        report = instance.report("test", panel.run.simulation.now)
        widths[name] = report.running + report.waiting
        wide = bars[f"running {name}"].width + bars[f"waiting {name}"].width
        assert wide <= bars[f"peak {name}"].width + 1e-9
        assert f"{report.running} requests" in bars[f"running {name}"].hint
        assert (f"hot {name}" in circles) == (hot in report.resident)
    fullest = max(widths, key=widths.get)
    assert widths[fullest] > 256 > sum(widths.values()) - widths[fullest]
    assert bars[f"waiting {fullest}"].width > 0
    # Some 300 are waiting, and the one home is the only one to hold the adapter.
    assert [key for key in circles if key.startswith("hot ")] == [f"hot {fullest}"]


@given(st.lists(ACTIONS, max_size=5))
@settings(max_examples=15, deadline=None)
def test_every_action_leaves_a_frame_and_the_same_frame_again(actions):
    panel, again = LadderPanel(), LadderPanel()
    for name, value in actions:
        do(panel, name, value)
        frame = panel.frame()
        json.dumps(frame.to_dict(), allow_nan=False)
        frame.to_svg()
        picks = [m.pick for p in frame.pictures for m in p.marks if m.pick]
        assert picks == list(NAMES)
        for mark in marks_of(panel, Text).values():
            assert mark.size >= 11
            assert 0 <= mark.x <= 340
        do(again, name, value)
    assert panel.frame().to_dict() == again.frame().to_dict()


def test_explanations_fit_below_the_rungs():
    for name, situation in SITUATIONS.items():
        panel = LadderPanel(situation=name)
        for rung in NAMES:
            assert len(explanation(rung, name, situation)) < 5 * (LETTERS - 8)
            panel.state["rung"] = rung
            lines = [m for k, m in marks_of(panel, Text).items() if k[:4] == "why "]
            assert 1 <= len(lines) <= 5
            height = panel.frame().pictures[0].height
            assert max(line.y for line in lines) < height - 4


def test_results_are_kept_of_whole_runs_and_forgotten_with_the_seed():
    panel = LadderPanel()
    finish(panel)
    panel.act("up")
    assert set(panel.kept) == {(ORDINARY, "hash")}
    panel.advance(1)
    panel.act("up")  # in the middle of the run
    assert set(panel.kept) == {(ORDINARY, "hash")}
    panel.advance(1)
    lines = marks_of(panel, Line)
    assert "wait hash" in lines
    assert "wait bound" not in lines
    assert len(lines["wait floor"].points) < len(lines["wait hash"].points)
    panel.act("situation", "at the limit")
    assert "wait hash" not in marks_of(panel, Line)
    panel.act("situation", ORDINARY)
    assert "wait hash" in marks_of(panel, Line)
    panel.act("seed", 4)
    assert not panel.kept


def test_the_top_of_the_ladder_and_unknown_rungs():
    panel = LadderPanel(rung="replication")
    panel.advance(1)
    before = panel.run
    panel.act("up")
    assert panel.run is before
    assert panel.frame().log == ("this is the highest rung",)
    with pytest.raises(ValueError, match="'harsh': it must be one of hash, bound"):
        panel.pick("harsh")


def test_breaking_a_rung_brings_its_situation_and_time_goes_on_from_zero():
    assert set(BREAKS) == set(RUNGS)
    for rung, broken in BREAKS.items():
        panel = LadderPanel(rung=rung)
        panel.advance(0.2)
        panel.act("break")
        assert panel.state == {"rung": rung, "situation": broken.situation, "seed": 3}
        assert panel.run.simulation.now == 0


def test_no_run_is_longer_than_its_axis():
    """The longest are those in which work piles up."""
    for name in ("a rush", "one tenant too many", "at the limit"):
        run = Run(SITUATIONS[name], "hash", 3)
        while not run.is_over:
            run.advance(10**9)
        assert run.simulation.now <= SITUATIONS[name].span * 10**9


# --- three things to try ---------------------------------------------------------


def test_first_thing_a_rush_breaks_hash_and_the_bound_mends_it():
    panel = LadderPanel()
    assert finish(panel)["good (%)"] == 100
    panel.act("break")
    alone = finish(panel)
    peaks = sorted(panel.run.peaks.values())
    assert peaks[-1] > 500 > 10 * peaks[-2]
    assert max(panel.run.slowest) > 10 * 10**9
    panel.act("up")
    bounded = finish(panel)
    assert alone["good (%)"] < 40
    assert 85 < bounded["good (%)"] < 95


def test_second_thing_a_quiet_night_breaks_the_bound_and_the_floor_mends_it():
    panel = LadderPanel()
    panel.pick("bound")
    panel.act("break")
    bounded = finish(panel)
    panel.act("up")
    floored = finish(panel)
    panel.pick("hash")
    alone = finish(panel)
    assert bounded["hits (%)"] < 70 < 74 < floored["hits (%)"] < alone["hits (%)"]
    assert bounded["cold loads"] > 200 > 170 > floored["cold loads"]
    assert {figures["good (%)"] for figures in (bounded, floored, alone)} == {100}


def test_third_thing_replication_saves_comparing():
    panel = LadderPanel()
    panel.pick("two choices")
    panel.act("break")
    two = finish(panel)
    panel.act("up")
    more = finish(panel)
    assert min(two["good (%)"], more["good (%)"]) > 99
    name = "decisions that compare (%)"
    assert 20 < two[name] < 26
    assert 9 < more[name] < 13
