"""Balls into bins: against enumeration, against limits, and the laws themselves."""

from collections import Counter
from fractions import Fraction
from itertools import pairwise, product
from math import ceil, exp, factorial, gamma, log, tanh
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.choices import theory
from tensorfleet.choices.bins import at_least, loads, maximum_load
from tensorfleet.exercises.choices import maximum_chances


def maxima(num_balls, num_bins, d, num_runs):
    random = Random(7)
    runs = [maximum_load(num_balls, num_bins, d, random) for _ in range(num_runs)]
    return Counter(runs)


def exact_maxima_of_one_choice(num_balls, num_bins):
    """The distribution of the fullest bin, by listing every way to throw."""
    ways = Counter(
        max(Counter(way).values()) for way in product(range(num_bins), repeat=num_balls)
    )
    return {m: Fraction(c, num_bins**num_balls) for m, c in ways.items()}


def exact_maxima_of_two_choices(num_balls, num_bins):
    """The same for two distinct choices, ball by ball over sorted loads.

    By rank: of two distinct bins the lower in the order of loads wins, so the bin that
    j bins precede wins in n - 1 - j of the n(n-1)/2 pairs.
    """
    states = {(0,) * num_bins: Fraction(1)}
    for _ in range(num_balls):
        after = Counter()
        for state, chance in states.items():
            for rank in range(num_bins - 1):
                larger = list(state)
                larger[rank] += 1
                share = Fraction(2 * (num_bins - 1 - rank), num_bins * (num_bins - 1))
                after[tuple(sorted(larger))] += chance * share
        states = after
    result = Counter()
    for state, chance in states.items():
        result[max(state)] += chance
    return result


@pytest.mark.parametrize(
    ("d", "exact"),
    [(1, exact_maxima_of_one_choice), (2, exact_maxima_of_two_choices)],
)
def test_small_cases_are_distributed_as_enumeration_says(d, exact):
    num_runs, chances = 20_000, exact(6, 4)
    assert sum(chances.values()) == 1
    found = maxima(6, 4, d, num_runs)
    assert set(found) <= set(chances)
    for maximum, chance in chances.items():
        # five standard deviations of a count: passed by chance once in a million
        allowed = 5 * (num_runs * chance * (1 - chance)) ** 0.5 + 1
        assert abs(found[maximum] - num_runs * chance) < allowed


@pytest.mark.parametrize(("num_balls", "num_bins"), [(3, 2), (5, 5), (6, 4), (7, 3)])
def test_the_exercise_on_the_exact_maximum_asks_for_the_truth(num_balls, num_bins):
    chances = exact_maxima_of_one_choice(num_balls, num_bins)
    expected = [float(chances.get(m, 0)) for m in range(num_balls + 1)]
    assert maximum_chances(num_balls, num_bins) == pytest.approx(expected)


@given(st.integers(0, 60), st.integers(1, 12), st.integers(1, 14), st.integers(0, 99))
def test_balls_are_neither_lost_nor_made(num_balls, num_bins, d, seed):
    counts = loads(num_balls, num_bins, d, Random(seed))
    assert len(counts) == num_bins
    assert sum(counts) == num_balls
    assert max(counts) >= ceil(num_balls / num_bins)
    assert sum(at_least(counts)[1:]) == num_balls


@given(st.integers(0, 60), st.integers(1, 12), st.integers(0, 99))
def test_looking_at_all_bins_is_perfectly_even(num_balls, num_bins, seed):
    counts = loads(num_balls, num_bins, num_bins, Random(seed))
    assert max(counts) - min(counts) <= 1


