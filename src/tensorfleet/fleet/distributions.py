"""Random draws as table look-ups: integers that are the same on every machine.

`math.log` and `math.exp` differ in the last bit between C libraries (and in a browser),
and cost more than a list index. So each distribution is computed once, as a table of
quantiles rounded to integers, and a draw is `table[getrandbits(12)]`.

*Quantiles.* A table has 4,096 cells of equal probability, ordered from the largest
values down: cell k stands for survival probabilities from k/4096 to (k+1)/4096, and
holds the value in its middle. Cell 0 is the tail, where one value would stand for all
of infinity; it is refined by a second table of 4,096 cells, whose last stands for one
draw in 2^24. Quantiles are rounded to 2^-20 of the distribution's scale before they are
multiplied, so that a last bit that differs between machines cannot be seen in them.

*Error.* The middle of a cell is not its mean, and values vary within a cell. Both are
small: for CVs from 1/4 to 4 the mean agrees with the theory within 0.05%, p99 within
0.1%, and the CV within 0.2% (0.7% for a lognormal of CV 4), as the tests show.

*Zipf.* The k-th most frequent of n items has a share proportional to k^-exponent.
Weights are integers whose cumulative sum ends at 2^40 exactly, and a draw bisects it.

Does not handle: values between the quantiles (a draw has at most 8,191 different
values), or dependence between draws.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from itertools import accumulate
from math import exp, inf, lgamma, log, log1p, sqrt
from statistics import NormalDist

BITS = 12
CELLS = 1 << BITS
UNIT = 1 << 20
ZIPF_BITS = 40

GetRandBits = Callable[[int], int]


@dataclass(frozen=True, slots=True)
class Table:
    """Quantiles of a distribution: `body` from the largest down, `tail` for cell 0.

    `body[0]` is never drawn. The hot loops index the two tuples themselves.
    """

    body: tuple[int, ...]
    tail: tuple[int, ...]

    def draw(self, getrandbits: GetRandBits) -> int:
        """One value, from the generator's bits."""
        cell = getrandbits(BITS)
        return self.body[cell] if cell else self.tail[getrandbits(BITS)]

    @property
    def mean(self) -> Fraction:
        """The mean of what is drawn, after rounding and clamping, exactly."""
        return (sum(self.body[1:]) + Fraction(sum(self.tail), CELLS)) / CELLS

    @property
    def variance(self) -> Fraction:
        """The variance of what is drawn, exactly."""
        body = sum(value * value for value in self.body[1:])
        tail = sum(value * value for value in self.tail)
        return (body + Fraction(tail, CELLS)) / CELLS - self.mean**2


