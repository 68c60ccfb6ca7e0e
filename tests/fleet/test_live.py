"""Arrivals without end: by the right laws, the same for all who read them."""

import pickle
from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.fleet.distributions import zipf
from tensorfleet.fleet.live import LiveArrivals, Recording, Tables
from tensorfleet.fleet.running import build, resolve
from tensorfleet.fleet.workloads import CONVERSATION_PROMPT
from tensorfleet.router.policies import POLICIES

SECOND = 10**9
TABLES = Tables.conversations()


def stream(**settings):
    return LiveArrivals(TABLES, **({"adapters": 50, "seed": 3} | settings))


def until(arrivals, time):
    """The arrivals before a time; the next one is lost."""
    found = []
    for arrival in arrivals:
        if arrival[0] >= time:
            return found
        found.append(arrival)
    raise AssertionError("there is no end")


def test_rate_lengths_and_popularity_are_those_asked_for():
    arrivals = list(islice(stream(rate=80, exponent=1.2), 40_000))
    times = [time for time, _, _ in arrivals]
    assert times == sorted(times)
    # The standard deviation of 40,000 exponential gaps' sum is 0.5% of it.
    assert times[-1] / SECOND == pytest.approx(40_000 / 80, rel=0.02)
    prompts = sum(request.prompt_tokens for _, request, _ in arrivals) / len(arrivals)
    assert prompts == pytest.approx(float(CONVERSATION_PROMPT.table().mean), rel=0.02)
    asked = Counter(request.key.adapter for _, request, _ in arrivals)
    law = zipf(50, 1.2)
    for place in (0, 1, 10):
        expected = law.share(place) * len(arrivals)
        assert asked[f"adapter-{place}"] == pytest.approx(
            expected, abs=5 * expected**0.5
        )
    assert [request.id for _, request, _ in arrivals] == list(range(40_000))


def test_another_rate_brings_the_same_requests_at_another_pace():
    slow, fast = (list(islice(stream(rate=rate), 500)) for rate in (50, 100))
    assert [arrival[1:] for arrival in slow] == [arrival[1:] for arrival in fast]
    for one, other in zip(slow, fast, strict=True):
        assert abs(one[0] - 2 * other[0]) < 2000  # each gap is rounded


def test_changes_count_from_the_next_but_one():
    arrivals = stream(rate=10)
    before = list(islice(arrivals, 20))
    arrivals.rate = 1000
    arrivals.exponent = 10
    after = list(islice(arrivals, 2001))
    assert after[0][0] > before[-1][0]
    assert (after[-1][0] - after[0][0]) / SECOND == pytest.approx(2, rel=0.15)
    assert sum(request.key.adapter == "adapter-0" for _, request, _ in after) > 1900


def test_a_crowd_comes_besides_and_goes_again():
    alone = until(stream(rate=100, exponent=0.5), 30 * SECOND)
    crowded = stream(rate=100, exponent=0.5)
    found = until(crowded, 10 * SECOND)
    crowded.crowd(-1, 0.5, 8 * SECOND)
    found += until(crowded, 30 * SECOND)
    extra = len(found) - (len(alone) - 1)  # `until` lost one between
    assert extra == pytest.approx(0.5 * 100 * 8, rel=0.2)
    asked = [arrival for arrival in found if arrival[1].key.adapter == "adapter-49"]
    assert max(time for time, _, _ in asked[:extra]) < 18.1 * SECOND
    # The others are the very same.
    others = Counter((time, request.key) for time, request, _ in found)
    assert sum((Counter((t, r.key) for t, r, _ in alone) - others).values()) <= 1
    assert [request.id for _, request, _ in found] == sorted(
        request.id for _, request, _ in found
    )


def test_impossible_settings_are_refused():
    with pytest.raises(ValueError, match="rate is 0"):
        stream(rate=0)
    arrivals = stream()
    with pytest.raises(ValueError, match="exponent is -1"):
        arrivals.exponent = -1
    with pytest.raises(ValueError, match="share is 0"):
        arrivals.crowd(-1, 0, SECOND)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(1, 5)), max_size=30))
@settings(max_examples=30)
def test_all_readers_get_the_same_in_whatever_order_they_read(turns):
    expected = list(islice(stream(), 200))
    recording = Recording(stream())
    readers = [recording.reader() for _ in range(3)]
    seen = [0, 0, 0]
    for reader, count in turns:
        got = list(islice(readers[reader], count))
        assert got == expected[seen[reader] : seen[reader] + count]
        seen[reader] += count
        recording.forget(min(seen))
        assert len(recording) == max(seen) - min(seen)


def test_a_branch_sees_what_will_come_and_takes_nothing_away():
    recording = Recording(stream())
    first = list(islice(recording.reader(), 30))
    ahead = list(islice(recording.branch(20), 50))
    assert ahead[:10] == first[20:]
    assert list(islice(recording.reader(20), 50)) == ahead
    recording.forget(25)
    for way in (recording.branch, recording.reader):
        with pytest.raises(ValueError, match="arrival 24 is forgotten: 25 is the"):
            next(way(24))


def small(policy, arrivals, **sizes):
    sizes = {"instances": 3, "adapters": 60, "rate": 40.0, "requests": 1} | sizes
    return build(resolve("steady", sizes), policy, 0, arrivals=arrivals)


def facts(flight):
    return (
        flight.request.id,
        flight.arrival,
        flight.instance,
        flight.first_token,
        flight.end,
        flight.adapter_wait,
    )


@pytest.mark.parametrize("routers", [1, 3])
@pytest.mark.parametrize("policy", ["tensorfleet", "notes", "round_robin"])
def test_forgetting_what_has_ended_changes_nothing(policy, routers):
    arrivals = list(islice(stream(rate=40), 600))
    kept = small(policy, arrivals, routers=routers)
    whole = [facts(flight) for flight in kept.run()]
    forgetful = small(policy, arrivals, routers=routers)
    ended = []
    while len(ended) < len(arrivals):
        forgetful.advance(forgetful.now + SECOND // 7)
        ended += forgetful.forget_ended()
        assert len(forgetful.flights) == forgetful.num_flying
    assert sorted(map(facts, ended)) == whole
    assert forgetful.num_arrived == len(arrivals)
    assert forgetful.forget_ended() == forgetful.flights == []


@pytest.mark.parametrize("policy", ["tensorfleet", "notes", "sticky_tokens"])
def test_a_copy_that_is_fed_goes_on_alike(policy):
    recording = Recording(stream(rate=40))
    run = small(policy, recording.reader())
    run.advance(5 * SECOND)
    run.forget_ended()
    twin = pickle.loads(pickle.dumps(run))
    twin.feed(recording.branch(run.num_arrived + 1))
    for simulation in (run, twin):
        simulation.advance(15 * SECOND)
    assert list(map(facts, run.flights)) == list(map(facts, twin.flights))
    assert len(run.flights) > 300


def test_a_simulation_without_arrivals_can_be_fed():
    run = small("tensorfleet", [])
    run.advance(SECOND)
    run.feed([(2 * SECOND, next(stream())[1], 5)])
    run.advance(10 * SECOND)
    assert [flight.status for flight in run.flights] == ["served"]


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_grows_with_time(policy):
    """After twice the time, a fleet at half its capacity is as large as before."""
    run = small(policy, stream(rate=20), adapters=50, instances=2)
    sizes = []
    for minute in range(1, 7):
        run.advance(minute * 60 * SECOND)
        run.forget_ended()
        sizes.append(len(pickle.dumps(run)))
    assert max(sizes[3:]) < 1.2 * max(sizes[:3])
