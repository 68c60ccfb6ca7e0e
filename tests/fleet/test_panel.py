"""The fleet explorable shows what the library's router and simulator do, and no less.

What is shown is compared with a second simulation, which nobody looks at and which
forgets nothing.
"""

import json
import re
from itertools import combinations, islice, pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Circle, Rect, Text
from tensorfleet.fleet.live import LiveArrivals, Tables
from tensorfleet.fleet.live_fleet import ADAPTERS, MOST_INSTANCES
from tensorfleet.fleet.metrics import measure
from tensorfleet.fleet.panel import WARM_UP_NS, FleetPanel, SmallFleetPanel
from tensorfleet.fleet.panel_cells import QUEUE, work_left
from tensorfleet.fleet.running import build
from tensorfleet.fleet.waterfall import PARTS, parts, tpot_ns
from tensorfleet.router.policies import POLICIES

SECOND = 10**9
MS = 10**6
TABLES = Tables.conversations()
FleetPanel.tables = TABLES  # made once for all tests


def go(panel, seconds, step=0.25):
    for _ in range(round(seconds / step)):
        panel.advance(step)


def picture(panel, key):
    return next(one for one in panel.frame().pictures if one.key == key)


def texts(panel, key):
    return {m.key: m.text for m in picture(panel, key).marks if isinstance(m, Text)}


def check(panel):
    """A frame that any painter can take: readable, finite, nothing over the edge."""
    scene = panel.frame()
    for run in panel.fleet.runs:
        flying = [f for f in run.simulation.flights if f.status == "flying"]
        assert run.waiting() == [f for f in flying if f.generation < 0]
    json.dumps(scene.to_dict(), allow_nan=False)
    scene.to_svg()
    assert 3 <= len(scene.figures) <= 8
    total = 0
    for shown in scene.pictures:
        assert 320 <= shown.width <= 360
        total += len(shown.marks)
        words = [mark for mark in shown.marks if isinstance(mark, Text) and mark.text]
        for mark in words:
            assert 11 <= mark.size <= 14
            left, top, right, bottom = box(mark)
            assert left >= -1
            assert right <= shown.width + 1, mark
            assert top >= 0
            assert bottom <= shown.height
        for one, other in combinations(words, 2):
            assert not overlap(box(one), box(other)), (one, other)
        for mark in shown.marks:
            if isinstance(mark, Rect):
                assert mark.x >= -1
                assert mark.x + mark.width <= shown.width + 1
    assert total <= 560
    return scene


def box(mark):
    """What the words cover, a letter being half as wide as high, and a bit."""
    width = mark.size * 0.53 * len(mark.text)
    left = mark.x - {"start": 0, "middle": width / 2, "end": width}[mark.anchor]
    return left, mark.y - mark.size * 0.75, left + width, mark.y + mark.size * 0.1


def overlap(one, other):
    across = min(one[2], other[2]) - max(one[0], other[0])
    return across > 1 and min(one[3], other[3]) - max(one[1], other[1]) > 1


# --- against a simulation that nobody looks at ----------------------------------------


