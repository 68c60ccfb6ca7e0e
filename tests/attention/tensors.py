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


def bound(query, key, value, *, is_causal=False, scale=None, rounded_scores=False):
    """How far rounding may move each component of a result.

    A score of size S is a sum of d terms, scaled, from which a maximum is subtracted:
    it is off by at most δ = (d + 2)·a·S, with a the spacing at 1 of the dtype of sums.
    With `rounded_scores` the scaled query and the score are rounded to the inputs'
    dtype too, whose spacing is e, and δ is larger by 2·e·S. A weight is then off by a
    factor of e**(2·δ) at most. It is rounded to the dtype, as the result is, and lost
    where it is below the least number t of the dtype; M weighted values are summed.
    """
    if 0 in (*query.shape, *key.shape):
        return 0.0
    fine = torch.finfo(torch.promote_types(query.dtype, torch.float32)).eps
    coarse = torch.finfo(query.dtype).eps
    least = torch.finfo(query.dtype).smallest_normal * coarse
    num_keys, width = key.shape[2:]
    share = query.shape[1] // key.shape[1]
    query, key, value = (x.cpu().double() for x in (query, key, value))
    key, value = (x.repeat_interleave(share, 1) for x in (key, value))
    factor = 1 / math.sqrt(width) if scale is None else abs(scale)
    largest = float((query.abs() @ key.abs().mT).max()) * factor
    off = (width + 2) * fine + (2 * coarse if rounded_scores else 0)
    change = math.expm1(2 * off * largest) + 2 * coarse + num_keys * fine
    typical = exact(query, key, value.abs(), is_causal=is_causal, scale=scale)
    return change * typical + num_keys * least * float(value.abs().max())


def assert_right(found, query, key, value, *, rounded_scores=False, **options):
    expected = exact(query, key, value, **options)
    assert found.dtype == query.dtype
    assert found.shape == expected.shape
    assert found.device == query.device
    allowed = bound(query, key, value, rounded_scores=rounded_scores, **options)
    difference = (found.cpu().double() - expected).abs()
    assert (difference <= allowed).all(), (
        f"off by up to {(difference / allowed).max():.3g} times what rounding may do"
    )
