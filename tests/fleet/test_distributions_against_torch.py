"""Tables against theory.

The theory comes from torch's special functions where it needs the incomplete gamma
function or the normal distribution.
"""

import math
from random import Random

import pytest
import torch

from tensorfleet.fleet import distributions
from tensorfleet.fleet.distributions import CELLS, ZIPF_BITS, Table
from tests.fleet.tables import MEAN, cv, middles


def survival_quantile(table, chance):
    """The value that is exceeded with `chance`, a whole number of cells."""
    cells = chance * CELLS
    assert cells == round(cells) >= 1
    return table.body[round(cells)]


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


def test_draws_follow_the_table():
    """Every cell equally often, by a chi-square test; cell 0 leads to the tail."""
    table = Table(tuple(range(CELLS)), tuple(range(CELLS, 2 * CELLS)))
    bits = Random(7).getrandbits
    num_draws = 400_000
    draws = [table.draw(bits) for _ in range(num_draws)]
    body = torch.bincount(torch.tensor(draws).clamp(max=CELLS), minlength=CELLS + 1)
    assert body[0] == 0
    assert_chi_square(body[1:], [1 / CELLS] * CELLS)


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
