"""Likely mistakes in the exercises on PPO: `check` must find each of them."""

from itertools import accumulate

import numpy as np

from tests.exercises import solutions_ppo as solutions

# Each with what it does wrong.
MISTAKES = [
    # what has come so far, not what is still to come
    (
        "ppo.returns",
        lambda rewards, gamma: list(accumulate(rewards, lambda s, r: gamma * s + r)),
    ),
    # no discount
    (
        "ppo.returns",
        lambda rewards, gamma: solutions.returns(rewards, 1),
    ),
    # the plain mean instead of the policy's
    (
        "ppo.advantages",
        lambda policy, values: [q - sum(values) / len(values) for q in values],
    ),
    # truncated as if terminated: nothing follows
    (
        "ppo.gae",
        lambda r, v, n, done, cut, *rest: solutions.gae(
            r, v, n, [a or b for a, b in zip(done, cut, strict=True)], cut, *rest
        ),
    ),
    # terminated as if truncated: the critic is asked about the end
    (
        "ppo.gae",
        lambda r, v, n, done, cut, *rest: solutions.gae(
            r,
            v,
            n,
            [False] * len(r),
            [a or b for a, b in zip(done, cut, strict=True)],
            *rest,
        ),
    ),
    # errors that pass from an episode to the one before, where it was cut off
    (
        "ppo.gae",
        lambda r, v, n, done, cut, *rest: solutions.gae(
            r, v, n, done, [False] * len(r), *rest
        ),
    ),
    # clipped on both sides, so that a step too far is never undone
    (
        "ppo.clipped_gradient",
        lambda ratios, advantages, epsilon: [
            a if 1 - epsilon <= ratio <= 1 + epsilon else 0.0
            for ratio, a in zip(ratios, advantages, strict=True)
        ],
    ),
    # no clip
    (
        "ppo.clipped_gradient",
        lambda ratios, advantages, epsilon: list(advantages),
    ),
    # the other order
    (
        "ppo.combine",
        lambda earlier, later: solutions.combine(later, earlier),
    ),
    # the reward as a weight, not its exponential
    (
        "ppo.tilted",
        lambda reference, rewards, beta: [
            p * r / sum(map(lambda a, b: a * b, reference, rewards))
            for p, r in zip(reference, rewards, strict=True)
        ],
    ),
    # an exponential that overflows
    (
        "ppo.tilted",
        lambda reference, rewards, beta: [
            p * np.exp(r / beta) / sum(np.exp(x / beta) for x in rewards)
            for p, r in zip(reference, rewards, strict=True)
        ],
    ),
]
