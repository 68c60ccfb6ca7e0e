"""The exercises of the loss chapter."""

from collections.abc import Iterator
from math import exp, inf, isclose, isfinite, nan
from random import Random
from typing import Any

from tensorfleet.exercises.checking import Arguments, Exercise, close_to
from tensorfleet.loss.reference import (
    IGNORE_INDEX,
    log_sum_exp,
    perplexity,
    token_gradient,
)


def random_logits(random: Random, size: int, spread: float = 3.0) -> list[float]:
    return [round(random.uniform(-spread, spread), 3) for _ in range(size)]


def log_sum_exp_cases() -> Iterator[Arguments]:
    yield ([0.1, 2.5, 0.8, 0.3, 0.2],)
    yield ([0.0, 0.0],)
    yield ([5.0],)
    yield ([1000.0, 990.0, 1000.0],)
    yield ([-1000.0, -1001.0],)
    yield ([3.0, -inf, 1.0],)
    yield ([-inf, -inf],)
    random = Random(1)
    for size in (2, 30):
        yield (random_logits(random, size, 800.0),)


def judge_log_sum_exp(arguments: Arguments, answer: Any) -> str | None:
    expected = log_sum_exp(arguments[0])
    if isinstance(answer, (int, float)) and isclose(answer, expected, rel_tol=1e-6):
        return None
    return f"returned {answer!r}\nexpected {expected!r}"


def gradient_cases() -> Iterator[Arguments]:
    yield [0.1, 2.5, 0.8, 0.3, 0.2], 1
    yield [0.0, 0.0], 0
    yield [1000.0, 0.0, 1000.0], 1
    random = Random(2)
    for size in (1, 3, 12):
        yield random_logits(random, size), random.randrange(size)


def mean_perplexity_cases() -> Iterator[Arguments]:
    yield ([(1.0, 1), (3.0, 9)],)
    yield ([(2.0, 7)],)
    yield ([(0.5, 3), (nan, 0), (1.5, 1)],)
    random = Random(3)
    for size in (2, 5, 20):
        yield ([(random_logits(random, 1)[0] + 4, random.randrange(1, 99))
                for _ in range(size)],)  # fmt: skip


def mean_perplexity(batches: list[tuple[float, int]]) -> list[float]:
    """The mean over all tokens, not over batches."""
    tokens = sum(count for _, count in batches)
    # The mean over no token is NaN.
    lost = sum(mean * count for mean, count in batches if count)
    return [perplexity(lost / tokens)]


def judge_mean_perplexity(arguments: Arguments, answer: Any) -> str | None:
    return close_to(mean_perplexity)(
        arguments, [answer] if isinstance(answer, float) else answer
    )


def merge_cases() -> Iterator[Arguments]:
    yield (2.0, 1.5), (1.0, 3.0)
    yield (1.0, 3.0), (2.0, 1.5)
    yield (0.0, 1.0), (0.0, 1.0)
    yield (1000.0, 2.0), (-1000.0, 5.0)
    yield (1000.0, 2.0), (999.0, 5.0)
    yield (-inf, 0.0), (3.0, 1.25)  # nothing was read on the left
    yield (3.0, 1.25), (-inf, 0.0)
    yield (-inf, 0.0), (-inf, 0.0)
    random = Random(4)
    for _ in range(4):
        first, second = random_logits(random, 2, 50.0)
        yield (first, 1 + random.random()), (second, 1 + random.random())


def merge(first: tuple[float, float], second: tuple[float, float]) -> list[float]:
    highest = max(first[0], second[0])
    if highest == -inf:
        return [highest, 0.0]
    return [highest, sum(total * exp(m - highest) for m, total in (first, second))]


def weight_gradient_cases() -> Iterator[Arguments]:
    yield [[1.0, 0.0], [0.0, 2.0]], [[0.5, 0.0], [0.0, 0.5], [0.1, 0.1]], [2, 0]
    yield [[1.0], [2.0], [3.0]], [[0.3], [-0.3]], [1, IGNORE_INDEX, 0]
    yield [[1.0, 1.0]], [[400.0, 400.0], [-400.0, 0.0]], [1]
    yield [[1.0], [2.0]], [[0.3], [-0.3]], [IGNORE_INDEX, 1]
    random = Random(5)
    for tokens, features, classes in ((4, 3, 5), (9, 2, 7)):
        yield (
            [random_logits(random, features) for _ in range(tokens)],
            [random_logits(random, features) for _ in range(classes)],
            [random.choice([IGNORE_INDEX, *range(classes)]) for _ in range(tokens - 1)]
            + [0],
        )


def weight_gradient(
    inputs: list[list[float]], weight: list[list[float]], targets: list[int]
) -> list[list[float]]:
    """Over tokens that count: the mean of (p − y) times the input, for each class."""
    found = [[0.0] * len(row) for row in weight]
    counted = sum(target != IGNORE_INDEX for target in targets)
    for features, target in zip(inputs, targets, strict=True):
        if target == IGNORE_INDEX:
            continue
        logits = [
            sum(w * x for w, x in zip(row, features, strict=True)) for row in weight
        ]
        for row, slope in zip(found, token_gradient(logits, target), strict=True):
            for feature, value in enumerate(features):
                row[feature] += slope * value / counted
    return found


def judge_weight_gradient(arguments: Arguments, answer: Any) -> str | None:
    expected = weight_gradient(*arguments)
    rows = answer if isinstance(answer, list) else []
    same = len(rows) == len(expected) and all(
        isinstance(row, list)
        and len(row) == len(wanted)
        and all(
            isinstance(a, (int, float))
            and isfinite(a)
            and isclose(a, b, rel_tol=1e-5, abs_tol=1e-6)
            for a, b in zip(row, wanted, strict=True)
        )
        for row, wanted in zip(rows, expected, strict=False)
    )
    return None if same else f"returned {answer!r}\nexpected {expected!r}"


EXERCISES: dict[str, Exercise] = {
    "log_sum_exp": Exercise("(logits) -> number", log_sum_exp_cases, judge_log_sum_exp),
    "gradient": Exercise(
        "(logits, target) -> slopes", gradient_cases, close_to(token_gradient)
    ),
    "mean_perplexity": Exercise(
        "(batches) -> perplexity", mean_perplexity_cases, judge_mean_perplexity
    ),
    "merge": Exercise("(first, second) -> (m, total)", merge_cases, close_to(merge)),
    "weight_gradient": Exercise(
        "(inputs, weight, targets) -> gradient of weight",
        weight_gradient_cases,
        judge_weight_gradient,
    ),
}
