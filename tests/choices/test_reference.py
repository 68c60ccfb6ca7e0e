"""The choice itself: uniform, distinct, lowest wins, even ties; the notes' score."""

from collections import Counter
from fractions import Fraction
from itertools import permutations
from math import inf, nan
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.choices import choose, notes_score, pair
from tensorfleet.choices.reference import draw


class Scripted(Random):
    """A generator that returns the given numbers, to walk through all its outcomes."""

    def __init__(self, numbers):
        super().__init__(0)
        self.numbers = iter(numbers)

    def random(self):
        return next(self.numbers)


def chi_square(counts, expected):
    return sum((count - expected) ** 2 / expected for count in counts)


# The 99.9% quantiles of chi-square by degrees of freedom, from a table.
# A correct generator exceeds it for one seed in a thousand; these seeds are fixed.
CHI_SQUARE_LIMIT = {5: 20.515, 19: 43.820, 59: 98.324, 89: 135.978}


@pytest.mark.parametrize("n", [3, 5, 10])
def test_pairs_are_uniform(n):
    num_draws, random = 20_000, Random(11)
    counts = Counter(pair(n, random) for _ in range(num_draws))
    assert set(counts) == set(permutations(range(n), 2))
    num_pairs = n * (n - 1)
    statistic = chi_square(counts.values(), num_draws / num_pairs)
    assert statistic < CHI_SQUARE_LIMIT[num_pairs - 1]


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_every_ordered_pair_has_the_same_share_of_the_unit_square(n):
    """Exactly: in a grid with a point in the middle of each cell, all occur as often.

    The cells divide the first number n times and the second n - 1 times, so a draw that
    favours a pair by a single cell is seen.
    """
    first = [(i + 0.5) / n for i in range(n)]
    second = [(j + 0.5) / (n - 1) for j in range(n - 1)]
    pairs = [pair(n, Scripted([u, v])) for u in first for v in second]
    assert sorted(pairs) == sorted(permutations(range(n), 2))


def test_draws_of_three_are_uniform():
    num_draws, random = 60_000, Random(12)
    counts = Counter(tuple(draw(5, 3, random)) for _ in range(num_draws))
    assert set(counts) == set(permutations(range(5), 3))
    assert chi_square(counts.values(), num_draws / 60) < CHI_SQUARE_LIMIT[59]


@pytest.mark.parametrize(("n", "d"), [(1, 2), (3, 3), (3, 7)])
def test_all_are_drawn_where_there_are_no_more(n, d):
    assert sorted(draw(n, d, Random(1))) == list(range(n))


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 2**32))
def test_draws_are_distinct_and_in_range(n, d, seed):
    drawn = draw(n, d, Random(seed))
    assert len(drawn) == len(set(drawn)) == min(n, d)
    assert all(0 <= index < n for index in drawn)


@pytest.mark.parametrize("n", [2, 3, 1000, 10**6, 10**9 + 7, 2**53])
def test_the_largest_random_number_stays_in_range(n):
    """int(u * n) must not round up to n: with two largest draws the pair is the end."""
    largest = 1 - 2**-53
    assert pair(n, Scripted([largest, largest])) == (n - 1, n - 2)


def test_one_seed_gives_one_sequence():
    drawn = [[pair(9, random) for _ in range(20)] for random in (Random(3), Random(3))]
    assert drawn[0] == drawn[1]
    # What Python promises to keep is the sequence of random(), which pair uses alone.
    random = Random(3)
    first, second = int(random.random() * 9), int(random.random() * 8)
    assert drawn[0][0] == (first, second + (second >= first))


@given(
    st.lists(st.integers(-3, 3), min_size=1, max_size=12),
    st.integers(1, 14),
    st.integers(0, 2**32),
)
def test_the_lowest_of_those_looked_at_wins(scores, d, seed):
    looked_at = []

    def score(index):
        looked_at.append(index)
        return scores[index]

    chosen = choose(range(len(scores)), score, Random(seed), d)
    assert len(looked_at) == len(set(looked_at)) == min(d, len(scores))
    # min returns the first of equals, which is the first that was drawn
    assert chosen == min(looked_at, key=lambda index: scores[index])


@given(st.lists(st.integers(0, 4), min_size=2, max_size=6), st.integers(1, 7))
def test_chances_are_those_of_all_orders(scores, d):
    """Each bin's chance, over all draws, against counting all orders of all bins."""
    n, d = len(scores), min(d, len(scores))
    orders = list(permutations(range(n), d))
    expected = Counter(min(order, key=lambda i: scores[i]) for order in orders)
    grids = [[]]
    for place in range(d):
        cells = [(cell + 0.5) / (n - place) for cell in range(n - place)]
        grids = [[*numbers, cell] for numbers in grids for cell in cells]
    found = Counter(
        choose(range(n), scores.__getitem__, Scripted(numbers), d) for numbers in grids
    )
    assert {i: Fraction(count, len(grids)) for i, count in found.items()} == {
        i: Fraction(count, len(orders)) for i, count in expected.items()
    }


def test_idle_replicas_share_the_first_requests_evenly():
    random, counts = Random(5), Counter()
    for _ in range(6000):
        counts[choose("abcdef", lambda _: 0.0, random)] += 1
    assert chi_square(counts.values(), 1000) < CHI_SQUARE_LIMIT[5]


def test_infinite_scores_are_scores():
    assert choose([inf], lambda score: score, Random(1)) == inf
    assert choose([inf, 7.0], lambda score: score, Random(1)) == 7.0


@pytest.mark.parametrize("d", [0, -1])
def test_choose_needs_a_choice(d):
    with pytest.raises(ValueError, match=f"d is {d}: at least 1"):
        choose([1], lambda _: 0, Random(1), d)


def test_choose_needs_replicas_and_ordered_scores():
    with pytest.raises(ValueError, match="no replicas"):
        choose([], lambda _: 0, Random(1))
    with pytest.raises(ValueError, match="the score of 'a' is nan"):
        choose(["a"], lambda _: nan, Random(1))


@pytest.mark.parametrize("n", [1, 0, -2])
def test_a_pair_needs_two(n):
    with pytest.raises(ValueError, match=f"n is {n}: a pair needs at least 2"):
        pair(n, Random(1))


def test_notes_score_is_the_weighted_sum():
    assert notes_score(3, 0.5, 2.0, 10.0) == 3 * 2.0 + 0.5 * 10.0
    assert notes_score(0, 0, 0, 0) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 0.5, 1, 1), "queue_len is -1: it must be 0 or more"),
        ((nan, 0.5, 1, 1), "queue_len is nan"),
        ((inf, 0.5, 1, 1), "queue_len is inf"),
        ((1, 50, 1, 1), "gpu_util is 50: it must be from 0 to 1"),
        ((1, nan, 1, 1), "gpu_util is nan"),
        ((1, 0.5, -1, 1), "alpha is -1: a weight must be 0 or more"),
        ((1, 0.5, 1, inf), "beta is inf"),
    ],
)
def test_notes_score_names_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        notes_score(*arguments)