@pytest.mark.parametrize(
    "state",
    [
        {"right": "lora_affinity"},
        {"left": "notes", "right": "all_resident", "seed": 7, "zipf": 0.5},
        {"left": "round_robin", "right": "none", "instances": 5, "rate": 60},
        {"right": "bounded_hash", "report_age": 2.5, "epsilon": 0.2, "routers": 3},
    ],
)
def test_the_figures_are_those_of_the_librarys_simulator(state):
    panel = FleetPanel(**state)
    go(panel, 10)
    figures = panel.frame().figures
    wanted = panel._settings()
    scenario = wanted.scenario()
    for side, policy in wanted.policies.items():
        arrivals = LiveArrivals(
            TABLES,
            adapters=ADAPTERS,
            seed=wanted.seed,
            rate=wanted.rate,
            exponent=wanted.exponent,
        )
        plain = build(scenario, policy, wanted.seed, wanted.config, arrivals)
        plain.advance(WARM_UP_NS + 10 * SECOND)
        since = plain.now - 5 * SECOND
        ended = [flight for flight in plain.flights if flight.end > since]
        busy = dict.fromkeys(plain.instances, 1)
        measured = measure(ended, scenario.slo, busy)
        side = f"{side}: " if len(wanted.policies) > 1 else ""
        assert figures[f"{side}p99 TTFT (ms)"] == round(measured.ttft.p99 / MS)
        assert figures[f"{side}cold loads in 5 s"] == measured.cold_loads
        for name, share in (
            ("good requests (%)", measured.goodput_share),
            ("hit rate (%)", measured.hit_rate),
        ):
            assert figures[f"{side}{name}"] == int(share * 1000 + 1e-9) / 10
        # And what stands in each box.
        run = next(run for run in panel.fleet.runs if run.policy == policy)
        shown = texts(panel, f"{run.side} fleet")
        assert shown["under way"] == f"{plain.num_flying} under way"
        for name, instance in plain.instances.items():
            running = len(instance.running)
            waiting = instance.num_requests - running
            counts = f"{running}+{waiting}" if waiting else f"{running}"
            assert shown[f"{name} counts"] == counts
            work = instance.report("nobody", plain.now).work_ns
            assert work_left(run)[name] == work


def test_bars_ghosts_and_squares_stand_for_work_beliefs_and_adapters():
    panel = FleetPanel(report_age=3.0)
    go(panel, 5)
    for run in panel.fleet.runs:
        marks = {mark.key: mark for mark in picture(panel, f"{run.side} fleet").marks}
        full = marks["scale"].text.removeprefix("bars: ").removesuffix(" s of work")
        scale = 56 / (float(full) * SECOND)
        off = 0
        for name, work in work_left(run).items():
            believed = run.router.members.instances[name].work
            assert marks[f"{name} work"].width == pytest.approx(work * scale, abs=0.3)
            assert marks[f"{name} believed"].width == pytest.approx(
                believed * scale, abs=0.3
            )
            assert marks[f"{name} believed"].role == "ghost"
            off = max(off, abs(believed - work))
            resident, loading = run.instances[name].store.contents()
            for key, role in panel.fleet.colours.items():
                square = marks.get(f"{name} {key.adapter}")
                assert (square is not None) == (key in resident or key in loading)
                assert square is None or square.role == role
        assert f"off by {off // MS:,}" in run_alt(panel, run) or off < 2 * MS


def run_alt(panel, run):
    panel._beside.clear()  # words are made once in a second
    return picture(panel, f"{run.side} fleet").alt


def test_dots_leave_the_router_and_come_to_their_instance():
    panel = FleetPanel(rate=10, speed=0.1)
    seen = {}
    for _ in range(60):
        panel.advance(0.1)
        shown = picture(panel, "left fleet")
        for mark in shown.marks:
            if isinstance(mark, Circle) and mark.pick:
                far = abs(mark.x - 170) + abs(mark.y - 210)
                seen.setdefault(mark.pick, []).append(far)
    tracks = [track for track in seen.values() if len(track) >= 3]
    assert tracks
    for track in tracks:
        assert all(later > before for before, later in pairwise(track))


def test_queues_show_who_waits_first():
    panel = FleetPanel(left="consistent_hash", right="none")
    go(panel, 15)
    run = panel.fleet.runs[0]
    worst = max(run.instances.values(), key=lambda one: one.num_requests)
    place = list(run.instances).index(worst.config.name)
    box = next(m for m in picture(panel, "left fleet").marks if m.key == f"gpu-{place}")
    inside = [
        mark.key
        for mark in picture(panel, "left fleet").marks
        if isinstance(mark, Circle)
        and not mark.pick
        and box.x <= mark.x <= box.x + box.width
        and box.y <= mark.y <= box.y + box.height
    ]
    waiting = [
        flight
        for flight in run.simulation.flights
        if flight.instance == worst.config.name
        and flight.started < 0
        and flight.arrival <= run.now - 0.4 * SECOND
    ]
    assert len(waiting) > QUEUE
    expected = [f"request {flight.request.id}" for flight in waiting[:QUEUE]]
    assert inside == expected


# --- whatever is done to it -----------------------------------------------------------