def tabulate(
    quantiles: Iterable[float],
    scale: int,
    lowest: int = 0,
    highest: int | None = None,
) -> Table:
    """A table of a distribution given by its quantiles at `survival_chances()`.

    They are in units of `scale`; results are clamped to [lowest, highest].
    """
    values = [(round(value * UNIT) * scale + UNIT // 2) // UNIT for value in quantiles]
    values.reverse()
    # From the largest down: most tables have only ends to clamp, or none.
    if highest is not None and values[0] > highest:
        values = [min(value, highest) for value in values]
    if values[-1] < lowest:
        values = [max(value, lowest) for value in values]
    return Table((0, *values[CELLS:]), tuple(values[:CELLS]))


@cache
def survival_chances() -> tuple[float, ...]:
    """In the middles of all cells, falling: the body's, then the tail's."""
    body = [(cell + 0.5) / CELLS for cell in range(CELLS - 1, 0, -1)]
    tail = [(cell + 0.5) / CELLS**2 for cell in range(CELLS - 1, -1, -1)]
    return tuple(body + tail)


@cache
def normal_quantiles() -> tuple[float, ...]:
    """Where the standard normal's lower tail has those chances: half a table's time."""
    return tuple(map(NormalDist().inv_cdf, survival_chances()))


# A run asks for few tables, but for each several times, and one takes milliseconds.
remembered = lru_cache(maxsize=64, typed=True)


@remembered
def exponential(mean: int) -> Table:
    """Gaps of a Poisson process: survival s is reached at -mean·ln s."""
    _check_positive("mean", mean)
    return tabulate((-log(chance) for chance in survival_chances()), mean)


@remembered
def gamma(mean: int, cv: float) -> Table:
    """Gaps with a coefficient of variation: shape 1/cv², scale mean·cv².

    A CV of 1 is the exponential distribution, above 1 comes in bursts, below 1 is more
    regular than chance. CVs from 0.05 to 20 are computed well.
    """
    _check_positive("mean", mean)
    if not 0.05 <= cv <= 20:
        raise ValueError(f"cv is {cv}: it must be from 0.05 to 20")
    shape = 1 / cv**2
    quantiles = gamma_quantiles(shape, survival_chances())
    return tabulate((x / shape for x in quantiles), mean)


@remembered
def lognormal(mean: int, cv: float, lowest: int, highest: int) -> Table:
    """Lengths: their logarithm is normal with variance ln(1 + cv²).

    `mean` and `cv` are those before the lengths are clamped to [lowest, highest]; the
    table's own mean says what is left of the mean.
    """
    _check_positive("mean", mean)
    if not 0 < cv <= 10:
        raise ValueError(f"cv is {cv}: it must be above 0 and at most 10")
    if not 0 <= lowest <= highest:
        raise ValueError(
            f"lengths from {lowest} to {highest}: the first must be 0 or more, and not "
            "above the second"
        )
    variance = log1p(cv**2)
    middle, width = -variance / 2, sqrt(variance)
    # The normal distribution is symmetric, and small chances are exact.
    quantiles = (exp(-variance - (middle + z * width)) for z in normal_quantiles())
    return tabulate(quantiles, mean, lowest, highest)


@dataclass(frozen=True, slots=True)
class Zipf:
    """Cumulative integer shares of items; item 0 is the most frequent."""

    cumulative: tuple[int, ...]

    def draw(self, getrandbits: GetRandBits) -> int:
        """The number of an item."""
        return bisect_right(self.cumulative, getrandbits(ZIPF_BITS))

    def share(self, item: int) -> float:
        """The chance that `item` is drawn."""
        before = self.cumulative[item - 1] if item else 0
        return (self.cumulative[item] - before) / (1 << ZIPF_BITS)


def zipf(items: int, exponent: float) -> Zipf:
    """Shares proportional to (k + 1)**-exponent for k = 0 … items - 1.

    With exponent 0 all are equally frequent.
    """
    _check_positive("items", items)
    if not 0 <= exponent <= 10:
        raise ValueError(f"exponent is {exponent}: it must be from 0 to 10")
    # Rounded at a scale where no machine's last bit matters, then summed as integers.
    weights = [round((k + 1) ** -exponent * (1 << ZIPF_BITS)) for k in range(items)]
    sums = list(accumulate(weights))
    return Zipf(tuple((part << ZIPF_BITS) // sums[-1] for part in sums))


def gamma_quantiles(shape: float, chances: Sequence[float]) -> list[float]:
    """Where the survival of a unit-scale gamma falls to each of the falling `chances`.

    Newton's method on the logarithm of the smaller of the two tails, as a function of
    y = ln x, in which both tails are smooth; each solution starts from the last.
    """
    # Near zero the lower tail is x^shape / Γ(shape + 1).
    y = (log1p(-chances[0]) + lgamma(shape + 1)) / shape
    solutions = []
    for chance in chances:
        for _ in range(60):
            lower, upper = log_gamma_tails(shape, y)
            # d/dy of the lower tail: x times the density.
            slope = exp(shape * y - exp(y) - lgamma(shape))
            if chance > 0.5:
                step = (log1p(-chance) - lower) * exp(lower) / slope
            else:
                step = (upper - log(chance)) * exp(upper) / slope
            y += max(min(step, 4.0), -4.0)
            if abs(step) < 1e-14 * max(1.0, abs(y)):
                break
        solutions.append(exp(y))
    return solutions


def log_gamma_tails(shape: float, y: float) -> tuple[float, float]:
    """Logarithms of P(X ≤ x) and P(X > x) for a unit-scale gamma and y = ln x.

    By the power series of the lower tail where x < shape + 1, by Legendre's continued
    fraction of the upper tail elsewhere (Abramowitz & Stegun 6.5.29 and 6.5.31).
    """
    x = exp(y)
    front = shape * y - x - lgamma(shape)
    if x < shape + 1:
        term = total = 1 / shape
        divisor = shape
        while term > total * 1e-17:
            divisor += 1
            term *= x / divisor
            total += term
        lower = front + log(total)
        return lower, log1p(-exp(lower)) if lower < 0 else -inf
    # The fraction from the top, each convergent from the last (Lentz's method).
    divisor = x + 1 - shape
    numerator_ratio, denominator_ratio = inf, 1 / divisor
    fraction = denominator_ratio
    for i in range(1, 500):
        numerator = -i * (i - shape)
        divisor += 2
        denominator_ratio = 1 / (numerator * denominator_ratio + divisor)
        numerator_ratio = divisor + numerator / numerator_ratio
        factor = denominator_ratio * numerator_ratio
        fraction *= factor
        if abs(factor - 1) < 1e-16:
            break
    upper = front + log(fraction)
    return log1p(-exp(upper)) if upper < 0 else -inf, upper


def _check_positive(name: str, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} is {value!r}: it must be an integer, 1 or more")
