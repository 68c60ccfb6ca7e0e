"""The exercises of the chapter on the power of two choices."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, permutations, product
from math import comb
from random import Random
from typing import Any

from tensorfleet.choices.theory import queue_shares
from tensorfleet.exercises.checking import Arguments, Exercise, close_to, equals


def next_ball_cases() -> Iterator[Arguments]:
    yield ([3, 1],)
    yield ([0, 0],)
    yield ([2, 0, 1],)
    yield ([1, 1, 0, 5],)
    random = Random(1)
    for num_bins in (3, 6, 12):
        yield ([random.randrange(4) for _ in range(num_bins)],)


def next_ball(loads: list[int]) -> list[float]:
    """Every ordered pair of distinct bins is equally likely; ties go to the first."""
    chances = [0] * len(loads)
    pairs = list(permutations(range(len(loads)), 2))
    for first, second in pairs:
        chances[second if loads[second] < loads[first] else first] += 1
    return [chance / len(pairs) for chance in chances]


def distinct_pairs_cases() -> Iterator[Arguments]:
    for n in (2, 3, 4, 5, 7):
        # All combinations of numbers in the middle of cells: what is uniform for
        # uniform numbers gives every pair equally often.
        cells = n * (n - 1)
        middles = [(cell + 0.5) / cells for cell in range(cells)]
        yield n, [list(numbers) for numbers in product(middles, repeat=2)]


def judge_distinct_pairs(arguments: Arguments, answer: Any) -> str | None:
    """Every ordered pair of distinct indices must come equally often."""
    n, numbers = arguments
    if not isinstance(answer, list) or len(answer) != len(numbers):
        return f"returned {answer!r:.200}\nexpected a list of {len(numbers)} pairs"
    for given, found in zip(numbers, answer, strict=True):
        if (
            not isinstance(found, list)
            or len(found) != 2
            or not all(isinstance(index, int) and 0 <= index < n for index in found)
        ):
            return f"the numbers {given} give {found!r}\nexpected two of 0 to {n - 1}"
        if found[0] == found[1]:
            return f"the numbers {given} give {found}\nexpected two different indices"
    counts = Counter(map(tuple, answer))
    expected = len(numbers) // (n * (n - 1))
    for wanted in permutations(range(n), 2):
        if counts[wanted] != expected:
            return (
                f"the pair {list(wanted)} comes {counts[wanted]} times\n"
                f"expected {expected}, as often as each of the others"
            )
    return None


def queue_tail_cases() -> Iterator[Arguments]:
    yield 0.5, 2, 3
    yield 0.9, 2, 6
    yield 0.9, 1, 6
    yield 0.99, 3, 5
    yield 0.7, 5, 4


def queue_tail(utilisation: float, d: int, levels: int) -> list[float]:
    return queue_shares(utilisation, d, levels)


def believed_lengths_cases() -> Iterator[Arguments]:
    yield [(4, 10), (0, 10)], [(1, 11), (1, 12), (0, 9)]
    yield [(4, 10), (0, 10)], []
    yield [(2, 5), (2, 9)], [(0, 4), (0, 6), (1, 6), (1, 8)]
    yield [(7, 3)], [(0, 3), (0, 4)]
    random = Random(2)
    for num_servers in (3, 8):
        reports = [
            (random.randrange(6), random.randrange(100)) for _ in range(num_servers)
        ]
        yield (
            reports,
            [(random.randrange(num_servers), random.randrange(100)) for _ in range(40)],
        )


def believed_lengths(
    reports: list[tuple[int, int]], sent: list[tuple[int, int]]
) -> list[int]:
    """A report holds what had arrived by then; what was sent later comes on top."""
    return [
        length + sum(s == server and when > reported for s, when in sent)
        for server, (length, reported) in enumerate(reports)
    ]


def maximum_chances_cases() -> Iterator[Arguments]:
    yield 2, 2
    yield 1, 5
    yield 3, 2
    yield 6, 4
    yield 20, 20
    yield 30, 12


def maximum_chances(num_balls: int, num_bins: int) -> list[float]:
    """Ways to throw with at most k balls in each bin, for each k, bin by bin.

    A further bin takes j of m different balls in comb(m, j) ways.
    """
    at_most = [0]
    for k in range(num_balls + 1):
        ways = [1] + [0] * num_balls
        for _ in range(num_bins):
            ways = [
                sum(comb(m, j) * ways[m - j] for j in range(min(m, k) + 1))
                for m in range(num_balls + 1)
            ]
        at_most.append(ways[num_balls])
    total = num_bins**num_balls
    return [(now - less) / total for less, now in pairwise(at_most)]


EXERCISES = {
    "next_ball": Exercise("(loads) -> chances", next_ball_cases, close_to(next_ball)),
    "distinct_pairs": Exercise(
        "(n, numbers) -> pairs", distinct_pairs_cases, judge_distinct_pairs
    ),
    "queue_tail": Exercise(
        "(utilisation, d, levels) -> shares", queue_tail_cases, close_to(queue_tail)
    ),
    "believed_lengths": Exercise(
        "(reports, sent) -> lengths",
        believed_lengths_cases,
        equals(believed_lengths),
    ),
    "maximum_chances": Exercise(
        "(num_balls, num_bins) -> chances",
        maximum_chances_cases,
        close_to(maximum_chances),
    ),
}
