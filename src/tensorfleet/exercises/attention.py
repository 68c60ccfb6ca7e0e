"""The exercises of the attention chapter."""

from collections.abc import Iterator
from math import exp, inf, log
from random import Random

from tensorfleet.attention.models import GPT2, LLAMA_8B, LLAMA_70B
from tensorfleet.attention.reference import Partial, dot, weighted_sum
from tensorfleet.attention.reference import merge as merge_partial
from tensorfleet.attention.sums import token_by_token
from tensorfleet.exercises.checking import Arguments, Exercise, close_to, equals

State = tuple[float, float, list[float]]
NOTHING = -inf  # the maximum of no scores


def kv_bytes_cases() -> Iterator[Arguments]:
    yield 1, 1, 1, 1, 1
    yield 2, 3, 4, 5, 1
    yield 2, 3, 4, 0, 2
    for shape in (GPT2, LLAMA_8B, LLAMA_70B):
        sizes = shape.layers, shape.kv_heads, shape.head_dim
        yield *sizes, 1, 2
        yield *sizes, 131_072, 1


def kv_bytes(
    layers: int, kv_heads: int, head_dim: int, tokens: int, value_bytes: int
) -> int:
    """A key and a value of `head_dim` components in each head of each layer."""
    return 2 * layers * kv_heads * head_dim * tokens * value_bytes


def decode_operations_cases() -> Iterator[Arguments]:
    yield 1, 1
    yield 2, 1
    yield 3, 10
    yield 64, 16
    yield 5000, 128
    yield 10**12, 4096  # too many to count one by one


def decode_operations(tokens: int, width: int) -> int:
    return token_by_token(tokens, width).total


def merge_cases() -> Iterator[Arguments]:
    yield (1.0, 1.0, [10.0]), (1.0, 1.0, [20.0])
    yield (0.0, 2.0, [4.0, 6.0]), (log(2.0), 1.0, [1.0, 1.0])
    yield (5.0, 1.5, [3.0]), (-2.0, 2.0, [8.0])
    yield (1000.0, 1.0, [3.0]), (999.0, 1.0, [7.0])  # exp(1000) overflows
    yield (-1000.0, 1.0, [3.0]), (-1001.0, 2.0, [7.0])  # and exp(-1000) is 0
    yield (NOTHING, 0.0, [0.0, 0.0]), (3.0, 1.25, [2.0, -1.0])
    yield (3.0, 1.25, [2.0, -1.0]), (NOTHING, 0.0, [0.0, 0.0])
    yield (NOTHING, 0.0, [0.0]), (NOTHING, 0.0, [0.0])
    random = Random(1)
    for _ in range(10):
        one, other = (
            Partial.of(
                [random.uniform(-20, 20) for _ in range(keys)],
                [[random.uniform(-1, 1) for _ in range(3)] for _ in range(keys)],
            )
            for keys in (random.randrange(1, 9), random.randrange(1, 9))
        )
        yield (
            (one.maximum, one.total, one.weighted),
            (other.maximum, other.total, other.weighted),
        )


def merge(one: State, other: State) -> list[float]:
    """The maximum, the total, and the weighted values, in one list."""
    merged = merge_partial(Partial(*one), Partial(*other))
    return [merged.maximum, merged.total, *merged.weighted]


def causal_tiles_cases() -> Iterator[Arguments]:
    yield 4, 4, 2, 2
    yield 4, 4, 1, 4
    yield 5, 5, 2, 2
    yield 6, 6, 3, 2
    yield 3, 8, 2, 2  # more keys than queries: some tiles are seen by nobody
    yield 8, 3, 2, 2
    yield 1, 1, 64, 64
    yield 8192, 8192, 128, 64
    yield 8192, 8192, 64, 128
    yield 1_000_000, 1_000_000, 128, 128


def causal_tiles(queries: int, keys: int, query_tile: int, key_tile: int) -> int:
    """Each row of tiles reaches to the last key that its last query sees."""
    tiles = 0
    for start in range(0, queries, query_tile):
        last = min(start + query_tile, queries) - 1
        tiles += -(-min(last + 1, keys) // key_tile)
    return tiles


def score_gradient_cases() -> Iterator[Arguments]:
    yield [0.0], 0.0, [[2.0]], [1.0]
    yield [0.0, 0.0], log(2.0), [[0.0], [4.0]], [1.0]
    yield [0.0, 0.0], log(2.0), [[3.0], [3.0]], [5.0]
    yield [1000.0, 1000.0], 1000.0 + log(2.0), [[0.0], [4.0]], [1.0]
    random = Random(2)
    for keys, width in ((2, 3), (5, 1), (9, 4), (30, 8)):
        scores = [random.uniform(-4, 4) for _ in range(keys)]
        values = [[random.uniform(-1, 1) for _ in range(width)] for _ in range(keys)]
        gradient = [random.uniform(-1, 1) for _ in range(width)]
        yield scores, log(sum(map(exp, scores))), values, gradient


def score_gradient(
    scores: list[float],
    logsumexp: float,
    values: list[list[float]],
    gradient: list[float],
) -> list[float]:
    """dL/ds_j = w_j · (g·v_j - g·out), with the weights made anew from `logsumexp`.

    Dao et al. 2022, arXiv 2205.14135, appendix B.2.
    """
    weights = [exp(score - logsumexp) for score in scores]
    mean = dot(gradient, weighted_sum(weights, values))
    return [
        weight * (dot(gradient, value) - mean)
        for weight, value in zip(weights, values, strict=True)
    ]


EXERCISES = {
    "kv_bytes": Exercise(
        "(layers, kv_heads, head_dim, tokens, value_bytes) -> bytes",
        kv_bytes_cases,
        equals(kv_bytes),
    ),
    "decode_operations": Exercise(
        "(tokens, width) -> operations",
        decode_operations_cases,
        equals(decode_operations),
    ),
    "merge": Exercise(
        "(one, other) -> [maximum, total, *weighted]", merge_cases, close_to(merge)
    ),
    "causal_tiles": Exercise(
        "(queries, keys, query_tile, key_tile) -> tiles",
        causal_tiles_cases,
        equals(causal_tiles),
    ),
    "score_gradient": Exercise(
        "(scores, logsumexp, values, gradient) -> gradient of the scores",
        score_gradient_cases,
        close_to(score_gradient),
    ),
}
