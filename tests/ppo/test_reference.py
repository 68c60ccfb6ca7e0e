"""Returns, errors, advantage estimates, the clip, against what must hold for them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.ppo import (
    clipped_slope,
    clipped_surrogate,
    discounted_returns,
    gae,
    gae_backwards,
    group_advantages,
    td_errors,
)
from tests.ppo.processes import trajectories

NAN, INF = float("nan"), float("inf")
# With numbers that are whole and fractions with few bits, sums in floats are exact.
HALVES = st.sampled_from([0.0, 0.5, 1.0])
FRACTIONS = st.floats(0, 1)
# Twelve steps with numbers of at most 8: rounding stays far below.
CLOSE = {"abs": 1e-9}


def split(flags):
    """(first, past the last) step of each episode."""
    firsts = [0, *(step + 1 for step, flag in enumerate(flags) if flag), len(flags)]
    return [(a, b) for a, b in itertools.pairwise(firsts) if a < b]


@given(trajectories(), FRACTIONS, FRACTIONS)
def test_the_recurrence_is_the_definition(trajectory, gamma, lam):
    expected = gae(*trajectory, gamma, lam)
    assert gae_backwards(*trajectory, gamma, lam) == pytest.approx(expected, **CLOSE)


@given(trajectories(), HALVES)
def test_lambda_0_is_the_td_error(trajectory, gamma):
    rewards, values, next_values, terminated, _ = trajectory
    errors = td_errors(rewards, values, next_values, terminated, gamma)
    assert gae(*trajectory, gamma, 0) == errors


@given(trajectories(), FRACTIONS)
def test_lambda_1_is_the_return_less_the_value(trajectory, gamma):
    rewards, values, next_values, terminated, truncated = trajectory
    ends = [a or b for a, b in zip(terminated, truncated, strict=True)]
    expected = []
    for first, past in split(ends):
        after = 0 if terminated[past - 1] else next_values[past - 1]
        returns = discounted_returns(rewards[first:past], gamma, after)
        expected += [g - v for g, v in zip(returns, values[first:past], strict=True)]
    assert gae(*trajectory, gamma, 1) == pytest.approx(expected, **CLOSE)


@given(trajectories(), FRACTIONS, FRACTIONS)
def test_episodes_do_not_touch_each_other(trajectory, gamma, lam):
    ends = [a or b for a, b in zip(trajectory[3], trajectory[4], strict=True)]
    alone = []
    for first, past in split(ends):
        alone += gae(*(part[first:past] for part in trajectory), gamma, lam)
    assert gae(*trajectory, gamma, lam) == alone


def test_the_couriers_episode_by_hand():
    # Twice the ferry is away, then it brings 8. The critic believes in 5.
    steps = [0, 0, 8], [5, 5, 5], [5, 5, 0], [False, False, True], [False] * 3
    assert gae(*steps, 1, 0) == [0, 0, 3]
    assert gae(*steps, 1, 1) == [3, 3, 3]
    assert gae(*steps, 1, 0.5) == [0.75, 1.5, 3]


def test_terminated_and_truncated_end_an_episode_differently():
    rewards, values, next_values = [1, 1], [10, 10], [10, 10]
    no = [False, False]
    last = [False, True]
    # Nothing follows the end: the second step brings 1 where 10 was expected.
    assert gae(rewards, values, next_values, last, no, 1, 1) == [-8, -9]
    # Cut off: what would have followed is worth 10, as the critic says.
    assert gae(rewards, values, next_values, no, last, 1, 1) == [2, 1]
    # Both at once: the end counts.
    assert gae(rewards, values, next_values, last, last, 1, 1) == [-8, -9]
    # In the middle both keep the second episode out of the first.
    first = [True, False]
    assert gae(rewards, values, next_values, first, no, 1, 1) == [-9, 1]
    assert gae(rewards, values, next_values, no, first, 1, 1) == [1, 1]


def test_after_the_end_the_next_value_is_not_read():
    assert gae([1], [2], [NAN], [True], [False], 1, 1) == [-1]
    with pytest.raises(ValueError, match="next_values holds nan at 0"):
        gae([1], [2], [NAN], [False], [True], 1, 1)


def test_returns_by_hand():
    assert discounted_returns([1, 2, 4], 0.5) == [3, 4, 4]
    assert discounted_returns([1, 2, 4], 0.5, 8) == [4, 6, 8]
    assert discounted_returns([], 0.5, 8) == []
    assert gae([], [], [], [], [], 0.5, 0.5) == []


RATIOS = st.floats(0, 4)
ADVANTAGES = st.floats(-4, 4)
EPSILONS = st.floats(0, 1)


@given(RATIOS, ADVANTAGES, EPSILONS)
def test_the_clip_is_a_lower_bound_that_touches_at_one(ratio, advantage, epsilon):
    assert clipped_surrogate(ratio, advantage, epsilon) <= ratio * advantage
    assert clipped_surrogate(1, advantage, epsilon) == advantage


@given(RATIOS, st.floats(0.1, 4), st.floats(0.01, 0.99))
def test_the_clip_by_cases(ratio, size, epsilon):
    # The other way to write it: good actions gain up to 1 + ε, bad ones up to 1 − ε.
    good = clipped_surrogate(ratio, size, epsilon)
    bad = clipped_surrogate(ratio, -size, epsilon)
    assert good == size * min(ratio, 1 + epsilon)
    assert bad == -size * max(ratio, 1 - epsilon)


@given(RATIOS, ADVANTAGES, EPSILONS)
def test_the_slope_is_that_of_the_surrogate(ratio, advantage, epsilon):
    step = 1e-6
    if min(abs(ratio - 1 - epsilon), abs(ratio - 1 + epsilon)) < 2 * step:
        return  # at a corner there is no slope
    ratio += 2 * step  # away from 0, where it begins
    rise = clipped_surrogate(ratio + step, advantage, epsilon) - clipped_surrogate(
        ratio - step, advantage, epsilon
    )
    # Linear on both sides, so that only rounding is left: 1e-15 over 2e-6.
    if min(abs(ratio - 1 - epsilon), abs(ratio - 1 + epsilon)) > 2 * step:
        slope = clipped_slope(ratio, advantage, epsilon)
        assert rise / (2 * step) == pytest.approx(slope, abs=1e-7)


def test_a_step_too_far_can_be_undone():
    assert clipped_slope(1.3, 2, 0.2) == 0
    assert clipped_slope(0.7, 2, 0.2) == 2
    assert clipped_slope(0.7, -2, 0.2) == 0
    assert clipped_slope(1.3, -2, 0.2) == -2


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9))
def test_group_advantages_have_mean_0_and_deviation_1(rewards):
    found = group_advantages(rewards)
    if len(set(rewards)) == 1:
        assert found == [0] * len(rewards)
        return
    assert sum(found) == pytest.approx(0, **CLOSE)
    assert sum(a * a for a in found) == pytest.approx(len(found), **CLOSE)
    # Better rewards, larger advantages; and another scale changes nothing.
    assert sorted(rewards) == [r for _, r in sorted(zip(found, rewards, strict=True))]
    assert group_advantages([3 * r + 7 for r in rewards]) == pytest.approx(
        found, **CLOSE
    )


def test_a_group_of_equals_teaches_nothing():
    assert group_advantages([0.1] * 3) == [0, 0, 0]
    assert group_advantages([1]) == [0]
    assert group_advantages([0, 0, 0, 4]) == pytest.approx(
        [-(3**-0.5)] * 3 + [3**0.5], **CLOSE
    )


def test_groups_of_huge_and_tiny_rewards():
    assert group_advantages([1e200, -1e200]) == [1, -1]
    assert group_advantages([1e308, 1e308, -1e308, -1e308]) == [1, 1, -1, -1]
    assert group_advantages([1e-200, 0]) == [1, -1]


GOOD = {
    "rewards": [1, 2],
    "values": [0, 0],
    "next_values": [0, 0],
    "terminated": [False, False],
    "truncated": [False, True],
    "gamma": 0.9,
    "lam": 0.9,
}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gamma": 1.5}, "gamma is 1.5: it must be from 0 to 1"),
        ({"gamma": NAN}, "gamma is nan"),
        ({"lam": -0.1}, "lam is -0.1: it must be from 0 to 1"),
        ({"values": [0]}, "values has 1 steps: it must have 2, as rewards has"),
        ({"next_values": [0]}, "next_values has 1 steps"),
        ({"terminated": [False]}, "terminated has 1 steps"),
        ({"truncated": [False] * 3}, "truncated has 3 steps"),
        ({"rewards": [1, NAN]}, "rewards holds nan at 1: it must be finite"),
        ({"values": [INF, 0]}, "values holds inf at 0"),
        ({"next_values": [0, INF]}, "next_values holds inf at 1"),
    ],
)
@pytest.mark.parametrize("function", [gae, gae_backwards])
def test_bad_trajectories(function, changed, message):
    with pytest.raises(ValueError, match=message):
        function(**(GOOD | changed))


@pytest.mark.parametrize("function", [clipped_surrogate, clipped_slope])
def test_bad_clips_returns_and_groups(function):
    with pytest.raises(ValueError, match="ratio is -1: it must be 0 or more"):
        function(-1, 1, 0.2)
    with pytest.raises(ValueError, match=r"epsilon is -0\.2"):
        function(1, 1, -0.2)
    with pytest.raises(ValueError, match="advantage holds nan"):
        function(1, NAN, 0.2)
    with pytest.raises(ValueError, match="gamma is 2"):
        discounted_returns([1], 2)
    with pytest.raises(ValueError, match="after holds inf"):
        discounted_returns([1], 1, INF)
    with pytest.raises(ValueError, match="a group has no reward"):
        group_advantages([])
    with pytest.raises(ValueError, match="rewards holds nan at 0"):
        group_advantages([NAN])
