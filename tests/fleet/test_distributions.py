"""Tables against theory.

The theory comes from torch's special functions where it needs the incomplete gamma
function or the normal distribution.
"""

import math
from random import Random

import pytest
import torch

from tensorfleet.fleet import distributions
from tensorfleet.fleet.distributions import BITS, CELLS, ZIPF_BITS, Table

MEAN = 1_000_000


def cv(table):
    return math.sqrt(table.variance) / table.mean


def survival_quantile(table, chance):
    """The value that is exceeded with `chance`, a whole number of cells."""
    cells = chance * CELLS
    assert cells == round(cells) >= 1
    return table.body[round(cells)]


def middles():
    """The survival probability that each value of a table stands for."""
    body = [(cell + 0.5) / CELLS for cell in range(1, CELLS)]
    return body, [(cell + 0.5) / CELLS**2 for cell in range(CELLS)]


@pytest.mark.parametrize("spread", [0.05, 0.5, 1.0, 4.0, 8.0])
def test_gamma_quantiles_are_where_the_survival_says(spread):
    """The incomplete gamma function of each quantile is its cell's middle."""
    shape = 1 / spread**2
    body, tail = middles()
    # A fine scale, so that rounding does not hide errors; small values of a wide
    # distribution still round to 0, and are left out.
    table = distributions.gamma(2**40, spread)
    for chances, values in ((body, table.body[1:]), (tail, table.tail)):
        x = torch.tensor(values, dtype=torch.float64) / 2**40 * shape
        survival = torch.special.gammaincc(torch.full_like(x, shape), x)
        # Rounded to 2**-20 of the mean: what that moves, and the function's own error.
        density = torch.exp((shape - 1) * x.log() - x - math.lgamma(shape))
        rounding = density * shape * 2**-20
        wanted = torch.tensor(chances, dtype=torch.float64)
        # Where rounding moves a chance by a tenth the density is not constant.
        sharp = (x > 0) & (rounding < 0.1 * torch.minimum(wanted, 1 - wanted))
        assert sharp.sum() > 100
        error = (survival - wanted).abs()
        assert (error <= rounding + 1e-9 * wanted)[sharp].all()


def test_gamma_with_cv_1_is_exponential():
    assert distributions.gamma(MEAN, 1.0) == distributions.exponential(MEAN)


@pytest.mark.parametrize("spread", [0.25, 0.5, 1.0, 2.0, 4.0])
def test_gamma_mean_cv_and_p99(spread):
    """Within what the module states."""
    table = distributions.gamma(MEAN, spread)
    assert float(table.mean) == pytest.approx(MEAN, rel=5e-4)
    assert cv(table) == pytest.approx(spread, rel=1e-3)
    shape = torch.tensor(1 / spread**2, dtype=torch.float64)
    p99 = survival_quantile(table, 41 / CELLS) / MEAN * shape
    # Between the middles of the cells on either side of it.
    low, high = (
        float(torch.special.gammaincc(shape, p99 * factor)) for factor in (1.001, 0.999)
    )
    assert low < 41.5 / CELLS < high


def test_exponential_mean_cv_and_quantiles():
    table = distributions.exponential(MEAN)
    assert float(table.mean) == pytest.approx(MEAN, rel=5e-4)
    assert cv(table) == pytest.approx(1, rel=1e-3)
    body, tail = middles()
    for chance, value in zip(body + tail, table.body[1:] + table.tail, strict=True):
        assert value == pytest.approx(-MEAN * math.log(chance), abs=1)


@pytest.mark.parametrize("spread", [0.25, 1.0, 2.0, 4.0])
def test_lognormal_mean_cv_and_quantiles(spread):
    table = distributions.lognormal(MEAN, spread, 0, 10**15)
    assert float(table.mean) == pytest.approx(MEAN, rel=5e-4)
    # The heaviest tail loses most of what lies beyond its last cell.
    assert cv(table) == pytest.approx(spread, rel=2e-3 if spread < 4 else 7e-3)
    sigma = math.sqrt(math.log(1 + spread**2))
    body, tail = middles()
    chances = torch.tensor(body + tail, dtype=torch.float64)
    logs = -(sigma**2) / 2 - sigma * torch.special.ndtri(chances)
    values = torch.tensor(table.body[1:] + table.tail, dtype=torch.float64)
    assert torch.allclose(values, MEAN * logs.exp(), rtol=1e-8, atol=1)


def test_lognormal_is_clamped():
    table = distributions.lognormal(100, 1.0, 20, 300)
    values = {*table.body[1:], *table.tail}
    assert min(values) == 20
    assert max(values) == 300
    assert table.mean < 100


def test_draws_follow_the_table():
    """Every cell equally often, by a chi-square test; cell 0 leads to the tail."""
    table = Table(tuple(range(CELLS)), tuple(range(CELLS, 2 * CELLS)))
    bits = Random(7).getrandbits
    num_draws = 400_000
    draws = [table.draw(bits) for _ in range(num_draws)]
    body = torch.bincount(torch.tensor(draws).clamp(max=CELLS), minlength=CELLS + 1)
    assert body[0] == 0
    assert_chi_square(body[1:], [1 / CELLS] * CELLS)


def test_mean_and_variance_are_those_of_all_draws():
    body, tail = [0, *[3] * (CELLS - 1)], [10] * (CELLS - 1) + [99]
    table = Table(tuple(body), tuple(tail))
    counts = {3: (CELLS - 1) * CELLS, 10: CELLS - 1, 99: 1}
    assert sum(counts.values()) == CELLS**2
    mean = sum(value * count for value, count in counts.items()) / CELLS**2
    assert float(table.mean) == pytest.approx(mean, rel=1e-12)
    squares = sum((value - mean) ** 2 * count for value, count in counts.items())
    assert float(table.variance) == pytest.approx(squares / CELLS**2, rel=1e-9)


@pytest.mark.parametrize(("items", "exponent"), [(1, 1.0), (10, 0.0), (500, 1.1)])
def test_zipf_draws_follow_the_power_law(items, exponent):
    law = distributions.zipf(items, exponent)
    weights = [k**-exponent for k in range(1, items + 1)]
    shares = [weight / sum(weights) for weight in weights]
    for item, share in enumerate(shares):
        assert law.share(item) == pytest.approx(share, rel=1e-6)
    assert law.cumulative[-1] == 1 << ZIPF_BITS
    bits = Random(3).getrandbits
    draws = torch.tensor([law.draw(bits) for _ in range(100_000)])
    assert draws.max() < items
    if items > 1:
        assert_chi_square(torch.bincount(draws, minlength=items), shares)


def assert_chi_square(counts, shares):
    """Pearson's test: fails by chance once in 10,000 seeds, and the seed is fixed."""
    expected = torch.tensor(shares, dtype=torch.float64) * counts.sum()
    assert expected.min() > 5
    statistic = ((counts - expected) ** 2 / expected).sum()
    freedom = torch.tensor((len(shares) - 1) / 2, dtype=torch.float64)
    assert torch.special.gammaincc(freedom, statistic / 2) > 1e-4


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
