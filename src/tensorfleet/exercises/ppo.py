"""The exercises of the PPO chapter."""

from collections.abc import Iterator
from math import exp
from random import Random

from tensorfleet.exercises.checking import Arguments, Exercise, close_to
from tensorfleet.ppo.reference import (
    clipped_slope,
    discounted_returns,
    gae_backwards,
)


def returns_cases() -> Iterator[Arguments]:
    yield [0.0, 0.0, 8.0], 0.5
    yield [1.0, 2.0, 3.0], 1.0
    yield [5.0, -1.0], 0.0
    yield [], 0.9
    random = Random(1)
    for length in (7, 40):
        yield [random.uniform(-1, 1) for _ in range(length)], 0.9


def returns(rewards: list[float], gamma: float) -> list[float]:
    return discounted_returns(rewards, gamma)


def advantages_cases() -> Iterator[Arguments]:
    yield [1 / 3, 2 / 3], [4.0, 7.0]
    yield [0.5, 0.5], [1.0, 3.0]
    yield [1.0, 0.0], [2.0, 9.0]
    yield [0.1, 0.2, 0.7], [3.0, 3.0, 3.0]
    random = Random(2)
    for size in (4, 9):
        weights = [random.random() for _ in range(size)]
        yield (
            [weight / sum(weights) for weight in weights],
            [random.uniform(-5, 5) for _ in range(size)],
        )


def advantages(policy: list[float], action_values: list[float]) -> list[float]:
    mean = sum(p * q for p, q in zip(policy, action_values, strict=True))
    return [q - mean for q in action_values]


def gae_cases() -> Iterator[Arguments]:
    no = [False] * 3
    courier = [0.0, 0.0, 8.0], [5.0] * 3, [5.0, 5.0, 0.0], [False, False, True], no
    yield *courier, 1.0, 0.5
    yield *courier, 1.0, 1.0
    # Cut off: what the critic says of the last state counts.
    yield [1.0, 1.0], [10.0, 10.0], [10.0, 10.0], no[:2], [False, True], 1.0, 1.0
    # Terminated: it does not, whatever stands there.
    yield [1.0, 1.0], [10.0, 10.0], [10.0, 7.0], [False, True], no[:2], 1.0, 1.0
    # Two episodes in one list, the first cut off.
    yield [1.0] * 3, [2.0] * 3, [3.0] * 3, no, [True, False, False], 0.9, 0.9
    yield [1.0, 1.0], [2.0] * 2, [3.0] * 2, no[:2], [True, True], 0.9, 0.0
    random = Random(3)
    for length in (12, 60):
        numbers = [[random.uniform(-1, 1) for _ in range(length)] for _ in range(3)]
        flags = [[random.random() < 0.1 for _ in range(length)] for _ in range(2)]
        yield *numbers, *flags, 0.99, 0.95


def clipped_gradient_cases() -> Iterator[Arguments]:
    yield [1.0, 1.0], [2.0, -2.0], 0.2
    yield [1.5, 1.5], [2.0, -2.0], 0.2
    yield [0.5, 0.5], [2.0, -2.0], 0.2
    yield [0.9, 1.1, 3.0], [-1.0, 1.0, 0.0], 0.3
    random = Random(4)
    for length in (6, 30):
        yield (
            [random.uniform(0.4, 1.8) for _ in range(length)],
            [random.uniform(-3, 3) for _ in range(length)],
            0.25,
        )


def clipped_gradient(
    ratios: list[float], advantages: list[float], epsilon: float
) -> list[float]:
    return [
        clipped_slope(ratio, advantage, epsilon)
        for ratio, advantage in zip(ratios, advantages, strict=True)
    ]


def combine_cases() -> Iterator[Arguments]:
    yield (0.5, 1.0), (0.5, 2.0)
    yield (0.0, 3.0), (0.9, 5.0)
    yield (0.9, 3.0), (0.0, 5.0)
    yield (1.0, 0.0), (0.7, -2.0)
    random = Random(5)
    for _ in range(3):
        yield (
            (random.random(), random.uniform(-1, 1)),
            (random.random(), random.uniform(-1, 1)),
        )


def combine(earlier: tuple[float, float], later: tuple[float, float]) -> list[float]:
    (decay, error), (next_decay, next_error) = earlier, later
    return [decay * next_decay, error + decay * next_error]


def tilted_cases() -> Iterator[Arguments]:
    yield [0.5, 0.5], [0.0, 1.0], 1.0
    yield [0.9, 0.1], [0.0, 1.0], 0.25
    yield [0.2, 0.3, 0.5], [1.0, 1.0, 1.0], 0.1
    yield [0.25, 0.0, 0.75], [0.0, 9.0, 1.0], 0.5
    # Rewards over β that no exponential in floats can hold.
    yield [0.5, 0.25, 0.25], [3000.0, 2999.0, 0.0], 1.0
    yield [0.5, 0.5], [-4000.0, -4001.0], 2.0


def tilted(reference: list[float], rewards: list[float], beta: float) -> list[float]:
    most = max(rewards)
    weights = [
        chance * exp((reward - most) / beta)
        for chance, reward in zip(reference, rewards, strict=True)
    ]
    return [weight / sum(weights) for weight in weights]


EXERCISES = {
    "returns": Exercise(
        "(rewards, gamma) -> returns", returns_cases, close_to(returns)
    ),
    "advantages": Exercise(
        "(policy, action_values) -> advantages", advantages_cases, close_to(advantages)
    ),
    "gae": Exercise(
        "(rewards, values, next_values, terminated, truncated, gamma, lam) "
        "-> advantages",
        gae_cases,
        close_to(gae_backwards),
    ),
    "clipped_gradient": Exercise(
        "(ratios, advantages, epsilon) -> slopes",
        clipped_gradient_cases,
        close_to(clipped_gradient),
    ),
    "combine": Exercise("(earlier, later) -> pair", combine_cases, close_to(combine)),
    "tilted": Exercise(
        "(reference, rewards, beta) -> policy", tilted_cases, close_to(tilted)
    ),
}
