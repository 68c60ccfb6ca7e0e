"""What a transformer must compute and move: exact counts for every stage of its life.

A product of an M × N and an N × P matrix takes 2·M·N·P floating-point operations: a
multiplication and an addition for each of the M·P sums of N terms. So each weight of a
matrix costs two operations a token.

Attention costs 4·H·d operations for each pair of a query and a key that it may see: 2·d
for the score and 2·d for the weighted sum, in each of H heads. A causal sequence of N
tokens has N·(N+1)/2 pairs; N tokens after a context of C have N·C + N·(N+1)/2.

    prefill    2·W·N + 4·H·d·L·pairs + 2·D·V     V words scored for the last token only
    decode     (2·W + 2·D·V)·n + 4·H·d·L·Σ context
    training   3 × the forward pass with V words scored for every token

with L layers, W weights in all their matrices, n sequences. A backward pass costs twice
the forward pass: one product for the gradient of the inputs and one for that of the
weights (Kaplan et al. 2020, "Scaling laws for neural language models", section 2.1).

Latent attention has other widths than 2·d and 2·d, and others for decoding than for
prefill (`ModelShape.pair_widths`). Where a prompt goes on, keys and values are made
anew from what is cached, by `k_up` and `v_up`.

Bytes are those that must pass through the GPU's memory at least once: each weight once
a step, whatever the number of tokens; the keys and values that are read and written.
So decoding a token reads everything to use it once, and prefill uses it N times. Of a
mixture of experts these are as many as the tokens of a step are expected to pass, if
each expert is as likely as the others (`ModelShape.weights_read`).

Numbers of tokens and sizes are integers; others raise TypeError.

Does not handle: activations (`attention.activations` counts them), norms, biases and
rotations (less than a thousandth of the operations), softmax.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tensorfleet.attention.models import LLAMA_8B
from tensorfleet.attention.shapes import ModelShape
from tensorfleet.hardware import Gpu

__all__ = [
    "LLAMA_8B",
    "Cost",
    "ModelShape",
    "attention_operations",
    "attention_product",
    "causal_pairs",
    "decode",
    "floor_seconds",
    "kv_cache_bytes",
    "matmul",
    "prefill",
    "ridge",
    "training",
]


@dataclass(frozen=True, slots=True)
class Cost:
    """Floating-point operations, and bytes through the GPU's memory."""

    operations: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Operations per byte: above a GPU's ridge it computes, below it reads."""
        return self.operations / self.bytes


def matmul(rows: int, inner: int, columns: int, value_bytes: int = 2) -> Cost:
    """The product of a `rows` × `inner` and an `inner` × `columns` matrix.

    Bytes count both operands and the result once. Raises ValueError for sizes below 1.
    """
    _check_all(rows=rows, inner=inner, columns=columns, value_bytes=value_bytes)
    values = rows * inner + inner * columns + rows * columns
    return Cost(2 * rows * inner * columns, values * value_bytes)


def attention_product(
    queries: int,
    keys: int,
    head_dim: int,
    *,
    heads: int = 1,
    kv_heads: int | None = None,
    batch: int = 1,
    causal: bool = False,
    value_bytes: int = 2,
) -> Cost:
    """softmax(Q·Kᵀ)·V alone: Q, K, V are read and the result written, no scores.

    `causal` lets query i see keys 0 to i, as torch's does. `kv_heads` is `heads` unless
    it is given. Raises ValueError for sizes below 1, and for heads that cannot share
    keys evenly.
    """
    shared = heads if kv_heads is None else kv_heads
    _check_all(queries=queries, keys=keys, head_dim=head_dim, heads=heads)
    _check_all(kv_heads=shared, batch=batch, value_bytes=value_bytes)
    if heads % shared:
        raise ValueError(
            f"there are {heads} heads and {shared} kv_heads: "
            "each of the latter must serve the same number of the former"
        )
    pairs = queries * keys
    if causal:
        alike = min(queries, keys)
        pairs = causal_pairs(alike) + (queries - alike) * keys
    values = 2 * heads * queries + 2 * shared * keys
    return Cost(
        4 * head_dim * heads * batch * pairs,
        batch * head_dim * values * value_bytes,
    )


