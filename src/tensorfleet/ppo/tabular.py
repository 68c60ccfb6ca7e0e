"""PPO on a table: its whole loop without a network, short enough to follow by hand.

    collect     follow the old policy for some episodes, estimate each step's advantage
    epoch       one gradient step on the mean of min(ρ Â, clip(ρ, 1 − ε, 1 + ε) Â)
    ...         several of them on the same samples; then collect anew

The policy has a number θ(s, a) for each state and action, and π(a|s) is proportional to
exp θ(s, a). Where the objective of a sample has the slope g by its ratio ρ = π/π_old,
its slope by θ(s, b) is g ρ (1[a = b] − π(b|s)), which is 0 where ρ is clipped.

Does not handle: a critic that learns, an entropy bonus, a step size that adapts. These
are in `training`, which does the same with networks.
"""

from collections.abc import Sequence
from math import exp
from random import Random
from typing import NamedTuple

from tensorfleet.ppo.mdp import MDP, sample_episode, total
from tensorfleet.ppo.reference import clipped_slope, gae_backwards

Policy = list[list[float]]


class Sample(NamedTuple):
    """One step that was taken, and how much better than average it seems."""

    state: int
    action: int
    advantage: float


def softmax(theta: Policy) -> Policy:
    """The policy of a table: chances proportional to exp θ, in each state."""
    policy = []
    for row in theta:
        weights = [exp(value - max(row)) for value in row]
        scale = float(total(weights))
        policy.append([weight / scale for weight in weights])
    return policy


def collect(
    mdp: MDP,
    policy: Policy,
    critic: Sequence[float],
    start: int,
    *,
    gamma: float,
    lam: float,
    episodes: int,
    max_steps: int,
    random: Random,
) -> list[Sample]:
    """Follow `policy` for some episodes, and estimate advantages by GAE(γ, λ).

    `critic[s]` is a guess of V(s). Episodes longer than `max_steps` are truncated.
    Raises what `sample_episode` and `gae` raise.
    """
    samples: list[Sample] = []
    for _ in range(episodes):
        seen = sample_episode(mdp, policy, start, random, max_steps)
        estimates = gae_backwards(
            [float(reward) for reward in seen.rewards],
            [critic[state] for state in seen.states],
            [0.0 if then is None else critic[then] for then in seen.next_states],
            seen.terminated,
            seen.truncated,
            gamma,
            lam,
        )
        samples += map(Sample, seen.states, seen.actions, estimates)
    return samples


def epoch(
    theta: Policy,
    old: Policy,
    samples: Sequence[Sample],
    *,
    epsilon: float,
    rate: float,
) -> Policy:
    """The table after one step of size `rate` along the gradient of the objective.

    `old` is the policy that the samples were taken from.
    """
    policy = softmax(theta)
    pulls = [[0.0] * len(row) for row in theta]  # g ρ, of all samples
    for state, action, advantage in samples:
        ratio = policy[state][action] / old[state][action]
        slope = clipped_slope(ratio, advantage, epsilon)
        pulls[state][action] += slope * ratio / len(samples)
    moved = []
    for values, chances, row in zip(theta, policy, pulls, strict=True):
        all_pulls = float(total(row))
        moved.append(
            [
                value + rate * (pull - chance * all_pulls)
                for value, chance, pull in zip(values, chances, row, strict=True)
            ]
        )
    return moved