ACTIONS = st.one_of(
    st.tuples(
        st.sampled_from(["crowd", "publish", "kill", "slow", "add", "go_on"]),
        st.none(),
    ),
    st.tuples(st.just("pick"), st.integers(0, 20)),
    st.tuples(st.just("look"), st.integers(0, 5)),
    st.tuples(st.just("rate"), st.sampled_from([10, 100, 200])),
    st.tuples(st.just("zipf"), st.sampled_from([0.0, 1.0, 2.0])),
    st.tuples(st.just("speed"), st.sampled_from([0.0, 0.3, 2.0])),
    st.tuples(st.just("left"), st.sampled_from(sorted(POLICIES))),
    st.tuples(st.just("right"), st.sampled_from(["none", *sorted(POLICIES)])),
    st.tuples(st.just("instances"), st.sampled_from([4, 16])),
    st.tuples(st.just("report_age"), st.sampled_from([0.1, 5.0])),
    st.tuples(st.just("routers"), st.sampled_from([1, 4])),
    st.tuples(st.just("max_replicas"), st.sampled_from([1, 16])),
)


def act(panel, name, value):
    if name == "pick":
        panel.pick(f"gpu-{value % len(panel.fleet.names)}")
    elif name == "look":
        run = panel.fleet.runs[value % len(panel.fleet.runs)]
        flights = [*run.simulation.flights[-3:], *run.slowest]
        panel.pick(f"{run.side} {flights[value % len(flights)].request.id}")
    else:
        panel.act(name, value)


@given(st.lists(ACTIONS, max_size=6))
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_action_leaves_a_readable_frame_and_the_same_one_again(actions):
    panel, twin = FleetPanel(), FleetPanel()
    for name, value in actions:
        for one in (panel, twin):
            act(one, name, value)
        check(panel)  # the twin is not looked at
        for one in (panel, twin):
            go(one, 1.0, 0.5)
    assert check(panel).to_dict() == twin.frame().to_dict()


@pytest.mark.parametrize(
    "state",
    [
        {"instances": 16, "rate": 200, "right": "consistent_hash", "report_age": 5.0},
        {"instances": 4, "rate": 200, "zipf": 2.0, "left": "random", "right": "notes"},
        {"left": "least_outstanding", "right": "residency_first", "zipf": 0.0},
    ],
)
def test_extremes_are_readable(state):
    panel = FleetPanel(**state)
    panel.act("slow")
    panel.pick(panel.fleet.names[-1])
    panel.act("slow")
    panel.pick("gpu-1")
    panel.act("slow")
    panel.pick("gpu-2")
    panel.act("slow")
    panel.act("kill")
    panel.act("crowd")
    go(panel, 12)
    check(panel)
    for run in panel.fleet.runs:
        panel.pick(f"{run.side} {run.slowest[0].request.id}")
        check(panel)
        panel.advance(0.5)
        check(panel)
        panel.act("go_on")


def test_how_time_is_cut_into_frames_does_not_matter():
    coarse, fine = FleetPanel(), FleetPanel()
    for panel, step in ((coarse, 0.5), (fine, 0.05)):
        go(panel, 5, step)
        panel.act("crowd")
        go(panel, 5, step)
    assert coarse.frame().to_dict() == fine.frame().to_dict()


def test_both_sides_serve_the_same_requests():
    panel = FleetPanel(right="tensorfleet")
    panel.act("crowd")
    go(panel, 6)
    left, right = panel.fleet.runs
    assert [f.request for f in left.simulation.flights] == [
        f.request for f in right.simulation.flights
    ]
    figures = panel.frame().figures
    for name, value in figures.items():
        if name.startswith("left"):
            assert value == figures[name.replace("left", "right")]


def test_rate_and_popularity_change_what_goes_on_and_the_rest_begins_again():
    panel = FleetPanel()
    go(panel, 4)
    panel.act("rate", 200)
    panel.act("zipf", 2.0)
    assert panel.fleet.now == WARM_UP_NS + 4 * SECOND
    before = panel.fleet.runs[0].simulation.num_arrived
    go(panel, 4)
    arrived = panel.fleet.runs[0].simulation.num_arrived - before
    assert arrived == pytest.approx(800, rel=0.15)
    flights = panel.fleet.runs[0].simulation.flights[-400:]
    hottest = sum(flight.request.key.adapter == "adapter-0" for flight in flights)
    assert hottest > len(flights) / 2
    panel.act("epsilon", 1.0)
    assert panel.fleet.now == WARM_UP_NS


