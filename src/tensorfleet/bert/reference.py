"""One layer of BERT's encoder and its two losses, one number at a time.

With T tokens, each a vector of `width` numbers, a head with queries q, keys k and
values v of `size` numbers each lets every token look at every other, on both sides:

    out_i = Σ_j w_ij v_j,    w_i = softmax_j(q_i · k_j / √size)

(Vaswani et al., "Attention is all you need", 2017, section 3.2.1). Tokens that are
padding are looked at by nobody. A layer adds to what comes in what such heads make of
it, and then what two matrices make of that; each reads its input normalised:

    y = x + heads(normal(x)),    out = y + W₂ gelu(W₁ normal(y) + b₁) + b₂

(BERT normalises the sums instead; see `model` for why this one does not.)

What is learned is asked by the negative log-likelihood of the right answer. For a
masked word w* that is −ln p(w* | context), where p is the softmax of the scores of all
words; it is the cross entropy against a distribution that is 1 at w*.

Does not handle: batches, dropout, gradients. Those are in `model` and `training`.
"""

from collections.abc import Mapping, Sequence
from math import erf, exp, inf, isnan, log, sqrt
from typing import Any

Vector = Sequence[float]
Matrix = Sequence[Vector]

EPSILON = 1e-5  # added to a variance: torch's


def softmax(scores: Vector) -> list[float]:
    """Shares that sum to 1, in the ratio e^score; −inf gives 0.

    Raises ValueError if a score is NaN or +inf, or none is finite.
    """
    highest = _highest(scores)
    powers = [exp(score - highest) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


def attention(
    queries: Matrix, keys: Matrix, values: Matrix, padding: Sequence[bool]
) -> tuple[list[list[float]], list[list[float]]]:
    """What one head gives out for every token, and the weights w by which it looks.

    `queries` and `keys` are T rows of the same size, `values` T rows; `padding` says of
    each token whether nobody looks at it.

    Raises ValueError for other numbers of rows, or where all is padding.
    """
    if not len(queries) == len(keys) == len(values) == len(padding):
        raise ValueError(
            f"there are {len(queries)} queries, {len(keys)} keys, {len(values)} values "
            f"and {len(padding)} answers about padding: as many of each are needed"
        )
    scale = 1 / sqrt(len(queries[0])) if queries else 1.0
    weights = [
        softmax(
            [
                float("-inf") if hidden else scale * _dot(query, key)
                for key, hidden in zip(keys, padding, strict=True)
            ]
        )
        for query in queries
    ]
    columns = list(zip(*values, strict=True))
    return [[_dot(row, column) for column in columns] for row in weights], weights


def normal(x: Vector, gain: Vector, bias: Vector) -> list[float]:
    """`x` with mean 0 and variance 1, times `gain`, plus `bias`: layer normalisation.

    Source: Ba, Kiros and Hinton, "Layer normalization", 2016.
    """
    mean = sum(x) / len(x)
    variance = sum((value - mean) ** 2 for value in x) / len(x)
    scale = 1 / sqrt(variance + EPSILON)
    return [
        (value - mean) * scale * g + b
        for value, g, b in zip(x, gain, bias, strict=True)
    ]


def gelu(x: float) -> float:
    """x times the share of a normal distribution below x (Hendrycks, Gimpel, 2016)."""
    return x * (1 + erf(x / sqrt(2))) / 2


def nll(scores: Vector, target: int) -> float:
    """−ln p(target), in nats, where p is the softmax of `scores`.

    Raises ValueError for a target that has no score, and as `softmax`.
    """
    if not 0 <= target < len(scores):
        raise ValueError(f"target is {target}: it must be 0 to {len(scores) - 1}")
    highest = _highest(scores)
    return log(sum(exp(score - highest) for score in scores)) + highest - scores[target]


def cross_entropy(shares: Vector, scores: Vector) -> float:
    """−Σ shares_w ln p(w), in nats: the loss against any distribution over words.

    A share of 0 adds nothing, even where p is 0 too. Raises ValueError for another
    number of shares than of scores, and as `softmax`.
    """
    if len(shares) != len(scores):
        raise ValueError(f"there are {len(shares)} shares for {len(scores)} scores")
    return sum(share * nll(scores, word) for word, share in enumerate(shares) if share)


def masked_nll(scores: Matrix, targets: Sequence[int], no_target: int) -> float:
    """The mean −ln p of the targets, over the places that have one.

    `scores` holds a row for each place; `targets` is `no_target` where none is asked.

    Raises ValueError for another number of targets than of rows, or where nothing is
    asked at all.
    """
    if len(scores) != len(targets):
        raise ValueError(f"there are {len(targets)} targets for {len(scores)} places")
    losses = [
        nll(row, target)
        for row, target in zip(scores, targets, strict=True)
        if target != no_target
    ]
    if not losses:
        raise ValueError("no place has a target: at least one must be asked for")
    return sum(losses) / len(losses)


def _highest(scores: Vector) -> float:
    for place, score in enumerate(scores):
        if isnan(score):
            raise ValueError(f"score {place} is nan: it must be a number, or -inf")
    highest = max(scores, default=-inf)
    if not -inf < highest < inf:
        raise ValueError(
            f"the highest of {len(scores)} scores is {highest}: it must be finite"
        )
    return highest


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def layer(
    x: Matrix, padding: Sequence[bool], weights: Mapping[str, Any], num_heads: int
) -> list[list[float]]:
    """One layer: what comes out for each of the T rows of `x`.

    `weights` are those of `model.Layer` by name, each matrix a row for each output.
    """

    def part(name: str, row: Vector) -> list[float]:
        matrix, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return [_dot(w, row) + b for w, b in zip(matrix, bias, strict=True)]

    def normalised(name: str, row: Vector) -> list[float]:
        return normal(row, weights[f"{name}.weight"], weights[f"{name}.bias"])

    width = len(x[0])
    size = width // num_heads
    rows = [part("queries_keys_values", normalised("read", row)) for row in x]
    heads = []
    for start in range(0, width, size):
        queries, keys, values = (
            [row[kind + start : kind + start + size] for row in rows]
            for kind in (0, width, 2 * width)
        )
        heads.append(attention(queries, keys, values, padding)[0])
    out = []
    for place, row in enumerate(x):
        together = [number for head in heads for number in head[place]]
        y = _plus(row, part("heads_out", together))
        wide = [gelu(number) for number in part("widen", normalised("think", y))]
        out.append(_plus(y, part("narrow", wide)))
    return out


def _plus(a: Vector, b: Vector) -> list[float]:
    return [x + y for x, y in zip(a, b, strict=True)]
