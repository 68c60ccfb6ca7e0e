"""The pace of an instance: its time per token beside the pool's."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.fleet.running import simulate
from tensorfleet.fleet.scenarios import SCENARIOS
from tensorfleet.router.config import RouterConfig
from tensorfleet.router.instances import FIRST_TOKEN, NORMAL_PACE, Instance
from tensorfleet.router.messages import Request
from tensorfleet.router.pace import ENOUGH, LARGEST, MEMORY_NS, NOTICEABLE, Paces
from tensorfleet.router.router import Router
from tests.router.beliefs import KEY, report

ANSWERS = ENOUGH // NORMAL_PACE
TIMES = st.integers(1, 10**9)


def instance(name, weight=1.0):
    return Instance(name, "m", weight, "both", 0)


def answer(one, time, count=ANSWERS, tokens=10):
    for _ in range(count):
        one.answered.add(tokens, time)


def paces_of(*instances):
    """All report twice, so that each is compared with all."""
    paces = Paces()
    for one in (*instances, *instances):
        paces.follow(one, 0)
    return [one.pace for one in instances]


@given(st.lists(TIMES, min_size=2, max_size=5))
def test_it_is_time_per_token_over_that_of_the_pool(times):
    fleet = [instance(f"gpu-{i}") for i in range(len(times))]
    paces = Paces()
    for one, time in zip(fleet, times, strict=True):
        answer(one, time, 2 * ANSWERS)
        paces.follow(one, 0)
    # All but the last were compared with a part of the pool only.
    exact = Fraction(NORMAL_PACE * times[-1] * len(times), sum(times))
    expected = min(int(exact), LARGEST) if exact >= NOTICEABLE + 1 else NORMAL_PACE
    if exact >= NOTICEABLE + 1 or exact <= NOTICEABLE:
        assert fleet[-1].pace == expected


def test_work_ahead_on_a_slow_instance_takes_so_much_longer():
    slow = instance("slow")
    slow.observe(report("slow", 1, work=1000), "me", 1)
    assert slow.load == 1000
    slow.pace = NORMAL_PACE * 5 // 2
    assert (slow.work, slow.load) == (1000, 2500)


def test_a_few_answers_say_nothing():
    slow, usual = instance("slow"), instance("usual")
    answer(usual, 100)
    answer(slow, 1000, ANSWERS - 1)
    assert paces_of(usual, slow) == [NORMAL_PACE, NORMAL_PACE]


def test_a_heavy_instance_is_faster_by_right():
    light, heavy = instance("light", 0.5), instance("heavy", 2.0)
    answer(light, 400, 2 * ANSWERS)
    answer(heavy, 100, 2 * ANSWERS)
    assert paces_of(light, heavy) == [NORMAL_PACE, NORMAL_PACE]


def test_one_that_left_is_not_compared_with():
    paces, gone, here = Paces(), instance("gone"), instance("here")
    answer(gone, 1)
    answer(here, 1000, 2 * ANSWERS)
    for one in (gone, here):
        paces.follow(one, 0)
    assert here.pace > NORMAL_PACE
    paces.forget("gone")
    paces.follow(here, 0)
    assert here.pace == NORMAL_PACE
    assert (paces.tokens, paces.time) == paces._counted["here"]


@pytest.mark.parametrize("interval", [MEMORY_NS // 100, MEMORY_NS])
def test_what_was_is_forgotten_at_any_interval_of_reports(interval):
    paces, slow, usual = Paces(), instance("slow"), instance("usual")
    answer(slow, 10_000, 100)
    for now in range(0, 20 * MEMORY_NS, interval):
        for one in (slow, usual):
            answer(one, 100, 1 + 10 * interval // MEMORY_NS)
            paces.follow(one, now)
    assert slow.pace == NORMAL_PACE


def test_short_answers_do_not_make_an_instance_slow():
    # A first token after 120 ms, or 200 tokens in 4 s: both are usual.
    short, long = instance("short"), instance("long")
    answer(short, 120_000_000, tokens=1)
    answer(long, 4_000_000_000, tokens=200)
    assert paces_of(short, long) == [NORMAL_PACE, NORMAL_PACE]


def test_a_clock_that_jumps_makes_nothing_slow_for_long():
    here, there = instance("here"), instance("there")
    for one, jumps in ((here, 10), (there, 30)):
        answer(one, 3600 * 10**9, jumps)
        answer(one, -(3600 * 10**9), jumps)
    assert here.answered.time == 10 * (10 + FIRST_TOKEN - 1) * 10**9
    paces = Paces()
    for second in range(60):
        for one in (here, there):
            answer(one, 4_000_000_000, 15, tokens=200)
            paces.follow(one, second * 10**9)
    assert (here.pace, there.pace) == (NORMAL_PACE, NORMAL_PACE)


def test_a_new_life_begins_at_the_normal_pace():
    here = instance("here")
    answer(here, 1000)
    here.observe(report("here", 1, incarnation=0), "me", 1)
    answer(here, 1000)
    here.observe(report("here", 2, incarnation=1), "me", 2)
    assert here.answered.requests == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("routers", "report_ns"), [(1, 500_000_000), (1, 50_000_000), (8, 500_000_000)]
)
def test_a_slow_instance_gets_less(routers, report_ns):
    scenario = SCENARIOS["slow_node"].scaled(
        instances=8, requests=3000, routers=routers
    )
    scenario = replace(scenario, report_interval_ns=report_ns)
    (fault,) = scenario.faults
    always = replace(fault, at=0.0, until=1.0)
    flights = simulate(replace(scenario, faults=(always,)), seed=1).flights
    counts = {f"gpu-{i}": 0 for i in range(8)}
    for flight in flights[1000:]:
        counts[flight.instance] += 1
    slow, *usual = counts.values()
    # Half of what the others get. By work alone it would be three quarters, as what it
    # has not done yet piles up.
    assert slow < 0.65 * sum(usual) / len(usual)


def test_the_pool_forgets_one_that_leaves():
    router = Router(RouterConfig(suspect_after_ns=10**18))
    for name in "xy":
        router.join(name, 0, model="m")
    for number in range(4 * ANSWERS):
        request = Request(number, KEY._replace(adapter=str(number)), 100)
        router.route(request, 0)
        router.finish(request, 1 + number, output_tokens=5)
    for name in "xy":
        router.observe(report(name, 10**6), 10**6)
    pool = router.members.prefilling["m"].pool
    assert router.members.instances["x"].answered.tokens > 0
    router.leave("x", 10**6)
    assert pool.paces.tokens == router.members.instances["y"].answered.tokens > 0
