"""Attention in one Triton kernel: the forward pass, with memory linear in the length.

    m' = max(m, max_j s_j)          p_j = exp2(s_j - m')        f = exp2(m - m')
    t' = f · t + Σ p_j              a'  = f · a + Σ p_j · v_j   out = a / t

A program holds a block of queries, and for each of them the running maximum m, the
total t and the weighted values a of `reference.Partial`, on the chip. Tiles of keys and
values come by; scores and weights live for one tile and never see the GPU's memory.
This is the idea of FlashAttention (Dao et al. 2022), with the loops in the order of
FlashAttention-2 (Dao 2023): queries outside, keys inside, so that programs need nothing
of one another.

    bytes       queries and results once, keys and values once for each block of
                queries, most of which the L2 cache serves
    operations  4·d for each pair of a query and a key, on the tensor cores

Three details. Scores are multiplied by log2(e), since a GPU has an instruction for 2**x
and makes exp of it. Causal blocks end at the diagonal, which saves half of the work,
and only tiles that the diagonal or the end of the keys crosses are compared with it.
Where heads share keys each reads the shared head, and nothing is copied.

Runs on CUDA tensors; on CPU tensors only in Triton's interpreter (set
TRITON_INTERPRET=1 in the environment before this module is imported), which is for
checking, not for speed.
Does not handle: the backward pass; one long sequence with few queries, as in decoding,
whose keys should be split over programs and merged at the end (FlashDecoding); widths
over 128 on GPUs with less shared memory than Hopper's; and what only Hopper has, a
hardware copy engine and warps with roles (FlashAttention-3).
"""

import math

import torch
import triton
import triton.language as tl
from torch import Tensor

from tensorfleet.attention.arguments import check_attention
from tensorfleet.launching import check_runs_here

DTYPES = (torch.bfloat16, torch.float16, torch.float32)
WIDTHS = (16, 256)  # the least and the most


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """`ops.attention` by Triton: shapes (B, H, N, d), (B, G, M, d) and (B, G, M, d).

    Products are summed, and the softmax is computed, in float32; weights are rounded to
    the inputs' dtype before they meet the values.

    Raises as `ops.attention` does; ValueError for a width outside WIDTHS or values of
    another width, and for inputs that ask for a gradient; TypeError for a dtype outside
    DTYPES; RuntimeError for a CPU tensor outside the interpreter, and for one on a
    device that is neither.
    """
    check_attention(query, key, value, scale, enable_gqa)
    width = query.shape[3]
    if not WIDTHS[0] <= width <= WIDTHS[1]:
        low, high = WIDTHS
        raise ValueError(f"the width is {width}: this kernel takes {low} to {high}")
    if value.shape[3] != width:
        raise ValueError(
            f"value has width {value.shape[3]}: this kernel takes query's, {width}"
        )
    if query.dtype not in DTYPES:
        allowed = ", ".join(map(str, DTYPES))
        raise TypeError(f"query has dtype {query.dtype}: this kernel takes {allowed}")
    if torch.is_grad_enabled() and any(x.requires_grad for x in (query, key, value)):
        raise ValueError(
            "an input asks for a gradient, and this kernel has no backward pass: "
            "use tensorfleet.attention.ops, or torch.no_grad()"
        )
    check_runs_here(query, _attend, __name__)
    query, key, value = map(_with_adjacent_components, (query, key, value))
    batch, heads, num_queries, _ = query.shape
    num_keys = key.shape[2]
    out = torch.empty_like(query, memory_format=torch.contiguous_format)
    if out.numel() == 0 or num_keys == 0:
        return out.zero_()
    scale = 1 / math.sqrt(width) if scale is None else scale
    sizes = _sizes(num_queries, width, query.dtype)
    # One axis for all programs: CUDA allows 65,535 on the others.
    grid = (batch * heads * triton.cdiv(num_queries, sizes["QUERIES"]),)
    with torch.cuda.device_of(query):  # Triton launches on the current device
        _attend[grid](
            query,
            key,
            value,
            out,
            *query.stride()[:3],
            *key.stride()[:3],
            *value.stride()[:3],
            heads,
            heads // key.shape[1],
            num_queries,
            num_keys,
            scale * math.log2(math.e),
            WIDTH=width,
            CAUSAL=is_causal,
            # The interpreter's tl.dot takes the bits of bfloat16 for integers. In
            # float32 the products are the same.
            WIDEN=query.dtype == torch.bfloat16 and query.device.type == "cpu",
            **sizes,
        )
    return out


def _sizes(num_queries: int, width: int, dtype: torch.dtype) -> dict[str, int]:
    """How much a program holds, and how many warps and stages of loading it has.

    On Hopper a group of four warps multiplies 64 rows at a time from shared memory, so
    128 queries keep two groups busy. Tiles of keys are as long as registers (scores)
    and shared memory (keys and values, for each stage) allow. float32 is multiplied
    outside the tensor cores, from registers, of which it needs more. In decoding most
    rows of a block of queries would be empty: it is as small as it can be.
    """
    padded = triton.next_power_of_2(width)
    if dtype == torch.float32:
        queries, keys = 64 if padded <= 64 else 32, 32 if padded <= 128 else 16
        warps, stages = 8, 1
    else:
        queries, keys = 128, 128 if padded <= 64 else 64
        warps, stages = 8, 3 if padded <= 128 else 2
    if num_queries <= 16:
        queries = 16
        if dtype != torch.float32:
            warps = 4
    return {
        "QUERIES": queries,
        "KEYS": keys,
        "PADDED_WIDTH": padded,
        "num_warps": warps,
        "num_stages": stages,
    }


