"""Advantages and the clipped objective on lists: the definitions, written to be read.

A trajectory is a list of steps t. In state s_t an action brings the reward r_t and the
state s_{t+1}. A critic guesses the value V of each state, and errs by

    δ_t = r_t + γ V(s_{t+1}) − V(s_t)                              (the TD error)

The generalized advantage estimate (Schulman et al., arXiv:1506.02438, section 3) is

    Â_t = δ_t + γλ δ_{t+1} + (γλ)² δ_{t+2} + ...  to the end of the episode
        = δ_t + γλ Â_{t+1}                                         (the recurrence)

so that λ = 0 believes the critic after one step, and λ = 1 never: Â_t is then the
return minus V(s_t). Proximal policy optimization (Schulman et al., arXiv:1707.06347,
section 3) takes the ratio ρ of an action's new probability to its old one and maximizes

    min(ρ Â, clip(ρ, 1 − ε, 1 + ε) Â)

GRPO (Shao et al., arXiv:2402.03300, section 4) has no critic: it answers a question
several times, and compares each reward with the mean of its group.

An episode ends in one of two ways. After a *terminated* step nothing follows, and
V(s_{t+1}) counts as 0. A *truncated* one was only cut off, by a limit of time: what
follows is as good as V(s_{t+1}) says, but it was not seen, so the sum stops here.

Does not handle: tensors, or several trajectories at once (see `ops`).
"""

from collections.abc import Sequence
from fractions import Fraction
from math import isfinite, sqrt

Numbers = Sequence[float]
Flags = Sequence[bool]


def discounted_returns(rewards: Numbers, gamma: float, after: float = 0) -> list[float]:
    """G_t = r_t + γ r_{t+1} + γ² r_{t+2} + ..., of one episode.

    `after` is the value of the state in which the list ends: 0 where the episode does.
    Raises ValueError for `gamma` outside [0, 1], or a number that is not finite.
    """
    check_fraction("gamma", gamma)
    check_finite(rewards=rewards, after=[after])
    returns = []
    for reward in reversed(rewards):
        after = reward + gamma * after
        returns.append(after)
    return returns[::-1]


def td_errors(
    rewards: Numbers,
    values: Numbers,
    next_values: Numbers,
    terminated: Flags,
    gamma: float,
) -> list[float]:
    """δ_t, of as many steps as the lists have.

    `next_values[t]` is V(s_{t+1}), of the state that the step led to; where an episode
    ended this is its last state, not the first of the next. After a `terminated` step
    it is not used. Raises ValueError for lengths that differ, `gamma` outside [0, 1],
    or a number that is not finite.
    """
    _check_steps(rewards, values, next_values, terminated, terminated, gamma, 0)
    return [
        reward + (0 if ended else gamma * after) - before
        for reward, before, after, ended in zip(
            rewards, values, next_values, terminated, strict=True
        )
    ]


def gae(
    rewards: Numbers,
    values: Numbers,
    next_values: Numbers,
    terminated: Flags,
    truncated: Flags,
    gamma: float,
    lam: float,
) -> list[float]:
    """Â_t by its definition: every step adds up all that follow in its episode.

    The lists may hold several episodes, one after the other. What comes after the last
    step was not seen, as if it were truncated. For `next_values` see `td_errors`.
    Raises ValueError for lengths that differ, `gamma` or `lam` outside [0, 1], or a
    number that is not finite.
    """
    _check_steps(rewards, values, next_values, terminated, truncated, gamma, lam)
    errors = td_errors(rewards, values, next_values, terminated, gamma)
    estimates = []
    for first in range(len(errors)):
        estimate, weight = 0.0, 1.0
        for step in range(first, len(errors)):
            estimate += weight * errors[step]
            weight *= gamma * lam
            if terminated[step] or truncated[step]:
                break
        estimates.append(estimate)
    return estimates