def test_instances_die_slow_down_come_back_and_join():
    panel = FleetPanel(right="none")
    run = panel.fleet.runs[0]
    panel.pick("gpu-5")
    panel.act("kill")
    go(panel, 4)
    assert texts(panel, "left fleet")["gpu-5 counts"] == "down"
    assert "gpu-5" not in run.pool
    assert any("sends nothing to gpu-5" in line for line in panel.frame().log)
    panel.act("kill")
    go(panel, 12)  # those that it lost count against it for ten seconds
    assert run.instances["gpu-5"].is_up
    assert "gpu-5" in run.pool
    panel.act("slow")
    assert texts(panel, "left fleet")["gpu-5 number"] == "5 slow"
    panel.act("slow")
    assert texts(panel, "left fleet")["gpu-5 number"] == "5"
    for _ in range(MOST_INSTANCES):
        panel.act("add")
    assert len(run.instances) == MOST_INSTANCES
    assert "no place" in panel.fleet.events[-1]
    go(panel, 3)
    assert run.instances["gpu-15"].num_requests > 0
    check(panel)


def test_a_new_revision_comes_to_all_who_hold_the_adapter():
    panel = FleetPanel(right="none")
    go(panel, 3)
    panel.act("publish")
    log = []
    for _ in range(50):
        panel.advance(1.0)
        log += panel.frame().log
    assert any("canary" in line for line in log)
    assert any("revision 1 of adapter-0: served by all" in line for line in log)
    run = panel.fleet.runs[0]
    held = [
        one.store.contents()[0].get(panel.fleet.keys[0])
        for one in run.instances.values()
    ]
    assert set(held) <= {1, None}
    assert 1 in held


def test_nothing_is_picked_that_is_not_there():
    panel = FleetPanel()
    for value in ("gpu-8", "middle 3", "left x", "left ", "left ²", ""):
        with pytest.raises(ValueError, match="there is no"):
            panel.pick(value)
    panel.pick("left 999999")
    assert panel.selected is None
    assert "not remembered" in panel.frame().log[0]


def test_what_is_remembered_does_not_grow():
    panel = FleetPanel(right="none", rate=50, instances=4, speed=2.0)
    sizes = []
    for _ in range(4):
        for _ in range(30):
            panel.advance(1.0)
            panel.act("slow")
        run = panel.fleet.runs[0]
        sizes.append(
            (
                len(panel.fleet.recording) // 50,
                len(run.past.deeds),
                len(run.samples),
                len(panel.fleet.events),
            )
        )
    for kinds in zip(*sizes, strict=True):
        assert max(kinds[1:]) <= 1.3 * kinds[0] + 3
    assert len(run.recent) < 3 * 5 * 50


# --- one request ----------------------------------------------------------------------


def finish_replay(panel, seconds=60):
    for _ in range(seconds):
        panel.advance(1.0)
        if panel.replay.is_over:
            return
    raise AssertionError("the replay does not end")


def test_a_waterfall_is_where_the_time_went():
    panel = FleetPanel(zipf=0.3)
    go(panel, 12)
    for run in panel.fleet.runs:
        for flight in islice(run.recent, 50):
            known = parts(flight)
            assert len(known) == len(PARTS)
            assert min(known) >= 0
            assert sum(known) == flight.end - flight.arrival
            assert known[2] == flight.adapter_wait
            if flight.output_tokens > 1:
                assert tpot_ns(flight) == known[5] // (flight.output_tokens - 1)
    flight = panel.fleet.runs[0].slowest[0]
    panel.pick(f"left {flight.request.id}")
    now = panel.fleet.now
    panel.advance(1.0)
    assert panel.fleet.now == now  # the time stands still
    shown = texts(panel, "request")
    assert shown["took adapter load"] == f"{flight.adapter_wait / MS:,.1f} ms"
    bars = {m.key: m for m in picture(panel, "request").marks if isinstance(m, Rect)}
    ratio = bars["bar decode"].width / bars["bar adapter load"].width
    assert ratio == pytest.approx(parts(flight)[5] / parts(flight)[2])
    panel.act("go_on")
    panel.advance(1.0)
    assert panel.fleet.now > now