@triton.jit
def _attend(
    query,
    key,
    value,
    out,
    query_batch_stride,
    query_head_stride,
    query_stride,
    key_batch_stride,
    key_head_stride,
    key_stride,
    value_batch_stride,
    value_head_stride,
    value_stride,
    heads,
    heads_per_key_head,
    num_queries,
    num_keys,
    scale,
    WIDTH: tl.constexpr,
    CAUSAL: tl.constexpr,
    WIDEN: tl.constexpr,
    QUERIES: tl.constexpr,
    KEYS: tl.constexpr,
    PADDED_WIDTH: tl.constexpr,
):
    program = tl.program_id(0)
    blocks = tl.cdiv(num_queries, QUERIES)
    block = program % blocks
    if CAUSAL:  # the last blocks see the most keys: they start first
        block = blocks - 1 - block
    head = (program // blocks % heads).to(tl.int64)
    batch = (program // blocks // heads).to(tl.int64)
    key_head = head // heads_per_key_head

    row = block * QUERIES + tl.arange(0, QUERIES)
    component = tl.arange(0, PADDED_WIDTH)
    key += batch * key_batch_stride + key_head * key_head_stride
    value += batch * value_batch_stride + key_head * value_head_stride
    query += batch * query_batch_stride + head * query_head_stride
    out += (batch * heads + head) * num_queries * WIDTH

    inside = (row < num_queries)[:, None] & (component < WIDTH)[None, :]
    place = row.to(tl.int64)[:, None]
    q = tl.load(query + place * query_stride + component[None, :], inside, other=0.0)
    if WIDEN:
        q = q.to(tl.float32)

    stop = num_keys
    unmasked = num_keys
    if CAUSAL:
        stop = tl.minimum(num_keys, (block + 1) * QUERIES)
        unmasked = tl.minimum(num_keys, block * QUERIES + 1)
    unmasked = unmasked // KEYS * KEYS  # whole tiles that every query here sees

    maximum = tl.full((QUERIES,), float("-inf"), tl.float32)
    total = tl.zeros((QUERIES,), tl.float32)
    weighted = tl.zeros((QUERIES, PADDED_WIDTH), tl.float32)
    for start in range(0, unmasked, KEYS):
        maximum, total, weighted = _merge_tile(
            maximum, total, weighted, q, row, start, key, value, key_stride,
            value_stride, num_keys, scale, False, CAUSAL, WIDEN, WIDTH, KEYS,
            PADDED_WIDTH,
        )  # fmt: skip
    for start in range(unmasked, stop, KEYS):
        maximum, total, weighted = _merge_tile(
            maximum, total, weighted, q, row, start, key, value, key_stride,
            value_stride, num_keys, scale, True, CAUSAL, WIDEN, WIDTH, KEYS,
            PADDED_WIDTH,
        )  # fmt: skip

    result = (weighted / total[:, None]).to(out.dtype.element_ty)
    tl.store(out + place * WIDTH + component[None, :], result, inside)


@triton.jit
def _merge_tile(
    maximum,
    total,
    weighted,
    q,
    row,
    start,
    key,
    value,
    key_stride,
    value_stride,
    num_keys,
    scale,
    MASKED: tl.constexpr,
    CAUSAL: tl.constexpr,
    WIDEN: tl.constexpr,
    WIDTH: tl.constexpr,
    KEYS: tl.constexpr,
    PADDED_WIDTH: tl.constexpr,
):
    """Add the keys `start` to `start` + KEYS - 1 to the partial results."""
    column = start + tl.arange(0, KEYS)
    component = tl.arange(0, PADDED_WIDTH)
    # Loads of whole tiles need no mask; where the width is padded, its columns do.
    inside = tl.full((KEYS, PADDED_WIDTH), True, tl.int1)
    if MASKED:
        inside = inside & (column < num_keys)[:, None]
    if WIDTH != PADDED_WIDTH:
        inside = inside & (component < WIDTH)[None, :]
    place = column.to(tl.int64)[:, None]
    k = tl.load(key + place * key_stride + component[None, :], inside, other=0.0)
    if WIDEN:
        k = k.to(tl.float32)
    scores = tl.dot(q, k.T, input_precision="ieee") * scale
    if MASKED:
        seen = (column < num_keys)[None, :]
        if CAUSAL:
            seen = seen & (column[None, :] <= row[:, None])
        scores = tl.where(seen, scores, float("-inf"))
    larger = tl.maximum(maximum, tl.max(scores, 1))
    # -inf - -inf is no number: as long as all scores are -inf, 0 stands in for them.
    safe = tl.where(larger == float("-inf"), 0.0, larger)
    weights = tl.exp2(scores - safe[:, None])
    factor = tl.exp2(maximum - safe)
    total = total * factor + tl.sum(weights, 1)
    v = tl.load(value + place * value_stride + component[None, :], inside, other=0.0)
    weights = weights.to(v.dtype)
    if WIDEN:
        weights, v = weights.to(tl.float32), v.to(tl.float32)
    weighted = weighted * factor[:, None]
    weighted = tl.dot(weights, v, weighted, input_precision="ieee")
    return larger, total, weighted


def _with_adjacent_components(tensor: Tensor) -> Tensor:
    """The kernel takes any strides but that between components, which must be 1."""
    return tensor if tensor.stride(3) == 1 else tensor.contiguous()
