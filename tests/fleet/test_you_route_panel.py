"""Where the reader sends a request, there it goes, and the ranking is `simulate`'s."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Circle, Rect, Text
from tensorfleet.fleet import simulate
from tensorfleet.fleet.metrics import measure
from tensorfleet.fleet.you_route_panel import YouRoutePanel
from tensorfleet.fleet.you_route_picture import letter
from tensorfleet.fleet.you_route_run import LETTERS, REQUESTS, SCENARIO, SLOTS
from tensorfleet.router import Router, RouterConfig
from tensorfleet.router.messages import AdapterKey, Request
from tensorfleet.router.policies import POLICIES
from tests.driving import do, marks_of

NAMES = [f"gpu-{number}" for number in range(4)]
ACTIONS = st.one_of(
    st.tuples(st.just("pick"), st.sampled_from(NAMES)),
    st.sampled_from([("one", None), ("rest", None), ("again", None)]),
    st.tuples(st.just("seed"), st.sampled_from([2, 12])),
    st.tuples(st.just("pass"), st.sampled_from([0.05, 0.5])),
)


def finish(panel):
    """Let the router do what is left, and all policies be simulated."""
    panel.act("rest")
    for _ in range(600):
        panel.advance(0.2)
    assert panel.is_over
    assert not panel.policies
    return panel.frame().figures


def rows(panel):
    """The names in the ranking, from top to bottom, with their means."""
    words = marks_of(panel, Text)
    names = [key.removeprefix("ms ") for key in words if key.startswith("ms ")]
    names.sort(key=lambda name: words[f"ms {name}"].y)
    return {name: int(words[f"ms {name}"].text.split()[0]) for name in names}


def test_the_rest_is_sent_and_ranked_while_the_reader_has_stopped_the_time():
    panel, other = YouRoutePanel(), YouRoutePanel()
    panel.pick("gpu-1")
    other.pick("gpu-1")
    assert not panel.frame().busy  # it is the reader's turn
    panel.act("rest")
    while panel.frame().busy:
        panel.work()
    assert panel.frame().figures == finish(other)


def mean_ms(result):
    waits = [flight.first_token - flight.arrival for flight in result.flights]
    assert len(waits) == REQUESTS
    return round(sum(waits) / REQUESTS / 1e6)


@pytest.mark.parametrize("seed", range(1, 13))
def test_no_two_requests_come_at_once(seed):
    """Else time could not stop before each of them."""
    arrivals = YouRoutePanel(seed=seed).arrivals
    times = [time for time, _, _ in arrivals]
    assert len(set(times)) == len(times) == REQUESTS
    assert times[0] > 1
    assert {letter(request.key) for _, request, _ in arrivals} <= set(LETTERS)


@pytest.mark.parametrize("seed", [2, 11])
def test_the_ranking_is_of_the_same_requests_by_every_policy(seed):
    panel = YouRoutePanel(seed=seed)
    figures = finish(panel)
    shown = rows(panel)
    expected = {name: mean_ms(simulate(SCENARIO, name, seed)) for name in POLICIES}
    assert {name: shown[name] for name in POLICIES} == expected
    assert list(shown.values()) == sorted(shown.values())
    # What the router does for the reader is what it does by itself.
    assert shown["the router for you"] == expected["tensorfleet"]
    own = panel.simulation.flights
    alone = simulate(SCENARIO, "tensorfleet", seed).flights
    assert [flight.instance for flight in own] == [f.instance for f in alone]
    assert [flight.end for flight in own] == [flight.end for flight in alone]
    metrics = measure(own, SCENARIO.slo, {})
    assert figures["waited for their adapter"] == round(30 * (1 - metrics.hit_rate))
    assert figures["p90 TTFT (ms)"] == round(metrics.ttft.p90 / 1e6)
    # Level with `tensorfleet`, and so in the same place.
    place = 1 + sum(mean < expected["tensorfleet"] for mean in expected.values())
    assert figures["place"] == f"{place} of 15"


def test_requests_go_where_they_are_sent_and_time_stops_in_between():
    panel, random = YouRoutePanel(), Random(0)
    sent = []
    for number in range(REQUESTS):
        due = panel.arrivals[number][0]
        assert panel.simulation.now == due - 1
        assert len(panel.simulation.flights) == number
        request = panel.arrivals[number][1]
        assert f"Request {number + 1} of 30" in panel.frame().alt
        assert f"{request.prompt_tokens:,} tokens" in panel.frame().alt
        before = panel.frame().to_dict()
        panel.advance(0.5)
        assert panel.frame().to_dict() == before  # whatever the policies do
        sent.append(random.choice(NAMES))
        panel.pick(sent[-1])
    flights = panel.simulation.flights
    assert [flight.instance for flight in flights] == sent
    assert all(flight.status == "served" for flight in flights)
    assert panel.frame().figures["sent by the router"] == 0
    panel.pick("gpu-0")  # there is nothing left to send
    panel.act("one")
    panel.act("rest")
    panel.advance(1)
    assert len(panel.simulation.flights) == REQUESTS
    assert not panel.is_alone


def test_our_router_counts_what_the_reader_sent():
    """So it goes on as well as one that sent it all itself."""
    panel = YouRoutePanel()
    for _ in range(10):
        panel.pick("gpu-3")
    believed = panel.router.members.instances["gpu-3"]
    assert believed.num_requests == sum(
        flight.status == "flying" for flight in panel.simulation.flights
    )
    assert believed.load > max(
        panel.router.members.instances[name].load for name in NAMES[:3]
    )
    for _ in range(10):
        panel.act("one")
    there = [flight.instance for flight in panel.simulation.flights[10:]]
    assert there.count("gpu-3") < 5
    assert panel.who == "you and the router"


def test_a_router_says_what_it_expects_a_request_to_cost():
    router = Router(RouterConfig())
    costs = router.config.costs
    request = Request(1, AdapterKey("a", "m"), 1000)
    own = 1000 * costs.prefill_ns_per_token
    expected = router.config.expected_output * costs.decode_ns_per_token
    assert router.expected_work(request) == own + expected
    router.join("x", 0, model="m")
    router.route(request, 0)
    assert router.members.instances["x"].load == own + expected


@given(st.lists(ACTIONS, max_size=12))
@settings(max_examples=15, deadline=None)
def test_every_action_leaves_a_frame_that_shows_the_instances(actions):
    panel, again = YouRoutePanel(), YouRoutePanel()
    for name, value in actions:
        do(panel, name, value)
        do(again, name, value)
        frame = panel.frame()
        json.dumps(frame.to_dict(), allow_nan=False)
        frame.to_svg()
        flying = [f for f in panel.simulation.flights if f.status == "flying"]
        circles, words = marks_of(panel, Circle), marks_of(panel, Text)
        for flight in flying:
            circle = circles[f"request {flight.request.id}"]
            row = marks_of(panel, Rect)[f"row {flight.instance}"]
            assert row.y < circle.y - 7 < circle.y + 10 < row.y + row.height
            assert row.x < circle.x < row.x + row.width
            text = words[f"letter {flight.request.id}"].text
            assert text == LETTERS[int(flight.request.key.adapter[-1])]
        shown = sum(key.startswith("request ") for key in circles)
        assert shown == len(flying) + (not panel.is_over)
        picks = [m.pick for p in frame.pictures for m in p.marks if m.pick]
        assert picks == ([] if panel.is_over else NAMES)
        for mark in words.values():
            assert mark.size >= 11
            assert 0 <= mark.x <= 340
            assert mark.y < 416
    assert panel.frame().to_dict() == again.frame().to_dict()


def test_slots_show_what_is_there_and_what_is_on_its_way():
    panel = YouRoutePanel()
    for _ in range(20):
        panel.act("one")
    slots = marks_of(panel, Rect)
    roles = set()
    for name, instance in panel.simulation.instances.items():
        report = instance.report("test", panel.simulation.now)
        keys = [*report.resident, *report.loading][:SLOTS]
        shown = [slots[f"slot {number} {name}"] for number in range(SLOTS)]
        for key, slot in zip(keys, shown, strict=False):
            colour = f"series-{key.adapter[-1]}" if key in report.resident else "ghost"
            assert slot.role == colour
            assert slot.hint.startswith(letter(key))
        assert all(slot.role == "grid" for slot in shown[len(keys) :])
        roles |= {slot.role for slot in shown}
    assert len(roles - {"grid", "ghost"}) >= 4


def test_unknown_instances_are_refused():
    panel = YouRoutePanel()
    with pytest.raises(ValueError, match="there is no instance 'gpu-4': there are gpu"):
        panel.pick("gpu-4")


# --- three things to try ---------------------------------------------------------


def test_first_thing_the_router_alone_is_level_with_its_own_row():
    panel = YouRoutePanel()
    finish(panel)
    shown = rows(panel)
    assert shown["the router for you"] == shown["tensorfleet"]
    assert 1.9 < shown["round_robin"] / shown["tensorfleet"] < 2.1
    assert list(shown)[:2] == ["all_resident", "lora_affinity"]


def test_second_thing_all_on_one_instance_comes_last():
    panel = YouRoutePanel()
    for _ in range(REQUESTS):
        panel.pick("gpu-1")
    own = panel.frame().figures
    finish(panel)
    shown = rows(panel)
    assert list(shown)[-1] == "you"
    assert 900 < shown["you"] < 1100
    # Though fewer of its requests waited for their adapter than by some others.
    random = simulate(SCENARIO, "random", 2).metrics
    assert own["waited for their adapter"] < round(30 * (1 - random.hit_rate))


@pytest.mark.parametrize("draws", range(6))
def test_third_thing_a_simple_rule_beats_the_router_with_three_slots(draws):
    """Follow the letters; where instances look alike, anything goes."""
    panel, random = YouRoutePanel(seed=3), Random(draws)
    while not panel.is_over:
        key = panel.arrivals[len(panel.simulation.flights)][1].key
        reports = [
            instance.report("test", panel.simulation.now)
            for instance in panel.simulation.instances.values()
        ]
        holders = [r for r in reports if key in r.resident or key in r.loading]
        ahead = {r.instance: round(r.work_ns / 1e6) for r in holders or reports}
        least = [name for name in ahead if ahead[name] <= min(ahead.values()) + 5]
        panel.pick(random.choice(least))
    finish(panel)
    shown = rows(panel)
    assert shown["you"] < 120
    assert shown["tensorfleet"] > 2 * shown["you"]
    # Because it let some wait for a slot.
    alone = simulate(SCENARIO, "tensorfleet", 3).flights
    assert sum(flight.adapter_wait > 700_000_000 for flight in alone) == 4
    ours = panel.simulation.flights
    assert all(flight.adapter_wait < 500_000_000 for flight in ours)
