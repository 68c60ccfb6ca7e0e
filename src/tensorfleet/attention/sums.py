"""The two sums behind the cost of attention, in the length N and the width D alone.

One layer, one head, with m matrices of D × D: 3 for queries, keys and values, 4 with
the output projection, 12 with a feed-forward part of inner width 4·D. In floating-point
operations,

    whole sequence    2·m·N·D² + 4·N²·D
    token by token    Σ_t (2·m·D² + 4·D·t) = 2·m·N·D² + 4·D·N·(N+1)/2,  t = 1 … N

The first is what training and prefill compute without a causal mask, the second what
decoding computes with a cache. Each has a *linear* term, of the projections, and a
*quadratic* one, of scores and values. They are equal at

    whole sequence    N = m·D/2        1.5·D, 2·D, 6·D
    token by token    N = m·D - 1      about 3·D, 4·D, 12·D

and only far beyond can one call the cost quadratic in N.

Does not handle: several layers (all terms are multiplied by their number), softmax.
"""

from dataclasses import dataclass
from fractions import Fraction

QKV = 3  # matrices of D × D: queries, keys, values
WITH_OUTPUT = 4
WITH_FEED_FORWARD = 12  # two more of D × 4·D


@dataclass(frozen=True, slots=True)
class Terms:
    """What grows with the length (projections), and with its square (scores)."""

    linear: int
    quadratic: int

    @property
    def total(self) -> int:
        return self.linear + self.quadratic


def whole_sequence(tokens: int, width: int, matrices: int = QKV) -> Terms:
    """Operations for a whole sequence at once, each token seeing every other.

    Raises ValueError for numbers below 1.
    """
    _check(tokens=tokens, width=width, matrices=matrices)
    return Terms(2 * matrices * tokens * width**2, 4 * tokens**2 * width)


def one_token(position: int, width: int, matrices: int = QKV) -> Terms:
    """Operations for the token at `position`, counted from 1, with a cache.

    It attends to itself and to all before. Raises ValueError for numbers below 1.
    """
    _check(position=position, width=width, matrices=matrices)
    return Terms(2 * matrices * width**2, 4 * position * width)


def token_by_token(tokens: int, width: int, matrices: int = QKV) -> Terms:
    """The sum of `one_token` over the first `tokens`.

    Raises ValueError for numbers below 1.
    """
    _check(tokens=tokens, width=width, matrices=matrices)
    return Terms(2 * matrices * tokens * width**2, 2 * width * tokens * (tokens + 1))


def crossover(width: int, matrices: int = QKV) -> Fraction:
    """The length of a whole sequence whose two terms are equal: m·D/2.

    For the token at this position the two terms of `one_token` are equal too. Raises
    ValueError for numbers below 1.
    """
    _check(width=width, matrices=matrices)
    return Fraction(matrices * width, 2)


def token_by_token_crossover(width: int, matrices: int = QKV) -> int:
    """The number of tokens whose two sums are equal: m·D - 1.

    Raises ValueError for numbers below 1.
    """
    _check(width=width, matrices=matrices)
    return matrices * width - 1


def kept_values(tokens: int, width: int, heads: int = 1) -> Terms:
    """Values that the plain algorithm keeps: 3·N·D of Q, K, V and N² for each head.

    Raises ValueError for numbers below 1.
    """
    _check(tokens=tokens, width=width, heads=heads)
    return Terms(3 * tokens * width, heads * tokens**2)


def _check(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} is {number}: it must be 1 or more")
