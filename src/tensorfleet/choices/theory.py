"""What the theorems say about choosing: growth laws, and limits for many bins.

*Growth* (n balls, n bins, n large). With one choice the fullest bin holds
ln n / ln ln n balls, to first order; the mean is Gamma^-1(n) - 3/2 + o(1) (Gonnet 1981,
"Expected length of the longest probe sequence in hash code searching"). With d >= 2
choices it holds ln ln n / ln d + Theta(1) (Azar et al. 1994, "Balanced allocations").

*Shares*. Let s_i be the share of bins that hold at least i balls after t balls a bin. A
ball raises s_i when all its d bins hold at least i - 1 and not all at least i:

    ds_i/dt = s_(i-1)^d - s_i^d,    s_0 = 1,

exact as n grows (Mitzenmacher, Richa and Sitaraman 2001, "The power of two random
choices: a survey of techniques and results"). Since s_(i-1) only grows, s_i is at most
s_(i-1)^d at t = 1: each level is at most the d-th power of the one before, and so few
levels are reached.

*Queues* (the supermarket model: Poisson arrivals of rate lambda a server, exponential
service of mean 1, each customer joins the shortest of d random queues). In the steady
state the share of queues with at least i customers is, as n grows,

    s_i = lambda^((d^i - 1) / (d - 1))    (d = 1: lambda^i, which is M/M/1, for every n)

and by Little's law the mean time in the system is the sum of s_i over i >= 1, divided
by lambda (Vvedenskaya, Dobrushin and Karpelevich 1996; Mitzenmacher 2001, "The power of
two choices in randomized load balancing").

Does not handle: how large n must be. A Theta(1) can be larger than the term before it,
and here it often is.
"""

from math import lgamma, log


def one_choice_growth(n: int) -> float:
    """ln n / ln ln n: the order of the fullest bin with one choice; `n` from 3 on."""
    return log(_many(n)) / log(log(n))


def d_choice_growth(n: int, d: int) -> float:
    """ln ln n / ln d: the order of the fullest bin with `d` >= 2 choices."""
    if d < 2:
        raise ValueError(f"d is {d}: the law is for 2 or more choices")
    return log(log(_many(n))) / log(d)


def one_choice_mean_maximum(n: int) -> float:
    """Gonnet's Gamma^-1(n) - 3/2, the mean of the fullest of `n` bins with `n` balls.

    The inverse is found by bisection to 1e-9. `n` is 3 or more.
    """
    wanted, low, high = log(_many(n)), 2.0, n + 2.0  # Gamma grows from 2 on
    while high - low > 1e-9:
        middle = (low + high) / 2
        if lgamma(middle) < wanted:
            low = middle
        else:
            high = middle
    return low - 1.5


def bin_shares(d: int, levels: int, steps: int = 1000) -> list[float]:
    """s_0 to s_levels: shares of bins with at least so many balls, one ball a bin.

    The differential equation above, integrated to t = 1 by the classical Runge-Kutta
    method in `steps` steps; with the default its error is below 1e-12.
    """
    _choices(d)
    share, step = [1.0] + [0.0] * levels, 1 / steps

    def slope(s: list[float]) -> list[float]:
        return [0.0] + [s[i - 1] ** d - s[i] ** d for i in range(1, levels + 1)]

    def moved(direction: list[float], by: float) -> list[float]:
        return [s + by * k for s, k in zip(share, direction, strict=True)]

    for _ in range(steps):
        first = slope(share)
        second = slope(moved(first, step / 2))
        third = slope(moved(second, step / 2))
        fourth = slope(moved(third, step))
        share = [
            s + step / 6 * (a + 2 * b + 2 * c + e)
            for s, a, b, c, e in zip(share, first, second, third, fourth, strict=True)
        ]
    return share


def queue_shares(utilisation: float, d: int, levels: int) -> list[float]:
    """s_0 to s_levels: shares of queues with at least so many customers."""
    if not 0 < utilisation < 1:
        raise ValueError(f"utilisation is {utilisation}: it must be between 0 and 1")
    _choices(d)
    # (d^i - 1) / (d - 1) is 1 + d + d^2 + ..., i terms, which holds for d = 1 too
    shares, exponent = [1.0], 0
    for level in range(levels):
        exponent += d**level
        # beyond this the power is 0 in floating point, and the integer too long for it
        shares.append(utilisation**exponent if exponent < 10**9 else 0.0)
    return shares


def queue_time(utilisation: float, d: int) -> float:
    """Mean time in the system, in mean service times: 1 / (1 - utilisation) for d = 1.

    The sum ends where a term no longer changes it.
    """
    levels, total = 8, 0.0
    while (longer := sum(queue_shares(utilisation, d, levels)[1:])) > total:
        total, levels = longer, 2 * levels
    return total / utilisation


def _many(n: int) -> int:
    if n < 3:
        raise ValueError(f"n is {n}: the laws need 3 or more, and mean many")
    return n


def _choices(d: int) -> None:
    if d < 1:
        raise ValueError(f"d is {d}: it must be 1 or more")
