"""Checks of tensor arguments, shared by the PyTorch functions and the Triton kernel.

They look at shapes, dtypes and devices alone, and so cost no time on a GPU.
"""

import torch
from torch import Tensor

from tensorfleet.attention.reference import check_heads, check_scale, check_shapes

DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def check_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    scale: float | None,
    enable_gqa: bool,
) -> None:
    """Raise what `ops.attention` documents unless the arguments fit together."""
    for name, tensor in (("query", query), ("key", key), ("value", value)):
        if not isinstance(tensor, Tensor):
            raise TypeError(f"{name} is a {type(tensor).__name__}: it must be a tensor")
        if tensor.ndim != 4:
            raise ValueError(
                f"{name} has {tensor.ndim} dimensions: "
                "it must have 4, batch, heads, positions and width"
            )
        if tensor.dtype not in DTYPES:
            allowed = ", ".join(map(str, DTYPES))
            raise TypeError(
                f"{name} has dtype {tensor.dtype}: it must be one of {allowed}"
            )
        if tensor.dtype != query.dtype:
            raise TypeError(
                f"{name} has dtype {tensor.dtype}: it must be query's, {query.dtype}"
            )
        if tensor.device != query.device:
            raise ValueError(
                f"{name} is on {tensor.device}: "
                f"it must be on query's device, {query.device}"
            )
        if tensor.shape[0] != query.shape[0]:
            raise ValueError(
                f"{name} has batch size {tensor.shape[0]}: "
                f"it must be query's, {query.shape[0]}"
            )
        if tensor.shape[3] < 1:
            raise ValueError(f"{name} has width 0: it must be 1 or more")
    (_, heads, *queries), (_, key_heads, *keys), (_, value_heads, *values) = (
        tuple(tensor.shape) for tensor in (query, key, value)
    )
    check_heads(heads, key_heads, value_heads)
    if heads != key_heads and not enable_gqa:
        raise ValueError(
            f"there are {heads} heads of queries and {key_heads} of keys: "
            "they must be as many, unless enable_gqa is set"
        )
    check_scale(scale)
    check_shapes((queries[0], queries[1]), (keys[0], keys[1]), (values[0], values[1]))