def prefill(shape: ModelShape, tokens: int, context: int = 0) -> Cost:
    """Read `tokens` of one prompt after `context` whose keys and values are cached.

    Raises ValueError for less than 1 token or a negative context.
    """
    _check("tokens", tokens, 1)
    _check("context", context, 0)
    return Cost(
        2 * shape.layer_weights * tokens
        + attention_operations(shape, causal_pairs(tokens, context))
        + _expansion_operations(shape, context)
        + 2 * shape.head_weights,
        _weight_bytes(shape, tokens) + kv_cache_bytes(shape, context + tokens),
    )


def decode(shape: ModelShape, contexts: Iterable[int]) -> Cost:
    """Write one token in each sequence of a batch.

    `contexts` are the tokens that each new token attends to, itself included. Its own
    key and value are written, the others read. Raises ValueError for an empty batch
    or a context below 1.
    """
    contexts = list(contexts)
    if not contexts:
        raise ValueError("the batch is empty: it must hold at least one sequence")
    for context in contexts:
        _check("context", context, 1)
    return Cost(
        2 * (shape.layer_weights + shape.head_weights) * len(contexts)
        + attention_operations(shape, sum(contexts), cached=True),
        _weight_bytes(shape, len(contexts)) + kv_cache_bytes(shape, sum(contexts)),
    )


def training(shape: ModelShape, tokens: int, sequences: int = 1) -> Cost:
    """One step, forward and backward, on `sequences` of `tokens` each.

    Weights are read forward and backward, and their gradients are written. Not counted
    are the bytes of what is kept for the backward pass (`activations` says how many
    these are) and what the optimizer does. Raises ValueError for counts below 1.
    """
    _check_all(tokens=tokens, sequences=sequences)
    forward = 2 * (shape.layer_weights + shape.head_weights) * tokens
    forward += attention_operations(shape, causal_pairs(tokens))
    return Cost(3 * forward * sequences, 3 * _weight_bytes(shape, tokens * sequences))


def kv_cache_bytes(shape: ModelShape, tokens: int) -> int:
    """Bytes of the keys and values of `tokens`: 2·L·G·d values each, or L·(r + ρ).

    Raises ValueError for a negative number of tokens.
    """
    _check("tokens", tokens, 0)
    return shape.layers * shape.cached_values * shape.value_bytes * tokens


def causal_pairs(tokens: int, context: int = 0) -> int:
    """Pairs of a query and a key it may see, for `tokens` that follow `context`.

    Raises ValueError for negative numbers.
    """
    _check("tokens", tokens, 0)
    _check("context", context, 0)
    return tokens * context + tokens * (tokens + 1) // 2


def attention_operations(shape: ModelShape, pairs: int, *, cached: bool = False) -> int:
    """Operations of attention itself, for pairs of a query and a key, in all layers.

    `cached` is for heads that work on what is cached, as decoding does. Raises
    ValueError for a negative number of pairs.
    """
    _check("pairs", pairs, 0)
    score, weighted = shape.cached_pair_widths if cached else shape.pair_widths
    return 2 * (score + weighted) * shape.heads * shape.layers * pairs


def ridge(gpu: Gpu) -> float:
    """Operations per byte at which a GPU computes as long as it reads."""
    return gpu.dense_bf16 / gpu.memory_bandwidth


def floor_seconds(cost: Cost, gpu: Gpu) -> float:
    """The least time a GPU needs: computing or reading, whichever takes longer.

    The roofline of Williams, Waterman and Patterson 2009.
    """
    return max(cost.operations / gpu.dense_bf16, cost.bytes / gpu.memory_bandwidth)


def _expansion_operations(shape: ModelShape, context: int) -> int:
    """Keys and values made anew from what latent attention has cached."""
    if shape.latent is None:
        return 0
    weights = sum(i * o for i, o in (shape.matrices[n] for n in ("k_up", "v_up")))
    return 2 * weights * shape.layers * context


def _weight_bytes(shape: ModelShape, tokens: int) -> int:
    """What a step reads of the weights: of the embedding only a few rows."""
    return (shape.weights_read(tokens) + shape.head_weights) * shape.value_bytes


def _check_all(**values: int) -> None:
    for name, value in values.items():
        _check(name, value, 1)


def _check(name: str, value: int, lowest: int) -> None:
    if not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}: it must be an integer")
    if value < lowest:
        raise ValueError(f"{name} is {value}: it must be {lowest} or more")
