"""PPO on a table: its gradient against differences, and what it learns."""

import itertools
from math import exp
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.ppo import clipped_surrogate, state_values
from tensorfleet.ppo.best import best_policy
from tensorfleet.ppo.grid import grid_world
from tensorfleet.ppo.tabular import Sample, collect, epoch, softmax

NUMBERS = st.floats(-2, 2)
TABLES = st.lists(st.lists(NUMBERS, min_size=3, max_size=3), min_size=2, max_size=2)
SAMPLES = st.lists(
    st.builds(Sample, st.integers(0, 1), st.integers(0, 2), NUMBERS),
    min_size=1,
    max_size=6,
)


def objective(theta, old, samples, epsilon):
    policy = softmax(theta)
    return sum(
        clipped_surrogate(policy[s][a] / old[s][a], advantage, epsilon)
        for s, a, advantage in samples
    ) / len(samples)


def near_a_corner(theta, old, samples, epsilon):
    policy = softmax(theta)
    ratios = [policy[s][a] / old[s][a] for s, a, _ in samples]
    return any(abs(abs(ratio - 1) - epsilon) < 1e-4 for ratio in ratios)


@given(TABLES, TABLES, SAMPLES)
def test_an_epoch_goes_along_the_gradient(theta, old_theta, samples):
    old, epsilon, step = softmax(old_theta), 0.2, 1e-6
    if near_a_corner(theta, old, samples, epsilon):
        return
    moved = epoch(theta, old, samples, epsilon=epsilon, rate=1)
    for state in range(2):
        for action in range(3):
            ends = []
            for sign in (1, -1):
                there = [list(row) for row in theta]
                there[state][action] += sign * step
                ends.append(objective(there, old, samples, epsilon))
            slope = (ends[0] - ends[1]) / (2 * step)
            # Differences of numbers up to 100 at 1e-6: rounding 1e-8, curvature 1e-10.
            assert moved[state][action] - theta[state][action] == pytest.approx(
                slope, abs=1e-6, rel=1e-6
            )


@given(TABLES)
def test_softmax(theta):
    for row, chances in zip(theta, softmax(theta), strict=True):
        weights = [exp(value) for value in row]
        assert chances == pytest.approx([w / sum(weights) for w in weights])
    # However large the numbers.
    assert softmax([[1000.0, 1000.0, -1000.0]]) == [[0.5, 0.5, 0.0]]


def test_what_is_clipped_does_not_move():
    old, far = [[0.5, 0.5]], [[1.0, -1.0]]
    good, bad = [Sample(0, 0, 1.0)], [Sample(0, 1, -1.0)]
    for samples in (good, bad):
        assert epoch(far, old, samples, epsilon=0.2, rate=5) == far
        assert epoch(far, old, samples, epsilon=0.9, rate=5) != far


def test_samples_hold_the_steps_of_the_episodes_and_their_estimates():
    grid = grid_world()
    even, critic = [[0.25] * 4 for _ in grid.cells], [0.0] * len(grid.cells)
    how = {"start": grid.start, "gamma": 1.0, "episodes": 5, "max_steps": 200}
    samples = collect(grid.mdp, even, critic, lam=1.0, random=Random(1), **how)
    firsts = [s for s in samples if s.state == grid.start]
    assert samples[0] in firsts
    # Without a critic or a discount the estimate is what the episode still brings:
    # −0.04 for each step, and 1 or −1 at its end.
    assert samples[-1].advantage in (pytest.approx(0.96), pytest.approx(-1.04))
    for now, then in itertools.pairwise(samples):
        if now.advantage not in (pytest.approx(0.96), pytest.approx(-1.04)):
            assert now.advantage == pytest.approx(then.advantage - 0.04)
    errors = collect(grid.mdp, even, critic, lam=0.0, random=Random(1), **how)
    assert [s[:2] for s in errors] == [s[:2] for s in samples]
    assert {round(s.advantage, 2) for s in errors} <= {-0.04, 0.96, -1.04}


@pytest.mark.parametrize("seed", range(3))
def test_it_learns_the_grid_world(seed):
    grid, gamma, random = grid_world(), 0.95, Random(seed)
    theta = [[0.0] * 4 for _ in grid.cells]
    for _ in range(20):
        old = softmax(theta)
        critic = [float(v) for v in state_values(grid.mdp, old, gamma)]
        samples = collect(
            grid.mdp,
            old,
            critic,
            grid.start,
            gamma=gamma,
            lam=0.9,
            episodes=16,
            max_steps=50,
            random=random,
        )
        for _ in range(10):
            theta = epoch(theta, old, samples, epsilon=0.2, rate=10)
    even = [[0.25] * 4 for _ in grid.cells]
    first, last, best = (
        state_values(grid.mdp, policy, gamma)[grid.start]
        for policy in (even, softmax(theta), best_policy(grid.mdp, gamma))
    )
    # Nine tenths of the way from chance to the best; seeds 0 to 9 reach 0.95 or more.
    assert last - first > 0.9 * (best - first)
