"""What an advantage estimate is on average, and how far it scatters, without sampling.

Let m(s, a) and M(s, a) be the mean and the mean square of Â after action a in state s,
over everything that may follow. Since Â_t = δ_t + γλ Â_{t+1}, and the future depends on
the past only through the next state s' (Sutton and Barto, 2018, section 3.1),

    m(s, a) = E[δ + γλ m(s')]
    M(s, a) = E[δ² + 2 γλ δ m(s') + (γλ)² M(s')]

where m(s) and M(s) are means over the policy's actions, and 0 after the end. Both are
linear equations, like those of V. Nothing is assumed about the critic: it may be wrong.

Does not handle: episodes that are cut off.
"""

from collections.abc import Sequence

from tensorfleet.ppo.mdp import (
    MDP,
    Number,
    Row,
    Table,
    action_values,
    average,
    expected_sum,
    total,
)
from tensorfleet.ppo.reference import check_finite, check_fraction


def gae_moments(
    mdp: MDP, policy: Table, critic: Sequence[Number], gamma: Number, lam: Number
) -> tuple[list[Row], list[Row]]:
    """The mean and the variance of GAE(γ, λ) for each action of each state.

    `critic[s]` is the critic's guess of V(s). Raises ValueError for a critic of another
    length than the MDP or with a guess that is not finite, and what `state_values`
    raises.
    """
    if len(critic) != len(mdp.outcomes):
        raise ValueError(
            f"the critic has {len(critic)} values: the MDP has {len(mdp.outcomes)} "
            "states"
        )
    check_finite(critic=critic)
    check_fraction("lam", lam)
    check_fraction("gamma", gamma)
    decay = gamma * lam
    # The mean of one TD error, and from it that of their weighted sum.
    errors = [
        [value - guess for value in row]
        for row, guess in zip(action_values(mdp, critic, gamma), critic, strict=True)
    ]
    mean_after = expected_sum(mdp, policy, errors, decay)
    means = [
        [error + value for error, value in zip(row, later, strict=True)]
        for row, later in zip(
            errors, _expected_next(mdp, mean_after, decay), strict=True
        )
    ]

    def gain(state: int, reward: Number, then: int | None) -> Number:
        """What one outcome adds to the mean square at once."""
        error = reward - critic[state]
        if then is None:
            return error * error
        error += gamma * critic[then]
        return error * error + 2 * decay * error * mean_after[then]

    gains = [
        [
            total(
                chance * gain(state, reward, then) for chance, reward, then in outcomes
            )
            for outcomes in actions
        ]
        for state, actions in enumerate(mdp.outcomes)
    ]
    square_after = expected_sum(mdp, policy, gains, decay * decay)
    later_squares = _expected_next(mdp, square_after, decay * decay)
    variances = [
        [
            gained + later - mean * mean
            for gained, later, mean in zip(*rows, strict=True)
        ]
        for rows in zip(gains, later_squares, means, strict=True)
    ]
    return means, variances


def centred(policy: Table, table: Table) -> list[Row]:
    """`table` less its mean over the policy's actions, in each state.

    A constant per state cannot make one action look better than another, so it does not
    change what is learned. What is left of a wrong critic's error after this does.
    """
    return [
        [value - mean for value in row]
        for row, mean in zip(table, average(policy, table), strict=True)
    ]


def _expected_next(mdp: MDP, after: Sequence[Number], factor: Number) -> list[Row]:
    """`factor` times what is expected of `after` at the next state; 0 at the end."""
    return [
        [
            total(
                factor * chance * after[then]
                for chance, _, then in outcomes
                if then is not None
            )
            for outcomes in actions
        ]
        for actions in mdp.outcomes
    ]
