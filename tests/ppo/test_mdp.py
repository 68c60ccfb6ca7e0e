"""Exact values, against fractions, Bellman's equation, a textbook, and sampling."""

from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.ppo import (
    COURIER,
    MDP,
    Outcome,
    action_values,
    advantages,
    discounted_returns,
    sample_episode,
    state_values,
)
from tensorfleet.ppo.best import best_policy
from tensorfleet.ppo.grid import grid_world
from tensorfleet.ppo.mdp import average, expected_sum
from tests.ppo.processes import DISCOUNTS, distributions, processes

THIRDS = [[Fraction(1, 3), Fraction(2, 3)]]
# Russell and Norvig print the optimal values of their grid world for γ = 1; rows from
# the top, without the wall and the two ends. Third edition, 2010, figure 17.3; and
# fourth, 2021, where the step into an end does not pay the step reward.
THIRD = [0.812, 0.868, 0.918, 0.762, 0.660, 0.705, 0.655, 0.611, 0.388]
FOURTH = [0.8516, 0.9078, 0.9578, 0.8016, 0.7003, 0.7453, 0.6953, 0.6514, 0.4279]


def test_the_courier_by_hand():
    # V = 4/3 + 2/3 (4 + V/2), so V = 6; the road is worth 4, the ferry 4 + 6/2 = 7.
    assert state_values(COURIER, THIRDS, 1) == [6]
    assert action_values(COURIER, [6], 1) == [[4, 7]]
    assert advantages(COURIER, THIRDS, 1) == [[-2, 1]]
    assert state_values(COURIER, THIRDS, Fraction(3, 4)) == [Fraction(16, 3)]
    assert best_policy(COURIER, 1) == [[0, 1]]
    assert state_values(COURIER, best_policy(COURIER, 1), 1) == [8]


def test_the_textbooks_grid_world():
    mdp = grid_world().mdp
    best = best_policy(mdp, 1)
    assert [round(v, 3) for v in state_values(mdp, best, 1)] == THIRD


def test_the_grid_world_of_the_textbooks_fourth_edition():
    def repaid(outcome):
        chance, reward, then = outcome
        return Outcome(chance, reward + (0.04 if then is None else 0), then)

    mdp = MDP(
        tuple(
            tuple(tuple(map(repaid, outcomes)) for outcomes in actions)
            for actions in grid_world().mdp.outcomes
        )
    )
    best = best_policy(mdp, 1)
    assert [round(v, 4) for v in state_values(mdp, best, 1)] == FOURTH


@pytest.mark.parametrize("rows", [("S+",), ("S...+",), ("...+", ".#.-", "S...")])
@pytest.mark.parametrize("slip", [0, 0.2])
def test_where_all_ways_are_equally_good_the_best_policy_arrives(rows, slip):
    """Steps that cost nothing: to walk in a circle is no worse, until it never ends."""
    mdp = grid_world(rows, slip=slip, step_reward=0).mdp
    values = state_values(mdp, best_policy(mdp, 1), 1)
    # From 1e-9 that count as equal: no step loses more.
    assert values == pytest.approx([1] * len(values), abs=1e-6)


def test_a_circle_that_pays_has_no_best_policy_without_a_discount():
    mdp = grid_world(("S+",), slip=0, step_reward=1).mdp
    with pytest.raises(ValueError, match="never reaches the end"):
        best_policy(mdp, 1)
    # For ever 1 a step, at a discount of a half, is worth 2; so is 2 at once.
    assert state_values(mdp, best_policy(mdp, 0.5), 0.5) == [2]


@given(processes(), st.one_of(DISCOUNTS, st.just(1)))
def test_values_satisfy_bellmans_equation_exactly(process, gamma):
    mdp, policy = process
    values = state_values(mdp, policy, gamma)
    for state, actions in enumerate(mdp.outcomes):
        assert values[state] == sum(
            probability
            * chance
            * (reward + (gamma * values[n] if n is not None else 0))
            for probability, outcomes in zip(policy[state], actions, strict=True)
            for chance, reward, n in outcomes
        )


@given(processes(), st.one_of(DISCOUNTS, st.just(1)))
def test_advantages_average_to_zero_under_the_policy(process, gamma):
    mdp, policy = process
    assert set(average(policy, advantages(mdp, policy, gamma))) == {0}


