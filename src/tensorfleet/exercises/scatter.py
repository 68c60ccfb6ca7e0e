"""The exercises of the scatter chapter."""

from collections.abc import Iterator
from itertools import islice, permutations
from math import fsum, isfinite
from random import Random
from typing import Any

from tensorfleet.exercises.checking import Arguments, Exercise, close_to, equals
from tensorfleet.scatter.costs import serial_steps
from tensorfleet.scatter.reference import batched_bincount


def histogram_cases() -> Iterator[Arguments]:
    yield [0, 1, 1, 3], 5
    yield [], 3
    yield [2, 2, 2], 3
    random = Random(1)
    for num_bins in (1, 2, 10, 100):
        for size in (1, 7, 50):
            yield [random.randrange(num_bins) for _ in range(size)], num_bins


def source_gradient_cases() -> Iterator[Arguments]:
    yield [[1.0, 2.0], [3.0, 4.0]], [[1, 0]]
    yield [[1.0, 2.0], [3.0, 4.0]], [[0, 0], [0, 1], [1, 1]]
    yield (
        [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]],
        [[1], [0], [1]],
    )  # narrower than dst
    random = Random(2)
    for rows, columns, taken in ((1, 1, 1), (3, 4, 2), (5, 2, 9), (4, 6, 4)):
        gradient = [
            [float(random.randrange(-9, 10)) for _ in range(columns)]
            for _ in range(rows)
        ]
        yield (
            gradient,
            [[random.randrange(rows) for _ in range(columns)] for _ in range(taken)],
        )


def source_gradient(
    gradient: list[list[float]], index: list[list[int]]
) -> list[list[float]]:
    """Along dimension 0 `out[index[i][j]][j] += src[i][j]`.

    Each source element goes to one place, so its gradient is the gradient of that
    place.
    """
    return [[gradient[target][j] for j, target in enumerate(row)] for row in index]


def segment_mean_cases() -> Iterator[Arguments]:
    yield [2.0, 4.0, 9.0], [0, 0, 1], 2
    yield [5.0], [2], 4
    yield [], [], 2
    random = Random(3)
    for segments, size in ((1, 6), (4, 9), (8, 40)):
        # multiples of 1/4: their sums are exact, so that the order of additions does
        # not matter
        values = [random.randrange(-40, 40) / 4 for _ in range(size)]
        yield values, [random.randrange(segments) for _ in range(size)], segments


def segment_mean(
    values: list[float], segment: list[int], num_segments: int
) -> list[float]:
    totals, counts = [0.0] * num_segments, [0] * num_segments
    for value, s in zip(values, segment, strict=True):
        totals[s] += value
        counts[s] += 1
    return [
        total / count if count else 0.0
        for total, count in zip(totals, counts, strict=True)
    ]


def serial_steps_cases() -> Iterator[Arguments]:
    yield [0, 1, 2, 3], 4
    yield [7, 7, 7, 7], 4
    yield [7, 7, 1, 2, 3, 3], 4
    yield [], 8
    yield [5, 5, 5], 1
    random = Random(4)
    for reach in (2, 8, 1000):
        yield [random.randrange(reach) for _ in range(100)], 32


def order_free_add_cases() -> Iterator[Arguments]:
    yield [(0, 1.0), (0, 2.0), (1, 5.0)], 2
    for order in permutations([(0, 1e16), (0, 1.0), (0, -1e16)]):
        yield list(order), 1
    # Sums that compensate for one lost part, as Python's own does since 3.12, lose two.
    for parts in islice(permutations([1e100, 1e50, 1.0, -1e50, -1e100]), 0, 120, 7):
        yield [(1, part) for part in parts], 2
    random = Random(5)
    pairs = [
        (random.randrange(3), random.uniform(-1, 1) * 10 ** random.randrange(-8, 9))
        for _ in range(60)
    ]
    for _ in range(5):
        random.shuffle(pairs)
        yield list(pairs), 4


def judge_order_free_add(arguments: Arguments, answer: Any) -> str | None:
    """Every place must hold the exact sum, rounded once.

    That alone is the same for every order.
    """
    pairs, num_places = arguments
    if not isinstance(answer, list) or len(answer) != num_places:
        return f"returned {answer!r}\nexpected a list of {num_places} sums"
    for place, total in enumerate(answer):
        exact = fsum(value for target, value in pairs if target == place)
        if not isinstance(total, (int, float)) or not isfinite(total) or total != exact:
            return (
                f"place {place} holds {total!r}\n"
                f"expected {exact!r}, the exact sum rounded once"
            )
    return None


EXERCISES = {
    "histogram": Exercise(
        "(values, num_bins) -> counts",
        histogram_cases,
        equals(batched_bincount),
    ),
    "source_gradient": Exercise(
        "(gradient, index) -> gradient of src",
        source_gradient_cases,
        equals(source_gradient),
    ),
    "segment_mean": Exercise(
        "(values, segment, num_segments) -> means",
        segment_mean_cases,
        close_to(segment_mean),
    ),
    "serial_steps": Exercise(
        "(indices, lanes) -> steps", serial_steps_cases, equals(serial_steps)
    ),
    "order_free_add": Exercise(
        "(pairs, num_places) -> sums", order_free_add_cases, judge_order_free_add
    ),
}
