"""Random tensors for attention, what they should give, and how exactly they can."""

import math

import torch
from hypothesis import strategies as st

LENGTHS = st.one_of(st.integers(1, 9), st.sampled_from([31, 64, 65, 130]))


def tensors(batch, heads, key_heads, queries, keys, width, dtype, value_width=None):
    """Query, key and value of the given shapes, the same for the same shapes."""
    shapes = [
        (batch, heads, queries, width),
        (batch, key_heads, keys, width),
        (batch, key_heads, keys, value_width or width),
    ]
    seed = hash((batch, heads, key_heads, queries, keys, width))
    generator = torch.Generator().manual_seed(seed % 2**31)
    return [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]


def exact(query, key, value, **options):
    """By PyTorch, in float64, from the same rounded inputs."""
    double = [x.cpu().double() for x in (query, key, value)]
    function = torch.nn.functional.scaled_dot_product_attention
    return function(*double, enable_gqa=True, **options)


def bound(query, key, value, scale=None):
    """How far rounding may move a result.

    A score of size S is off by at most δ = (2·e + d·a)·S, with e the spacing of the
    dtype at 1 (the scaled query and the score are rounded to it) and a that of the
    dtype of sums, which have d terms. A weight is then off by a factor of e**(2·δ) at
    most, and is rounded to the dtype, as the result is; M weighted values are summed.
    """
    if 0 in (*query.shape, *key.shape):
        return 0.0
    fine = torch.finfo(torch.promote_types(query.dtype, torch.float32)).eps
    coarse = torch.finfo(query.dtype).eps
    num_keys, width = key.shape[2:]
    scale = 1 / math.sqrt(width) if scale is None else abs(scale)
    share = query.shape[1] // key.shape[1]
    keys = key.cpu().double().abs().repeat_interleave(share, 1)
    score = float((query.cpu().double().abs() @ keys.mT).max()) * scale
    change = math.expm1(2 * (2 * coarse + width * fine) * score)
    return (change + 2 * coarse + num_keys * fine) * float(value.abs().max())


def assert_right(found, query, key, value, **options):
    expected = exact(query, key, value, **options)
    assert found.dtype == query.dtype
    assert found.shape == expected.shape
    assert found.device == query.device
    allowed = bound(query, key, value, options.get("scale"))
    difference = (found.cpu().double() - expected).abs()
    assert (difference <= allowed).all(), f"off by {difference.max()}, not {allowed}"