@given(processes(), DISCOUNTS, st.data())
def test_a_difference_of_policies_is_the_sum_of_advantages(process, gamma, data):
    # V' − V = Σ γ^t E'[A(s_t, a_t)]: Kakade and Langford (2002), lemma 6.1.
    mdp, policy = process
    other = [data.draw(distributions(len(row))) for row in policy]
    gain = advantages(mdp, policy, gamma)
    assert expected_sum(mdp, other, gain, gamma) == [
        new - old
        for new, old in zip(
            state_values(mdp, other, gamma),
            state_values(mdp, policy, gamma),
            strict=True,
        )
    ]


@given(processes(), DISCOUNTS, st.data())
def test_actions_with_advantages_of_0_or_more_cannot_make_it_worse(
    process, gamma, data
):
    mdp, policy = process
    other = []
    for gains in advantages(mdp, policy, gamma):
        good = [action for action, gain in enumerate(gains) if gain >= 0]
        chances = dict(zip(good, data.draw(distributions(len(good))), strict=True))
        other.append([chances.get(action, 0) for action in range(len(gains))])
    pairs = zip(
        state_values(mdp, other, gamma), state_values(mdp, policy, gamma), strict=True
    )
    assert all(new >= old for new, old in pairs)


@given(processes(), DISCOUNTS, st.data())
def test_no_policy_beats_the_best(process, gamma, data):
    mdp, policy = process
    other = [data.draw(distributions(len(row))) for row in policy]
    best = state_values(mdp, best_policy(mdp, gamma), gamma)
    for high, low in zip(best, state_values(mdp, other, gamma), strict=True):
        assert high >= low - Fraction(1, 10**6)  # what 1e-9 a step can add up to


@given(processes(), DISCOUNTS)
def test_floats_come_to_the_same(process, gamma):
    mdp, policy = process
    exact = state_values(mdp, policy, gamma)
    in_floats = [[float(p) for p in row] for row in policy]
    # Four states, numbers below 40, a well-conditioned matrix: far below 1e-9.
    assert state_values(mdp, in_floats, float(gamma)) == pytest.approx(
        [float(v) for v in exact], abs=1e-9
    )


def test_the_mean_return_of_episodes_is_the_value():
    grid = grid_world()
    even = [[0.25] * 4 for _ in grid.cells]
    random, returns = Random(1), []
    for _ in range(2000):
        episode = sample_episode(grid.mdp, even, grid.start, random, 10_000)
        assert episode.terminated[-1]
        returns.append(discounted_returns(episode.rewards, 0.9)[0])
    mean = sum(returns) / len(returns)
    spread = (sum((r - mean) ** 2 for r in returns) / len(returns)) ** 0.5
    value = state_values(grid.mdp, even, 0.9)[grid.start]
    assert abs(mean - value) < 4 * spread / len(returns) ** 0.5


def test_an_episode_holds_together_and_says_how_it_ended():
    grid = grid_world()
    even = [[0.25] * 4 for _ in grid.cells]
    seen = set()
    for seed in range(40):
        episode = sample_episode(grid.mdp, even, grid.start, Random(seed), 12)
        length = len(episode.states)
        assert episode.states[1:] == episode.next_states[:-1]
        assert not any(episode.terminated[:-1] + episode.truncated[:-1])
        assert episode.terminated[-1] == (episode.next_states[-1] is None)
        assert episode.truncated[-1] == (episode.next_states[-1] is not None)
        assert length == 12 or episode.terminated[-1]
        seen.add(episode.terminated[-1])
    assert seen == {True, False}
    again = sample_episode(grid.mdp, even, grid.start, Random(3), 12)
    assert again == sample_episode(grid.mdp, even, grid.start, Random(3), 12)


def test_what_has_no_chance_never_happens():
    for seed in range(200):
        episode = sample_episode(COURIER, [[0, 1]], 0, Random(seed), 50)
        assert set(episode.actions) == {1}


