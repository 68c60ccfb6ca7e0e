"""The closed form against adding up steps one by one."""

from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.fleet.runs import duration, ended_within

FIRST, GROWTH = st.integers(1, 10**9), st.integers(0, 10**6)


@given(FIRST, GROWTH, st.integers(0, 200))
def test_duration_is_the_sum_of_the_steps(first, growth, steps):
    expected = sum(first + step * growth for step in range(steps))
    assert duration(first, growth, steps) == expected


@given(FIRST, GROWTH, st.integers(0, 10**12))
def test_as_many_have_ended_as_fit(first, growth, elapsed):
    ended = ended_within(first, growth, elapsed)
    assert duration(first, growth, ended) <= elapsed
    assert duration(first, growth, ended + 1) > elapsed


@given(FIRST, GROWTH, st.integers(1, 10**5))
def test_a_step_that_ends_at_the_instant_has_ended(first, growth, steps):
    at = duration(first, growth, steps)
    assert ended_within(first, growth, at) == steps
    assert ended_within(first, growth, at - 1) == steps - 1