def gae_backwards(
    rewards: Numbers,
    values: Numbers,
    next_values: Numbers,
    terminated: Flags,
    truncated: Flags,
    gamma: float,
    lam: float,
) -> list[float]:
    """The same by the recurrence, from the last step to the first: one pass.

    Takes and raises what `gae` does.
    """
    _check_steps(rewards, values, next_values, terminated, truncated, gamma, lam)
    errors = td_errors(rewards, values, next_values, terminated, gamma)
    estimate, estimates = 0.0, []
    for step in reversed(range(len(errors))):
        ends = terminated[step] or truncated[step]
        estimate = errors[step] + (0 if ends else gamma * lam * estimate)
        estimates.append(estimate)
    return estimates[::-1]


def clipped_surrogate(ratio: float, advantage: float, epsilon: float) -> float:
    """What PPO maximizes for one action: min(ρ Â, clip(ρ, 1 − ε, 1 + ε) Â).

    Raises ValueError for a negative `ratio` or `epsilon`, or a number that is not
    finite.
    """
    _check_clip(ratio, advantage, epsilon)
    clipped = min(max(ratio, 1 - epsilon), 1 + epsilon)
    return min(ratio * advantage, clipped * advantage)


def clipped_slope(ratio: float, advantage: float, epsilon: float) -> float:
    """Its derivative by `ratio`: Â, or 0 where the ratio has gone far enough.

    An action that was good has gone far enough above 1 + ε, one that was bad below
    1 − ε. On the other side nothing is clipped, so that a step too far can be undone.
    Takes and raises what `clipped_surrogate` does.
    """
    _check_clip(ratio, advantage, epsilon)
    if (advantage > 0 and ratio > 1 + epsilon) or (
        advantage < 0 and ratio < 1 - epsilon
    ):
        return 0.0
    return advantage


def group_advantages(rewards: Numbers) -> list[float]:
    """GRPO's advantages: rewards of one group, less their mean, over their deviation.

    The deviation is that of the group itself (divided by its size, not one less).
    Where all rewards are equal, nothing can be learned, and all advantages are 0.
    Raises ValueError for an empty group or a reward that is not finite.
    """
    if not rewards:
        raise ValueError("a group has no reward: it must have one or more")
    check_finite(rewards=rewards)
    if min(rewards) == max(rewards):
        return [0.0] * len(rewards)
    largest = max(map(abs, rewards))  # as the unit, so that no square overflows
    scaled = [reward / largest for reward in rewards]
    mean = sum(scaled) / len(scaled)
    deviation = sqrt(sum((number - mean) ** 2 for number in scaled) / len(scaled))
    if deviation == 0:
        return [0.0] * len(rewards)
    return [(number - mean) / deviation for number in scaled]


def check_finite(**lists: Sequence[float | Fraction]) -> None:
    """Raise ValueError with the first number that is infinite or not a number."""
    for name, numbers in lists.items():
        for step, number in enumerate(numbers):
            if not isfinite(number):
                raise ValueError(f"{name} holds {number} at {step}: it must be finite")


def check_fraction(name: str, value: float | Fraction) -> None:
    """Raise ValueError unless `value` is from 0 to 1."""
    if not 0 <= value <= 1:
        raise ValueError(f"{name} is {value}: it must be from 0 to 1")


def _check_steps(
    rewards: Numbers,
    values: Numbers,
    next_values: Numbers,
    terminated: Flags,
    truncated: Flags,
    gamma: float,
    lam: float,
) -> None:
    check_fraction("gamma", gamma)
    check_fraction("lam", lam)
    lengths = {
        "values": len(values),
        "next_values": len(next_values),
        "terminated": len(terminated),
        "truncated": len(truncated),
    }
    for name, length in lengths.items():
        if length != len(rewards):
            raise ValueError(
                f"{name} has {length} steps: it must have {len(rewards)}, as rewards "
                "has"
            )
    check_finite(rewards=rewards, values=values)
    for step, (value, ended) in enumerate(zip(next_values, terminated, strict=True)):
        if not (ended or isfinite(value)):
            raise ValueError(f"next_values holds {value} at {step}: it must be finite")


def _check_clip(ratio: float, advantage: float, epsilon: float) -> None:
    check_finite(ratio=[ratio], advantage=[advantage], epsilon=[epsilon])
    for name, value in (("ratio", ratio), ("epsilon", epsilon)):
        if value < 0:
            raise ValueError(f"{name} is {value}: it must be 0 or more")
