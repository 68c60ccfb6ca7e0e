"""The pace of an instance: its time per token beside the pool's."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.fleet.running import simulate
from tensorfleet.fleet.scenarios import SCENARIOS
from tensorfleet.router.config import RouterConfig
from tensorfleet.router.instances import NORMAL_PACE, Instance
from tensorfleet.router.messages import Request
from tensorfleet.router.pace import ENOUGH, FORGETTING, LARGEST, NOTICEABLE, Paces
from tensorfleet.router.router import Router
from tests.router.beliefs import KEY, report

ANSWERS = ENOUGH // NORMAL_PACE
TIMES = st.integers(1, 10**10)


def instance(name, weight=1.0):
    return Instance(name, "m", weight, "both", 0)


def answer(one, time, count=ANSWERS, tokens=10):
    for _ in range(count):
        one.answered.add(tokens, time)


def paces_of(*instances):
    """All report twice, so that each is compared with all."""
    paces = Paces()
    for one in (*instances, *instances):
        paces.follow(one)
    return [one.pace for one in instances]


@given(st.lists(TIMES, min_size=2, max_size=5))
def test_it_is_time_per_token_over_that_of_the_pool(times):
    fleet = [instance(f"gpu-{i}") for i in range(len(times))]
    paces = Paces()
    for one, time in zip(fleet, times, strict=True):
        answer(one, time, 2 * ANSWERS)
        paces.follow(one)
    # All but the last were compared with a part of the pool only.
    exact = Fraction(NORMAL_PACE * times[-1] * len(times), sum(times))
    expected = min(int(exact), LARGEST) if exact >= NOTICEABLE + 1 else NORMAL_PACE
    if exact >= NOTICEABLE + 1 or exact <= NOTICEABLE:
        assert fleet[-1].pace == expected


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
        paces.follow(one)
    assert here.pace > NORMAL_PACE
    paces.forget("gone")
    paces.follow(here)
    assert here.pace == NORMAL_PACE
    assert (paces.tokens, paces.time) == paces._counted["here"]


def test_what_was_is_forgotten():
    paces, slow, usual = Paces(), instance("slow"), instance("usual")
    answer(slow, 10_000, 100)
    while slow.answered.requests >= FORGETTING:
        paces.follow(slow)
        answer(usual, 100)
        paces.follow(usual)
    assert slow.pace == NORMAL_PACE


@pytest.mark.slow
def test_a_slow_instance_gets_less():
    scenario = SCENARIOS["slow_node"].scaled(instances=8, requests=3000)
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
        request = Request(number, KEY, 100)
        router.route(request, 0)
        router.finish(request, 1 + number, output_tokens=5)
    for name in "xy":
        router.observe(report(name, 10**6), 10**6)
    pool = router.members.prefilling["m"].pool
    router.leave("x", 10**6)
    rest = router.members.instances["y"].answered
    assert pool.paces.tokens * (FORGETTING - 1) // FORGETTING == rest.tokens
