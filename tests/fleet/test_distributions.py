"""Tables against what can be said of them without special functions."""

import math

import pytest

from tensorfleet.fleet import distributions
from tensorfleet.fleet.distributions import BITS, CELLS, Table
from tests.fleet.tables import MEAN, cv, middles


def test_gamma_with_cv_1_is_exponential():
    assert distributions.gamma(MEAN, 1.0) == distributions.exponential(MEAN)


def test_exponential_mean_cv_and_quantiles():
    table = distributions.exponential(MEAN)
    assert float(table.mean) == pytest.approx(MEAN, rel=5e-4)
    assert cv(table) == pytest.approx(1, rel=1e-3)
    body, tail = middles()
    for chance, value in zip(body + tail, table.body[1:] + table.tail, strict=True):
        assert value == pytest.approx(-MEAN * math.log(chance), abs=1)


def test_lognormal_is_clamped():
    table = distributions.lognormal(100, 1.0, 20, 300)
    values = {*table.body[1:], *table.tail}
    assert min(values) == 20
    assert max(values) == 300
    assert table.mean < 100


def test_mean_and_variance_are_those_of_all_draws():
    body, tail = [0, *[3] * (CELLS - 1)], [10] * (CELLS - 1) + [99]
    table = Table(tuple(body), tuple(tail))
    counts = {3: (CELLS - 1) * CELLS, 10: CELLS - 1, 99: 1}
    assert sum(counts.values()) == CELLS**2
    mean = sum(value * count for value, count in counts.items()) / CELLS**2
    assert float(table.mean) == pytest.approx(mean, rel=1e-12)
    squares = sum((value - mean) ** 2 * count for value, count in counts.items())
    assert float(table.variance) == pytest.approx(squares / CELLS**2, rel=1e-9)


def test_tables_are_the_same_on_every_machine():
    """These values hold on CPython 3.11 to 3.14, on Linux and in a browser."""
    tables = [
        distributions.exponential(MEAN),
        distributions.gamma(MEAN, 4.0),
        distributions.lognormal(1155, 0.96, 16, 8192),
    ]
    mix = 0
    for table in tables:
        for value in table.body + table.tail:
            mix = (mix * 1_000_003 + value) % (1 << 61)
    assert mix == DIGEST


DIGEST = 746430801946723836


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: distributions.exponential(0), "mean is 0"),
        (lambda: distributions.exponential(1.5), "mean is 1.5"),
        (lambda: distributions.gamma(MEAN, 0), "cv is 0"),
        (lambda: distributions.gamma(MEAN, 21), "cv is 21"),
        (lambda: distributions.lognormal(5, 0, 1, 2), "cv is 0"),
        (lambda: distributions.lognormal(5, 1, 3, 2), "lengths from 3 to 2"),
        (lambda: distributions.lognormal(True, 1, 1, 2), "mean is True"),
        (lambda: distributions.zipf(0, 1), "items is 0"),
        (lambda: distributions.zipf(5, -1), "exponent is -1"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_table_has_a_cell_for_every_value_of_its_bits():
    table = distributions.exponential(MEAN)
    assert len(table.body) == len(table.tail) == CELLS == 1 << BITS
    assert list(table.body[1:]) == sorted(table.body[1:], reverse=True)
    assert list(table.tail) == sorted(table.tail, reverse=True)
    assert min(table.tail) > max(table.body)