@pytest.mark.parametrize(
    ("outcomes", "message"),
    [
        ((), "no state"),
        (((),), "state 0 has no action"),
        ((((),),), "sum to 0"),
        ((((Outcome(0.5, 1, None),),),), "action 0 of state 0 sum to 0.5"),
        ((((Outcome(0, 1, None), Outcome(1, 1, None)),),), "chance 0: it must be"),
        ((((Outcome(float("nan"), 1, None),),),), "chance nan"),
        ((((Outcome(1, float("inf"), None),),),), "reward of inf"),
        ((((Outcome(1, 0, 1),),),), "leads to state 1: there are 0 to 0"),
        ((((Outcome(1, 0, -1),),),), "leads to state -1"),
    ],
)
def test_impossible_processes(outcomes, message):
    with pytest.raises(ValueError, match=message):
        MDP(outcomes)


@pytest.mark.parametrize(
    ("policy", "gamma", "message"),
    [
        ([[1]], 0.9, r"policy has \[1\] actions in its states: the MDP has \[2\]"),
        ([[0.5, 0.5], [1]], 0.9, "the MDP has"),
        ([[0.5, 0.4]], 0.9, "sum to 1"),
        ([[1.5, -0.5]], 0.9, "in state 0 is"),
        ([[float("nan"), 1]], 0.9, "sum to 1"),
        ([[0.5, 0.5]], 1.1, "the discount is 1.1: it must be from 0 to 1"),
        ([[0.5, 0.5]], float("nan"), "the discount is nan"),
    ],
)
def test_impossible_policies_and_discounts(policy, gamma, message):
    with pytest.raises(ValueError, match=message):
        state_values(COURIER, policy, gamma)


@pytest.mark.parametrize(
    ("values", "gamma", "message"),
    [
        ([1, 2], 1, "there are 2 values: the MDP has 1 states"),
        ([float("nan")], 1, "values holds nan at 0: it must be finite"),
        ([1], 1.5, "gamma is 1.5: it must be from 0 to 1"),
    ],
)
def test_impossible_values(values, gamma, message):
    with pytest.raises(ValueError, match=message):
        action_values(COURIER, values, gamma)


def test_without_discount_there_must_be_an_end():
    stays = MDP((((Outcome(1, 1, 0),), (Outcome(1, 0, 1),)), ((Outcome(1, 0, None),),)))
    with pytest.raises(ValueError, match="from state 0 the policy never reaches"):
        state_values(stays, [[1, 0], [1]], 1)
    assert state_values(stays, [[0.5, 0.5], [1]], 1) == [1, 0]
    assert state_values(stays, [[1, 0], [1]], 0.5) == [2, 0]


def test_impossible_episodes():
    with pytest.raises(ValueError, match="start is 1: the states are 0 to 0"):
        sample_episode(COURIER, [[1, 0]], 1, Random(1), 5)
    with pytest.raises(ValueError, match="max_steps is 0"):
        sample_episode(COURIER, [[1, 0]], 0, Random(1), 0)


@pytest.mark.parametrize(
    ("rows", "slip", "message"),
    [
        (("S.", "+"), 0, r"lengths \[1, 2\]"),
        (("S?+",), 0, r"the map has '\?'"),
        (("..+",), 0, "has 0 starts"),
        (("SS+",), 0, "has 2 starts"),
        (("S.+",), 1.5, "slip is 1.5"),
    ],
)
def test_impossible_maps(rows, slip, message):
    with pytest.raises(ValueError, match=message):
        grid_world(rows, slip=slip)


def test_walls_edges_and_slips():
    grid = grid_world(("S#", ".+"), slip=Fraction(1, 5), step_reward=Fraction(-1, 2))
    assert grid.cells == ((0, 0), (1, 0))
    top, low = grid.mdp.outcomes
    half, tenth = Fraction(-1, 2), Fraction(1, 10)
    stay = Fraction(4, 5)
    assert top[1] == (
        Outcome(stay, half, 0),  # into the wall
        Outcome(tenth, half, 1),  # slips down
        Outcome(tenth, half, 0),  # slips up, over the edge
    )
    assert low[1][0] == Outcome(stay, half + 1, None)
    sure = grid_world(("S#", ".+"), slip=0, step_reward=0)
    assert sure.mdp.outcomes[0][2] == (Outcome(1, 0, 1),)
