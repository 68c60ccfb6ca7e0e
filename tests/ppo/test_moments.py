"""The exact mean and variance of GAE, against what theory says and against sampling."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.ppo import (
    COURIER,
    advantages,
    gae_backwards,
    sample_episode,
    state_values,
)
from tensorfleet.ppo.grid import grid_world
from tensorfleet.ppo.mdp import action_values
from tensorfleet.ppo.moments import centred, gae_moments
from tests.ppo.processes import DISCOUNTS, REWARDS, processes

LAMBDAS = st.sampled_from([Fraction(n, 4) for n in range(5)])
THIRDS = [[Fraction(1, 3), Fraction(2, 3)]]


@given(processes(), DISCOUNTS, LAMBDAS)
def test_with_the_true_values_there_is_no_bias_at_any_lambda(process, gamma, lam):
    mdp, policy = process
    means, _ = gae_moments(mdp, policy, state_values(mdp, policy, gamma), gamma, lam)
    assert means == advantages(mdp, policy, gamma)


@given(processes(), DISCOUNTS, st.data())
def test_lambda_1_ranks_actions_right_whatever_the_critic_says(process, gamma, data):
    mdp, policy = process
    critic = [data.draw(REWARDS) for _ in policy]
    means, _ = gae_moments(mdp, policy, critic, gamma, 1)
    true = action_values(mdp, state_values(mdp, policy, gamma), gamma)
    assert means == [[q - c for q in row] for row, c in zip(true, critic, strict=True)]
    assert centred(policy, means) == advantages(mdp, policy, gamma)


@given(processes(), DISCOUNTS, LAMBDAS, st.data())
def test_no_variance_is_negative(process, gamma, lam, data):
    mdp, policy = process
    critic = [data.draw(REWARDS) for _ in policy]
    _, variances = gae_moments(mdp, policy, critic, gamma, lam)
    assert all(v >= 0 for row in variances for v in row)


def test_the_courier_by_hand():
    # λ = 0, critic 5. Road: 4 − 5. Ferry: 8 − 5 or 0, so 3/2 with a variance of 9/4.
    means, variances = gae_moments(COURIER, THIRDS, [5], 1, 0)
    assert means == [[-1, Fraction(3, 2)]]
    assert variances == [[0, Fraction(9, 4)]]
    assert centred(THIRDS, means) == [[Fraction(-5, 3), Fraction(5, 6)]]
    # λ = 1: the return less 5. Ferry: 8, or what comes next: 4 or ferry again.
    means, variances = gae_moments(COURIER, THIRDS, [5], 1, 1)
    assert means == [[-1, 2]]
    assert variances[0][0] == 0
    # E[G²] after the ferry is 32 + x/2, with x = 16/3 + 2/3 (32 + x/2) at the river.
    at_river = Fraction(16 + 64, 3) * Fraction(3, 2)
    assert variances[0][1] == 32 + at_river / 2 - 49


@pytest.mark.parametrize("lam", [0, 0.6, 1])
def test_sampled_estimates_scatter_as_computed(lam):
    grid = grid_world()
    even = [[0.25] * 4 for _ in grid.cells]
    critic = [0.1 * state for state in range(len(grid.cells))]
    means, variances = gae_moments(grid.mdp, even, critic, 0.9, lam)
    random, found = Random(2), [[] for _ in range(4)]
    for _ in range(4000):
        seen = sample_episode(grid.mdp, even, grid.start, random, 10_000)
        estimates = gae_backwards(
            seen.rewards,
            [critic[state] for state in seen.states],
            [0 if then is None else critic[then] for then in seen.next_states],
            seen.terminated,
            seen.truncated,
            0.9,
            lam,
        )
        found[seen.actions[0]].append(estimates[0])
    for action, estimates in enumerate(found):
        count = len(estimates)
        mean = sum(estimates) / count
        variance = sum((e - mean) ** 2 for e in estimates) / count
        true = variances[grid.start][action]
        # Four standard errors; that of a variance from the sampled fourth moment.
        assert abs(mean - means[grid.start][action]) < 4 * (true / count) ** 0.5
        fourth = sum((e - mean) ** 4 for e in estimates) / count
        assert abs(variance - true) < 4 * ((fourth - variance**2) / count) ** 0.5


def test_bad_arguments():
    with pytest.raises(ValueError, match="the critic has 2 values: the MDP has 1"):
        gae_moments(COURIER, THIRDS, [1, 2], 1, 1)
    with pytest.raises(ValueError, match="critic holds nan at 0: it must be finite"):
        gae_moments(COURIER, THIRDS, [float("nan")], 1, 1)
    with pytest.raises(ValueError, match="lam is 2"):
        gae_moments(COURIER, THIRDS, [1], 1, 2)
    with pytest.raises(ValueError, match="gamma is -1"):
        gae_moments(COURIER, THIRDS, [1], -1, 1)