def test_a_request_is_replayed_while_the_reader_has_stopped_the_time():
    panel, other = FleetPanel(), FleetPanel()
    for one in (panel, other):
        go(one, 5)
        one.pick(f"left {one.fleet.runs[0].slowest[0].request.id}")
    while panel.frame().busy:
        panel.work()
    assert panel.replay.is_over
    finish_replay(other)
    assert panel.frame().to_json() == other.frame().to_json()


def test_what_the_reader_did_is_said_and_stays_to_be_read():
    panel = FleetPanel()
    for action, words in (
        ("kill", "gpu-0 has crashed"),
        ("crowd", "a crowd asks for"),
        ("go_on", "click a request"),
    ):
        panel.act(action)
        go(panel, 4)
        scene = panel.frame()
        assert words in scene.said
        assert scene.log[0] == scene.said
    panel.pick("gpu-3")
    assert panel.frame().said == "gpu-3 is chosen"
    flight = panel.fleet.runs[1].slowest[0]
    panel.pick(f"right {flight.request.id}")
    assert panel.frame().said == picture(panel, "request").alt


@pytest.mark.parametrize(("name", "other"), [("replicas", 4), ("max_replicas", 1)])
def test_the_fewest_replicas_are_never_more_than_the_most(name, other):
    panel = FleetPanel(replicas=2, max_replicas=3)
    panel.act(name, other)
    assert panel.state["replicas"] == panel.state["max_replicas"] == other


def test_a_request_under_way_is_shown_as_it_will_be():
    panel = FleetPanel(instances=4, rate=50)
    go(panel, 3)
    run = panel.fleet.runs[1]
    flight = run.simulation.flights[-1]
    panel.pick(f"right {flight.request.id}")
    assert flight.status == "flying"
    finish_replay(panel)
    assert set(panel.replay.ended) == set(run.instances)
    foreseen = panel.replay.ended[flight.instance]
    shown = texts(panel, "request")
    assert shown["late"] == "as it will be"
    panel.act("go_on")
    go(panel, 15)
    assert flight.status == "served"
    assert (flight.first_token, flight.end) == (foreseen.first_token, foreseen.end)
    took = (flight.end - flight.first_token) / MS
    assert shown["took decode"] == f"{took:,.1f} ms"


def test_a_request_that_is_too_old_says_so():
    panel = FleetPanel(left="consistent_hash", right="none", instances=4, zipf=2.0)
    go(panel, 60, 1.0)
    run = panel.fleet.runs[0]
    oldest = min(run.simulation.flights, key=lambda flight: flight.arrival)
    assert run.past.before(oldest.arrival) is None
    panel.pick(f"left {oldest.request.id}")
    check(panel)
    words = " ".join(texts(panel, "request").values())
    assert "cannot be replayed" in words


# --- things to try --------------------------------------------------------------------


def test_a_hash_drowns_two_instances_while_others_idle():
    panel = FleetPanel(right="consistent_hash")
    go(panel, 30)
    figures = panel.frame().figures
    assert figures["left: good requests (%)"] > 99
    assert figures["right: good requests (%)"] < 60
    counts = sorted(one.num_requests for one in panel.fleet.runs[1].instances.values())
    assert sum(counts[-2:]) > 2 * sum(counts[:-2])


@pytest.mark.parametrize("begin", [18, 26, 33, 55, 68, 75])
def test_try_a_crowd(begin):
    panel = FleetPanel()
    go(panel, begin)
    panel.act("crowd")
    go(panel, 6)
    left, right = panel.fleet.runs
    crowd = panel.fleet.crowd_key
    assert left.serving(crowd) >= 3
    assert right.serving(crowd) == 2
    count = left.serving(crowd)
    shown = texts(panel, "adapters")[f"left {crowd.adapter}"]
    assert shown.startswith(f"{count} for ")
    go(panel, 8)
    figures = panel.frame().figures
    assert figures["left: p99 TTFT (ms)"] < 700
    assert figures["right: p99 TTFT (ms)"] > 1.5 * figures["left: p99 TTFT (ms)"]
    go(panel, 21)
    assert right.serving(crowd) == 2  # the loop has come round, and seen too little


