"""What a transformer must compute and move: exact counts for every stage of its life.

A decoder layer with hidden width D holds seven matrices: queries and output (D × H·d),
keys and values (D × G·d, with G ≤ H heads when queries share them), and gate, up and
down of the feed-forward part (D × F). One matrix of I × O costs 2·I·O floating-point
operations a token: a multiplication and an addition for each weight.

Attention costs 4·H·d operations for each pair of a query and a key that it may see: 2·d
for the score and 2·d for the weighted sum, in each of H heads. A causal sequence of N
tokens has N·(N+1)/2 pairs; N tokens after a context of C have N·C + N·(N+1)/2.

    prefill    2·W·N + 4·H·d·L·pairs + 2·D·V     V words scored for the last token only
    decode     (2·W + 2·D·V)·n + 4·H·d·L·Σ context
    training   3 × the forward pass with V words scored for every token

with L layers, W weights in all their matrices, n sequences. A backward pass costs twice
the forward pass: one product for the gradient of the inputs and one for that of the
weights (Kaplan et al. 2020, "Scaling laws for neural language models", section 2.1).

Bytes are those that must pass through the GPU's memory at least once: each weight once
a step, whatever the number of tokens; the keys and values that are read and written.
So decoding a token reads everything to use it once, and prefill uses it N times.

Does not handle: activations (a fused kernel need not store them), norms, biases and
rotations (less than a thousandth of the operations), softmax, mixtures of experts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A decoder-only transformer with grouped-query attention and a gated feed-forward.

    Widths are in values; `value_bytes` is the size of a weight and of a cached key's or
    value's component.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    value_bytes: int = 2

    def __post_init__(self) -> None:
        for field in fields(self)[1:]:
            if getattr(self, field.name) < 1:
                raise ValueError(
                    f"{field.name} of {self.name} is {getattr(self, field.name)}: "
                    "it must be 1 or more"
                )
        if self.heads % self.kv_heads:
            raise ValueError(
                f"{self.name} has {self.heads} heads and {self.kv_heads} kv_heads: "
                "each of the latter must serve the same number of the former"
            )

    @property
    def matrices(self) -> Mapping[str, tuple[int, int]]:
        """The matrices of one layer by name: (inputs, outputs)."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return MappingProxyType(
            {
                "q": (self.hidden, queries),
                "k": (self.hidden, keys),
                "v": (self.hidden, keys),
                "o": (queries, self.hidden),
                "gate": (self.hidden, self.feed_forward),
                "up": (self.hidden, self.feed_forward),
                "down": (self.feed_forward, self.hidden),
            }
        )

    @property
    def layer_weights(self) -> int:
        """W: the weights in the matrices of all layers."""
        return self.layers * sum(i * o for i, o in self.matrices.values())

    @property
    def head_weights(self) -> int:
        """The weights that score the vocabulary."""
        return self.hidden * self.vocabulary

    @property
    def parameters(self) -> int:
        """All parameters: layers, embedding, scoring (not tied to it), and norms."""
        norms = (2 * self.layers + 1) * self.hidden
        return self.layer_weights + 2 * self.head_weights + norms


# "The Llama 3 herd of models" (arXiv 2407.21783), table 3; vocabulary from section 3.2.
LLAMA_8B = ModelShape(
    name="Llama 3.1 8B",
    layers=32,
    hidden=4096,
    heads=32,
    kv_heads=8,
    head_dim=128,
    feed_forward=14336,
    vocabulary=128_256,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Floating-point operations, and bytes through the GPU's memory."""

    operations: int
    bytes: int

    @property
    def intensity(self) -> float:
        """Operations per byte: above a GPU's ridge it computes, below it reads."""
        return self.operations / self.bytes


def prefill(shape: ModelShape, tokens: int, context: int = 0) -> Cost:
    """Read `tokens` of one prompt after `context` whose keys and values are cached.

    Raises ValueError for less than 1 token or a negative context.
    """
    _check("tokens", tokens, 1)
    _check("context", context, 0)
    return Cost(
        2 * shape.layer_weights * tokens
        + attention_operations(shape, causal_pairs(tokens, context))
        + 2 * shape.head_weights,
        _weight_bytes(shape) + kv_cache_bytes(shape, context + tokens),
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
        + attention_operations(shape, sum(contexts)),
        _weight_bytes(shape) + kv_cache_bytes(shape, sum(contexts)),
    )


def training(shape: ModelShape, tokens: int, sequences: int = 1) -> Cost:
    """One step, forward and backward, on `sequences` of `tokens` each.

    Weights are read forward and backward, and their gradients are written; what the
    optimizer does is not counted. Raises ValueError for counts below 1.
    """
    _check("tokens", tokens, 1)
    _check("sequences", sequences, 1)
    forward = 2 * (shape.layer_weights + shape.head_weights) * tokens
    forward += attention_operations(shape, causal_pairs(tokens))
    return Cost(3 * forward * sequences, 3 * _weight_bytes(shape))


def kv_cache_bytes(shape: ModelShape, tokens: int) -> int:
    """Bytes of the keys and values of `tokens`: 2·L·G·d values each."""
    values = 2 * shape.layers * shape.kv_heads * shape.head_dim
    return values * shape.value_bytes * tokens


def causal_pairs(tokens: int, context: int = 0) -> int:
    """Pairs of a query and a key it may see, for `tokens` that follow `context`."""
    return tokens * context + tokens * (tokens + 1) // 2


def attention_operations(shape: ModelShape, pairs: int) -> int:
    """Operations of attention itself, for pairs of a query and a key, in all layers."""
    return 4 * shape.heads * shape.head_dim * shape.layers * pairs


def _weight_bytes(shape: ModelShape) -> int:
    """What a step reads of the weights: of the embedding only a few rows."""
    return (shape.layer_weights + shape.head_weights) * shape.value_bytes


def _check(name: str, value: int, lowest: int) -> None:
    if value < lowest:
        raise ValueError(f"{name} is {value}: it must be {lowest} or more")
