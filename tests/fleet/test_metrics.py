"""Metrics against their definitions, on flights written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.fleet import metrics
from tensorfleet.fleet.metrics import SLO, Percentiles, measure, nearest_rank
from tests.fleet.made_up import MS, flight

LIMITS = SLO(200 * MS, 20 * MS)


@given(st.lists(st.integers(0, 50), min_size=1), st.integers(1, 1000))
def test_nearest_rank_is_the_smallest_value_that_covers_the_share(values, per_mille):
    """At least the share lies at or below it, and less than that below it."""
    value = nearest_rank(sorted(values), per_mille)
    needed = per_mille * len(values)
    assert 1000 * sum(other <= value for other in values) >= needed
    assert 1000 * sum(other < value for other in values) < needed


def test_percentiles_of_1_to_100():
    values = range(100, 0, -1)
    assert metrics.percentiles(values) == Percentiles(50, 90, 99)
    assert metrics.percentiles([]) == Percentiles(None, None, None)


@pytest.mark.parametrize(
    ("made", "is_met"),
    [
        (flight(ttft=200, tpot=20), True),
        (flight(ttft=201, tpot=20), False),
        (flight(ttft=200, tpot=21), False),
        (flight(ttft=200, tokens=1), True),
        (flight(status="failed"), False),
        (flight(status="shed", instance=""), False),
    ],
)
def test_both_limits_must_be_met(made, is_met):
    assert LIMITS.is_met(made) is is_met


def test_the_limit_on_tpot_is_exact():
    """A nanosecond more over all tokens is too much, though it rounds away in each."""
    made = flight(ttft=1, tpot=20, tokens=11)
    assert LIMITS.is_met(made)
    made.end += 1
    assert not LIMITS.is_met(made)


def test_times_and_goodput():
    flights = [
        flight(0, arrival=0, ttft=100, tpot=10, tokens=11),
        flight(1, arrival=500, ttft=300, tpot=30, tokens=3),
        flight(2, arrival=1000, ttft=50, tokens=1),
        flight(3, arrival=2000, status="failed", retries=1),
        flight(4, arrival=4000, status="shed", instance=""),
    ]
    measured = measure(flights, LIMITS, {"gpu-0": 30, "gpu-1": 10})
    assert (measured.requests, measured.served) == (5, 3)
    assert (measured.failed, measured.shed, measured.retried) == (1, 1, 1)
    assert measured.ttft == Percentiles(100 * MS, 300 * MS, 300 * MS)
    # The one with a single token has no time per further token.
    assert measured.tpot == Percentiles(10 * MS, 30 * MS, 30 * MS)
    assert measured.end_to_end == Percentiles(200 * MS, 360 * MS, 360 * MS)
    assert measured.goodput_share == 2 / 5
    assert measured.goodput_per_s == 2 / 4
    assert measured.imbalance == 1.5


def test_hits_and_cold_loads():
    """Two that wait for the same load count it once, and hit neither."""
    flights = [
        flight(0, "a", arrival=0, wait=30),
        flight(1, "a", arrival=10, wait=20),
        flight(2, "a", arrival=50, wait=20),
        flight(3, "a", instance="gpu-1", wait=30),
        flight(4, "b", wait=30),
        flight(5, "a", arrival=100),
        flight(6, "a", arrival=100, status="shed", instance=""),
    ]
    measured = measure(flights, LIMITS, {})
    assert measured.hit_rate == 1 / 6
    assert measured.cold_loads == 4


def test_keys_moved():
    """ "a" is served in three places, one of which was its first; "b" stays."""
    places = [("a", "x"), ("a", "y"), ("a", "x"), ("a", "z"), ("b", "x"), ("b", "x")]
    flights = [
        flight(n, *place[:1], instance=place[1]) for n, place in enumerate(places)
    ]
    assert measure(flights, LIMITS, {}).keys_moved == 2


def test_steps_overflows_and_preemptions():
    flights = [flight(steps=3), flight(steps=1, overflow=True, preemptions=2), flight()]
    measured = measure(flights, LIMITS, {})
    assert measured.steps_per_request == 4 / 3
    assert (measured.overflows, measured.preempted) == (1, 1)


def test_the_coldest_tenth():
    """Of 11 adapters two: those with one request, the second of three by name."""
    flights = [flight(adapter=f"busy-{k}", ttft=1) for k in range(8) for _ in range(9)]
    for name, ttft in (("z", 400), ("y", 300), ("x", 200)):
        flights.append(flight(adapter=name, ttft=ttft))
    assert metrics.coldest(flights) == Percentiles(200 * MS, 300 * MS, 300 * MS)


def test_nothing_served():
    measured = measure([flight(status="shed", instance="")], LIMITS, {})
    nothing = Percentiles(None, None, None)
    assert measured.ttft == measured.tpot == measured.end_to_end == nothing
    assert measured.coldest_ttft_p99 is None
    assert measured.hit_rate == measured.goodput_share == 0
    assert measured.imbalance == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: measure([], LIMITS, {}), "no flights"),
        (lambda: nearest_rank([], 500), "no value"),
        (lambda: nearest_rank([1], 0), "per_mille is 0"),
        (lambda: nearest_rank([1], 1001), "per_mille is 1001"),
        (lambda: SLO(0, 5), "ttft_ns is 0"),
        (lambda: SLO(5, 2.5), "tpot_ns is 2.5"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