@pytest.mark.parametrize("begin", [18, 21, 25])
def test_try_to_send_a_slow_request_elsewhere(begin):
    panel = FleetPanel()
    go(panel, begin)
    flight = panel.fleet.runs[1].slowest[0]
    panel.pick(f"right {flight.request.id}")
    finish_replay(panel)
    was = flight.first_token - flight.arrival
    others = [one.first_token - one.arrival for one in panel.replay.ended.values()]
    assert len(others) == 7
    assert sum(2 * other < was for other in others) >= 5
    assert flight.adapter_wait > 0.8 * was


def test_try_old_reports():
    found = {}
    for age in (0.5, 5.0):
        panel = FleetPanel(report_age=age)
        go(panel, 30)
        run = panel.fleet.runs[0]
        believed = sum(one.work for one in run.beliefs.values())
        found[age] = (
            believed / sum(work_left(run).values()),
            panel.frame().figures["left: p99 TTFT (ms)"],
        )
    assert found[5.0][0] > 2 * found[0.5][0]
    assert found[5.0][1] > 2 * found[0.5][1]


def dot(panel, side):
    """What a click on the request that left the router last picks."""
    return next(
        mark.pick
        for mark in picture(panel, f"{side} fleet").marks
        if mark.pick.startswith(f"{side} ")
    )


def test_the_small_one_has_one_policy_and_two_pictures():
    panel = SmallFleetPanel()
    go(panel, 8)
    scene = check(panel)
    assert [one.key for one in scene.pictures] == ["left fleet", "charts"]
    panel.pick(dot(panel, "left"))
    finish_replay(panel)
    assert [one.key for one in check(panel).pictures] == ["left fleet", "request"]
    assert len(panel.replay.ended) == 8
    panel.act("go_on")
    panel.pick("gpu-6")
    panel.act("kill")
    panel.advance(1.0)
    run = panel.fleet.runs[0]
    assert "gpu-6" not in run.pool
    flights = [*run.recent, *run.simulation.flights]
    assert sum(flight.reason == "gpu-6 crashed" for flight in flights) > 10
    assert all(
        flight.status == "failed" for flight in flights if "crashed" in flight.reason
    )
    panel.act("kill")  # which brings it back, a second after the crash
    go(panel, 7)
    assert run.instances["gpu-6"].num_requests == 0
    go(panel, 7)
    assert run.instances["gpu-6"].num_requests > 0


def test_a_hash_alone_is_bad_on_the_first_page_too():
    panel = SmallFleetPanel()
    go(panel, 8)
    panel.act("left", "consistent_hash")
    go(panel, 30)
    assert panel.frame().figures["good requests (%)"] < 60


def test_sides_are_named_where_there_are_two():
    small, large = SmallFleetPanel(), FleetPanel(right="notes")
    for panel in (small, large):
        go(panel, 4)
        panel.act("kill")
        panel.advance(0.5)
    alone, both = spoken(small), spoken(large)
    assert "policy" in alone
    assert not re.search("left:|the left", alone)  # work may be left
    assert "left: request" in both
    assert "right: request" in both
    small.pick(dot(small, "left"))
    large.pick(dot(large, "right"))
    assert not re.search("left:|, left|the left", spoken(small))
    assert "right: notes" in spoken(large)


def spoken(panel):
    """All that a reader may read of a panel."""
    scene = panel.frame()
    marks = [mark for picture in scene.pictures for mark in picture.marks]
    return " | ".join(
        [
            *(control.label for control in panel.controls),
            *(mark.text for mark in marks if isinstance(mark, Text)),
            *(mark.hint or "" for mark in marks),
            *(picture.alt for picture in scene.pictures),
            *scene.figures,
            *scene.log,
        ]
    )
