"""What a training step must keep of its forward pass, until the backward pass needs it.

The backward pass of a product needs both of its operands, that of a softmax its result,
that of a norm or an activation function its input, that of a dropout its mask. Counted
so, a layer of GPT keeps, in bytes, for sequences of s tokens, batches of b, hidden
width h and a heads, with 2 bytes a value and 1 byte for each element of a mask,

    s·b·h·(34 + 5·a·s/h)

(Korthikanti et al. 2022, "Reducing activation recomputation in large transformer
models", arXiv 2205.05198, section 4.1 and equation 1). This module counts the same for
any shape, with or without dropout. What a token keeps in one layer:

    norms and their results    2·D + 2·D values
    queries, keys, values      H·d + 2·G·d values, and H·d for the result
    feed-forward               2·F values; 4·F with a gate
    dropout                    2·D mask bytes
    scores                     H·N values; with dropout twice, and H·N mask bytes

The last line grows with the length of the sequence. FlashAttention (Dao et al. 2022,
arXiv 2205.14135) does not keep it: it makes the scores anew in the backward pass, with
the help of a number of 4 bytes for each query and head, the logarithm of its softmax's
sum (so FlashAttention-2, Dao 2023, arXiv 2307.08691, section 3.1; the first version
keeps the maximum and the sum).

Beside all this stands what is kept between steps: with Adam in mixed precision 16 bytes
a parameter, of which 2 are the weight and 2 its gradient (Rajbhandari et al. 2019,
"ZeRO", arXiv 1910.02054, section 3.1).

Does not handle: what is before and behind the layers (the embedding's dropout, the last
norm, the scores of the vocabulary), statistics of norms, positions, latent attention,
mixtures of experts.
"""

from tensorfleet.attention.shapes import ModelShape

LOGSUMEXP_BYTES = 4  # float32, for each query and head
OPTIMIZER_BYTES = 12  # a parameter: weight, mean and variance in float32


def activation_bytes(
    shape: ModelShape,
    tokens: int,
    sequences: int = 1,
    *,
    dropout: bool = False,
    keep_scores: bool = True,
) -> int:
    """Bytes that all layers keep for `sequences` of `tokens` each.

    Without `keep_scores` attention is FlashAttention. Raises ValueError for counts
    below 1 and for latent attention.
    """
    for name, count in (("tokens", tokens), ("sequences", sequences)):
        if count < 1:
            raise ValueError(f"{name} is {count}: it must be 1 or more")
    token = _token_bytes(shape, dropout) + _scores_bytes(
        shape, tokens, dropout, keep_scores
    )
    return shape.layers * token * tokens * sequences


def training_state_bytes(shape: ModelShape) -> int:
    """Weights, their gradients, and what Adam keeps, for all parameters."""
    return shape.parameters * (2 * shape.value_bytes + OPTIMIZER_BYTES)


def _token_bytes(shape: ModelShape, dropout: bool) -> int:
    """What a token keeps in one layer, whatever the length of the sequence."""
    if shape.latent is not None:
        raise ValueError(
            f"{shape.name} has latent attention: activations are counted for "
            "attention with keys and values of its own"
        )
    values = 4 * shape.hidden
    values += 2 * (shape.heads + shape.kv_heads) * shape.head_dim
    values += (4 if shape.gated else 2) * shape.feed_forward
    masks = 2 * shape.hidden if dropout else 0
    return values * shape.value_bytes + masks


def _scores_bytes(shape: ModelShape, tokens: int, dropout: bool, keep: bool) -> int:
    """What a token keeps of its scores in one layer."""
    if not keep:
        return shape.heads * LOGSUMEXP_BYTES
    each = 2 * shape.value_bytes + 1 if dropout else shape.value_bytes
    return shape.heads * tokens * each
