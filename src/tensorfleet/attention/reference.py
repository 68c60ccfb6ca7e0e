"""Attention on nested lists: the definition, and the same tile by tile.

Every query is compared with every key, the scores become weights that sum to 1, and the
result is the mean of the values under these weights. For a query q, keys k_j and values
v_j (Vaswani et al. 2017, "Attention is all you need", section 3.2.1):

    s_j = scale · q·k_j      w_j = exp(s_j) / Σ exp(s_l)      out = Σ w_j · v_j

with scale 1/√d: where the d components of q and k are independent with variance 1, q·k
has variance d, and the softmax of numbers that far apart would pick a single key.

*Tiles.* The definition needs all scores of a query before the first weight is known. A
`Partial` result does not: for any set of keys it holds

    m = max s_j      t = Σ exp(s_j - m)      a = Σ exp(s_j - m) · v_j

and out = a / t. Two partial results over different keys merge into one, by bringing
both to the larger maximum. So keys can come in tiles of any size, in any order, and
nobody keeps more than a tile of scores: the online softmax (Milakov and Gimelshein
2018, "Online normalizer calculation for softmax") on which FlashAttention rests (Dao et
al. 2022). Subtracting the maximum also keeps exp from overflowing.

*Causal* means that query i sees the keys 0 to i, counted from the first key, as
torch.nn.functional.scaled_dot_product_attention has it. So with fewer queries than keys
the last keys are seen by nobody: to decode one token with all keys, do not ask for it.

*Grouped queries* (Ainslie et al. 2023): H heads of queries share G heads of keys and
values, H/G neighbours each.

A score of -inf gives its key no weight; where a query has no other, the result is nan.

Does not handle: batches, masks of other shapes, dropout, lists without any key.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from math import exp, inf, isfinite, nan, sqrt
from numbers import Real
from typing import TypeAlias

Vector: TypeAlias = Sequence[float]
Matrix: TypeAlias = Sequence[Vector]


def attention(
    queries: Matrix,
    keys: Matrix,
    values: Matrix,
    *,
    is_causal: bool = False,
    scale: float | None = None,
) -> list[list[float]]:
    """Attention of one head, by the definition.

    `queries` has shape (N, d), `keys` (M, d), `values` (M, e); the result (N, e).
    `scale` is 1/√d unless given.

    Raises ValueError for shapes that do not fit together, where there is no key, and
    for a scale that is not finite; TypeError for one that is no number.
    """
    scale = _checked_scale(queries, keys, values, scale)
    out = []
    for i, query in enumerate(queries):
        seen = _num_seen(i, len(keys), is_causal)
        weights = softmax([scale * dot(query, key) for key in keys[:seen]])
        out.append(weighted_sum(weights, values[:seen]))
    return out


def tiled_attention(
    queries: Matrix,
    keys: Matrix,
    values: Matrix,
    *,
    tile: int,
    is_causal: bool = False,
    scale: float | None = None,
) -> list[list[float]]:
    """The same from tiles of `tile` keys, of which it keeps one partial result.

    This is the specification of the kernel. Shapes and errors are those of `attention`,
    and ValueError for a tile of less than 1, TypeError for one that is no integer.
    """
    check_tile(tile)
    scale = _checked_scale(queries, keys, values, scale)
    out = []
    for i, query in enumerate(queries):
        seen = _num_seen(i, len(keys), is_causal)
        parts = []
        for start in range(0, seen, tile):
            stop = min(start + tile, seen)
            scores = [scale * dot(query, key) for key in keys[start:stop]]
            parts.append(Partial.of(scores, values[start:stop]))
        out.append(reduce(merge, parts).result())
    return out


def grouped(
    head: Callable[[Matrix, Matrix, Matrix], list[list[float]]],
    queries: Sequence[Matrix],
    keys: Sequence[Matrix],
    values: Sequence[Matrix],
) -> list[list[list[float]]]:
    """Attention of H heads of queries over G heads of keys and values.

    `head` computes one: `attention`, or `tiled_attention` with its tile filled in.
    Raises ValueError unless H is a multiple of G and there are as many heads of values.
    """
    check_heads(len(queries), len(keys), len(values))
    share = len(queries) // max(len(keys), 1)
    return [
        head(matrix, keys[h // share], values[h // share])
        for h, matrix in enumerate(queries)
    ]


@dataclass(frozen=True, slots=True)
class Partial:
    """Attention of one query over some of the keys, so that more can be added.

    `maximum` of their scores, the `total` of exp(score - maximum), and the values
    summed with these as weights. Over keys whose scores are all -inf, as over no keys,
    it is -inf, 0 and zeros.
    """

    maximum: float
    total: float
    weighted: list[float]

    @classmethod
    def of(cls, scores: Vector, values: Matrix) -> "Partial":
        """Over the keys with these scores and values, at least one."""
        maximum = max(scores)
        if maximum == -inf:
            return cls(maximum, 0.0, [0.0 for _ in values[0]])
        exponentials = [exp(score - maximum) for score in scores]
        return cls(maximum, sum(exponentials), weighted_sum(exponentials, values))

    def result(self) -> list[float]:
        """The attention over all keys that went in."""
        if not self.total:
            return [nan for _ in self.weighted]
        return [component / self.total for component in self.weighted]


def merge(one: Partial, other: Partial) -> Partial:
    """The partial result over the keys of both. Associative and commutative."""
    if other.maximum == -inf:  # it has nothing to add
        return one
    maximum = max(one.maximum, other.maximum)
    factor, other_factor = exp(one.maximum - maximum), exp(other.maximum - maximum)
    return Partial(
        maximum,
        factor * one.total + other_factor * other.total,
        [
            factor * a + other_factor * b
            for a, b in zip(one.weighted, other.weighted, strict=True)
        ],
    )


def softmax(scores: Vector) -> list[float]:
    """Positive weights that sum to 1, in proportion to exp(score)."""
    maximum = max(scores)
    exponentials = [exp(score - maximum) for score in scores]
    total = sum(exponentials)
    return [exponential / total for exponential in exponentials]


def dot(one: Vector, other: Vector) -> float:
    """Σ one_i · other_i."""
    return sum(a * b for a, b in zip(one, other, strict=True))


def weighted_sum(weights: Vector, vectors: Matrix) -> list[float]:
    """Σ weight_j · vector_j."""
    return [dot(weights, column) for column in zip(*vectors, strict=True)]


def check_shapes(
    queries: tuple[int, int], keys: tuple[int, int], values: tuple[int, int]
) -> None:
    """Raise ValueError unless (N, d), (M, d) and (M, e) fit together."""
    if queries[1] != keys[1]:
        raise ValueError(
            f"queries have width {queries[1]} and keys {keys[1]}: "
            "they are multiplied, and must have the same"
        )
    if keys[0] != values[0]:
        raise ValueError(
            f"there are {keys[0]} keys and {values[0]} values: "
            "each key must have one value"
        )


def check_heads(heads: int, key_heads: int, value_heads: int) -> None:
    """Raise ValueError unless the heads of queries can share those of keys evenly."""
    if key_heads != value_heads:
        raise ValueError(
            f"there are {key_heads} heads of keys and {value_heads} of values: "
            "they must be as many"
        )
    if heads and (key_heads < 1 or heads % key_heads):
        raise ValueError(
            f"there are {heads} heads of queries and {key_heads} of keys: "
            "each of the latter must serve the same number of the former"
        )


def check_scale(scale: float | None) -> None:
    """Raise TypeError or ValueError unless scores can be multiplied by `scale`."""
    if scale is None:
        return
    if not isinstance(scale, Real):
        raise TypeError(f"scale is {scale!r}: it must be a number")
    if not isfinite(scale):
        raise ValueError(f"scale is {scale}: it must be finite")


def check_tile(tile: int) -> None:
    """Raise TypeError or ValueError unless tiles can have `tile` keys."""
    if not isinstance(tile, int):
        raise TypeError(f"tile is {tile!r}: it must be an integer")
    if tile < 1:
        raise ValueError(f"tile is {tile}: it must be 1 or more keys")


def _num_seen(query: int, num_keys: int, is_causal: bool) -> int:
    """How many keys, from the first, the query with this number sees."""
    return min(query + 1, num_keys) if is_causal else num_keys


def _checked_scale(
    queries: Matrix, keys: Matrix, values: Matrix, scale: float | None
) -> float:
    check_scale(scale)
    if not keys:
        raise ValueError("there are no keys: a mean of values needs at least one")
    shapes = [(len(rows), _width(rows, name)) for rows, name in (
        (queries or keys[:1], "queries"), (keys, "keys"), (values, "values"),
    )]  # fmt: skip
    check_shapes(*shapes)
    return 1 / sqrt(shapes[1][1]) if scale is None else scale


def _width(rows: Matrix, name: str) -> int:
    widths = sorted({len(row) for row in rows})
    if len(widths) != 1:
        raise ValueError(f"the {name} have the widths {widths}: it must be one width")
    if widths == [0]:
        raise ValueError(f"the {name} have no components: they must have at least 1")
    return widths[0]
