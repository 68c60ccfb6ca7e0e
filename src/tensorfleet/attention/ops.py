"""Attention on PyTorch tensors: with all scores at once, and tile by tile.

The conventions are those of torch.nn.functional.scaled_dot_product_attention: shapes
(batch, heads, positions, width), `is_causal` counted from the first key, `scale` of
1/√width unless given, `enable_gqa` for fewer heads of keys than of queries.

    attention         two matrix products with a softmax between them. It writes a score
                      for every pair of a query and a key: B·H·N·M numbers, which a GPU
                      must send to its memory and read back, several times.
    tiled_attention   `reference.Partial` for a tile of queries at once: a tile of keys
                      comes, its scores are computed, merged and forgotten. The same
                      operations and B·H·tile·tile numbers. As separate PyTorch
                      operators every step still passes through memory, or through
                      the cache where a tile fits into it. To be fast on a GPU too, one
                      kernel must do all steps of a tile on the chip (see `kernel`).

A causal mask saves the first no work: it computes scores for all pairs and sets hidden
ones to -inf. The second leaves out the tiles that are hidden as a whole, and compares
only those with the mask that the diagonal crosses.

Heads that share keys need no copies of them: their queries are laid end to end as if
they were more positions of one head.

Both are differentiable by autograd, which keeps every tile's weights for the way back:
in training, tiling saves nothing here. FlashAttention's backward pass computes them
again instead (Dao et al. 2022, algorithm 4); that is not done here. Nor are masks of
other shapes, and dropout.
"""

import math

import torch
from torch import Tensor

from tensorfleet.attention.arguments import check_attention
from tensorfleet.attention.reference import check_tile

TILE = 256  # queries, and keys


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Scaled dot-product attention by its definition; the result is on query's device.

    `query` has shape (B, H, N, d), `key` (B, G, M, d), `value` (B, G, M, e), the result
    (B, H, N, e); G is H, or with `enable_gqa` divides it. Where there is no key the
    result is 0. Products are rounded to the inputs' dtype, so that in float16 a scaled
    score beyond 65,504 is infinite, and the result nan; the softmax is computed in
    float32 or better.

    Raises ValueError for shapes or devices that do not fit together and for a scale
    that is not finite, TypeError for what is no tensor, for dtypes, and for a scale
    that is no number. Source: `reference.attention`.
    """
    check_attention(query, key, value, scale, enable_gqa)
    rows = _by_key_head(query, key) * _scale(query, scale)
    scores = rows @ key.mT
    if is_causal:
        scores = scores.masked_fill(~_seen(query, key, 0, 0, key.shape[2]), -math.inf)
    weights = scores.softmax(-1, dtype=_accurate(query.dtype)).to(value.dtype)
    return (weights @ value).reshape(*query.shape[:3], value.shape[3])


def tiled_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
    tile: int = TILE,
) -> Tensor:
    """The same by an online softmax over tiles of `tile` queries and `tile` keys.

    Arguments, result and errors are those of `attention`, and ValueError for a tile of
    less than 1, TypeError for one that is no integer. Tiles are computed in float32 or
    better. Source: `reference.tiled_attention`; the order of the loops is that of
    FlashAttention-2 (Dao 2023, algorithm 1).
    """
    check_attention(query, key, value, scale, enable_gqa)
    check_tile(tile)
    scale = _scale(query, scale)
    return torch.cat(
        [
            _attend(part, number * tile, key, value, is_causal, scale, tile)
            for number, part in enumerate(torch.split(query, tile, 2))
        ],
        2,
    )


def _attend(
    query: Tensor,
    first: int,
    key: Tensor,
    value: Tensor,
    is_causal: bool,
    scale: float,
    tile: int,
) -> Tensor:
    """The result for a tile of queries, which begins at position `first`."""
    dtype = _accurate(query.dtype)
    rows = _by_key_head(query, key).to(dtype) * scale
    maximum = rows.new_full((*rows.shape[:3], 1), -math.inf)
    total = torch.zeros_like(maximum)
    weighted = rows.new_zeros(*rows.shape[:3], value.shape[3])
    # Nobody sees the keys beyond the last query.
    last = first + query.shape[2]
    stop = min(key.shape[2], last) if is_causal else key.shape[2]
    for start in range(0, stop, tile):
        end = min(start + tile, stop)
        # The first query sees the keys 0 to `first`, the others see more.
        is_cut = is_causal and end > first + 1
        maximum, total, weighted = _merge_tile(
            maximum,
            total,
            weighted,
            rows,
            key[:, :, start:end].to(dtype),
            value[:, :, start:end].to(dtype),
            _seen(query, key, first, start, end) if is_cut else None,
        )
    if stop:
        weighted = weighted / total
    return weighted.to(query.dtype).reshape(*query.shape[:3], value.shape[3])


def _merge_tile(
    maximum: Tensor,
    total: Tensor,
    weighted: Tensor,
    rows: Tensor,
    key: Tensor,
    value: Tensor,
    seen: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Partial results with a tile of keys added, of which each row sees `seen`."""
    scores = rows @ key.mT
    if seen is not None:
        scores = scores.masked_fill(~seen, -math.inf)
    larger = torch.maximum(maximum, scores.amax(-1, keepdim=True))
    # -inf - -inf is no number: as long as all scores are -inf, 0 stands in for them.
    safe = larger.masked_fill(larger == -math.inf, 0.0)
    weights = (scores - safe).exp_()
    factor = (maximum - safe).exp()
    total = factor * total + weights.sum(-1, keepdim=True)
    return larger, total, factor * weighted + weights @ value


def _by_key_head(query: Tensor, key: Tensor) -> Tensor:
    """Queries of shape (B, G, H/G · N, d): those that share keys, end to end."""
    batch, heads, positions, width = query.shape
    rows = positions * (heads // max(key.shape[1], 1))
    return query.reshape(batch, key.shape[1], rows, width)


def _seen(query: Tensor, key: Tensor, first: int, start: int, end: int) -> Tensor:
    """Which keys of `start` to `end` - 1 each row of `_by_key_head` sees: (rows, keys).

    Query i of the sequence sees the keys 0 to i; `query` begins with number `first`.
    """
    positions = torch.arange(first, first + query.shape[2], device=query.device)
    repeated = positions.repeat(query.shape[1] // max(key.shape[1], 1))
    return torch.arange(start, end, device=query.device) <= repeated[:, None]


def _scale(query: Tensor, scale: float | None) -> float:
    return 1 / math.sqrt(query.shape[3]) if scale is None else scale


def _accurate(dtype: torch.dtype) -> torch.dtype:
    return torch.promote_types(dtype, torch.float32)
