"""One leader at a time, whatever the clocks of the routers say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.router.leader import Lease, LeaseStore, claim

DURATION = 100


def test_a_free_lease_is_taken_kept_and_taken_over_when_it_has_expired():
    first = claim(None, "a", 0, DURATION)
    assert first == Lease("a", 1, 100)
    assert claim(first, "b", 99, DURATION) is first
    assert claim(first, "a", 60, DURATION) == Lease("a", 1, 160)
    assert claim(first, "b", 100, DURATION) == Lease("b", 2, 200)


def test_a_lapse_ends_the_term_even_when_nobody_else_came():
    lapsed = claim(claim(None, "a", 0, DURATION), "a", 100, DURATION)
    assert lapsed == Lease("a", 2, 200)


def test_of_two_who_saw_the_same_lease_only_one_gets_the_next():
    store = LeaseStore(DURATION)
    assert store.claim("a", 0)
    seen = store.lease
    assert store.compare_and_swap(seen, claim(seen, "b", 150, DURATION))
    assert not store.compare_and_swap(seen, claim(seen, "c", 151, DURATION))
    assert store.lease.holder == "b"


def test_a_clock_that_runs_ahead_takes_the_lease_and_the_former_holder_learns_of_it():
    store = LeaseStore(DURATION)
    assert store.claim("a", 0)
    assert store.claim("b", 105)  # by b's clock: for a it is still 10
    assert not store.claim("a", 10)
    assert store.lease == Lease("b", 2, 205)


def test_a_holder_that_dies_with_its_clock_far_ahead_is_not_waited_for():
    store = LeaseStore(DURATION)
    assert store.claim("a", 1_000_000)
    assert store.claim("b", 5)
    assert store.lease.term == 2


@pytest.mark.parametrize("skew", [-DURATION + 1, DURATION])
def test_clocks_may_differ_by_a_duration_while_the_holder_renews(skew):
    store = LeaseStore(DURATION)
    assert store.claim("a", 1_000)
    # b asks at the same moment, before a tenth of the lease has passed.
    assert not store.claim("b", 1_000 - skew)


@pytest.mark.parametrize("duration", [0, -5])
def test_a_duration_below_1_is_refused(duration):
    with pytest.raises(ValueError, match=f"duration_ns is {duration}"):
        LeaseStore(duration)
    with pytest.raises(ValueError, match=f"duration_ns is {duration}"):
        claim(None, "a", 0, duration)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(-1_000, 1_000))))
def test_each_term_has_one_leader_however_clocks_jump(claims):
    store = LeaseStore(DURATION)
    leaders = {}
    last_term = 0
    for router, now in claims:
        held_before = store.lease
        if store.claim(router, now):
            assert leaders.setdefault(store.lease.term, router) == router
            assert store.lease.expires == now + DURATION
        else:
            assert store.lease is held_before
            assert store.lease.holder != router
        assert store.lease.term >= last_term
        last_term = store.lease.term


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, DURATION)), min_size=1)
)
def test_with_one_true_clock_nobody_leads_while_anothers_lease_runs(claims):
    store = LeaseStore(DURATION)
    now, leader, until = 0, None, 0
    for router, pause in claims:
        now += pause
        leads = store.claim(router, now)
        assert leads == (now >= until or router == leader)
        if leads:
            leader, until = router, now + DURATION