def test_at_least_counts():
    assert at_least([0, 3, 1, 1]) == [4, 3, 1, 1]
    assert at_least([]) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1, 3, 1), "num_balls is -1: it must be 0 or more"),
        ((1, 0, 1), "num_bins is 0: it must be 1 or more"),
        ((1, 3, 0), "d is 0: it must be 1 or more"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        loads(*arguments, Random(1))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_shares_of_many_bins_follow_the_limit(d):
    n = 100_000
    tail = at_least(loads(n, n, d, Random(2)))
    for level, share in enumerate(theory.bin_shares(d, 4)):
        # The count's standard deviation is below sqrt(n·share); five of them, and one
        # for the limit's own error, which is of the order of a ball.
        found = tail[level] if level < len(tail) else 0
        assert abs(found - n * share) <= 5 * (n * share) ** 0.5 + 1


def test_one_choice_is_poisson_in_the_limit():
    poisson = [1 - sum(exp(-1) / factorial(k) for k in range(i)) for i in range(9)]
    assert theory.bin_shares(1, 8) == pytest.approx(poisson, abs=1e-12)


def test_the_first_level_of_two_choices_is_a_hyperbolic_tangent():
    """ds/dt = 1 - s^2 with s(0) = 0."""
    assert theory.bin_shares(2, 1)[1] == pytest.approx(tanh(1), abs=1e-12)


@given(st.integers(1, 6))
def test_each_level_is_at_most_the_power_of_the_one_before(d):
    shares = theory.bin_shares(d, 6, steps=200)
    for before, share in pairwise(shares):
        assert share <= before**d + 1e-12  # the integration's error


@pytest.mark.parametrize("n", [3, 100, 10**6])
def test_gonnets_mean_inverts_gamma(n):
    mean = theory.one_choice_mean_maximum(n)
    # An error of 1e-9 in the argument changes Gamma by 1e-9 times its logarithmic
    # derivative, which is below 3 here.
    assert gamma(mean + 1.5) == pytest.approx(n, rel=1e-8)


def test_gonnets_mean_of_a_factorial():
    """Gamma(k + 1) = k!"""
    assert theory.one_choice_mean_maximum(factorial(9)) == pytest.approx(8.5)


def test_gonnets_mean_is_near_the_exact_mean():
    """Exactly: P(max <= k) = n!/n^n times the coefficient of x^n in (sum x^j/j!)^n."""
    n = 40
    exact = 0.0
    for k in range(n):
        series = [Fraction(1)] + [Fraction(0)] * n
        for _ in range(n):
            series = [
                sum(series[i - j] / factorial(j) for j in range(min(i, k) + 1))
                for i in range(n + 1)
            ]
        exact += 1 - float(series[n] * factorial(n) / Fraction(n) ** n)
        if exact > 0 and k > 12:  # what is left is below 1e-9
            break
    # The o(1) at n = 40: asymptotic, and known to be slow.
    assert theory.one_choice_mean_maximum(n) == pytest.approx(exact, abs=0.2)


def test_growth_laws():
    n = 10**6
    assert theory.one_choice_growth(n) == log(n) / log(log(n))
    assert theory.d_choice_growth(n, 2) == log(log(n)) / log(2)
    with pytest.raises(ValueError, match="d is 1: the law is for 2 or more"):
        theory.d_choice_growth(n, 1)
    for law in (theory.one_choice_growth, theory.one_choice_mean_maximum):
        with pytest.raises(ValueError, match="n is 2"):
            law(2)


def test_growth_of_the_fullest_bin():
    """Over a hundredfold n one choice gains what Gonnet says, two choices at most 1."""
    means = {
        d: [
            sum(maximum_load(n, n, d, Random(seed)) for seed in range(8)) / 8
            for n in (1_000, 30_000)
        ]
        for d in (1, 2)
    }
    predicted = [theory.one_choice_mean_maximum(n) for n in (1_000, 30_000)]
    # The maximum's standard deviation is below 1 at any n; five of a mean of 8 are 1.8.
    for mean, expected in zip(means[1], predicted, strict=True):
        assert abs(mean - expected) < 1.8
    assert means[2][1] - means[2][0] <= 1
    assert means[2][1] < means[1][1] / 1.5


@pytest.mark.slow
def test_a_million_bins():
    """Where the limit expects bins there are some, and where it expects none, none."""
    n = 10**6
    for d in (1, 2):
        found = maximum_load(n, n, d, Random(1))
        shares = theory.bin_shares(d, 12)
        # expected bins at a level: surely some at 20, surely none at a thousandth
        assert n * shares[found] > 1e-3
        assert found == 12 or n * shares[found + 1] < 20
