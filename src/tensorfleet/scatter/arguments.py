"""Checks of tensor arguments, shared by the PyTorch functions and the Triton kernels.

They run before anything is launched. On CUDA they matter more than on a CPU: there an
index out of range is met by an assertion inside the kernel, which names no value and
leaves the process without a usable CUDA context, or by no check at all, and then it
writes into someone else's memory.
The price is one pass over the index (8 bytes an element) and a wait for its result.
"""

import torch
from torch import Tensor

from tensorfleet.scatter.reference import check_shapes

INDEX_DTYPES = (torch.int32, torch.int64)


def check_scatter_add(dst: Tensor, dim: int, index: Tensor, src: Tensor) -> None:
    """Raise what `ops.scatter_add` documents unless the arguments fit together."""
    check_same_kind(dst, src)
    check_device(dst, index, "index")
    check_index_dtype(index, "index")
    # As everywhere in PyTorch, a tensor without dimensions counts as one with a single
    # element.
    dst_shape, index_shape, src_shape = (
        tuple(t.shape) or (1,) for t in (dst, index, src)
    )
    dim = check_shapes(dim, dst_shape, index_shape, src_shape)
    check_range(index, dst_shape[dim], "index")


def check_scatter_add_rows(dst: Tensor, index: Tensor, src: Tensor) -> None:
    """Raise what `ops.scatter_add_rows` documents unless the arguments fit together."""
    check_same_kind(dst, src)
    check_device(dst, index, "index")
    check_index_dtype(index, "index")
    if dst.ndim != 2 or src.ndim != 2 or index.ndim != 1:
        raise ValueError(
            f"dst, index and src have {dst.ndim}, {index.ndim} and {src.ndim} "
            "dimensions: they must have 2, 1 and 2"
        )
    if src.shape != (index.shape[0], dst.shape[1]):
        expected = (index.shape[0], dst.shape[1])
        raise ValueError(
            f"src has shape {tuple(src.shape)}: "
            f"it must be {expected}, a row for each index"
        )
    check_range(index, dst.shape[0], "index")


def check_batched_bincount(x: Tensor, num_bins: int) -> None:
    """Raise what `ops.batched_bincount` documents unless the arguments fit together."""
    if num_bins < 0:
        raise ValueError(f"num_bins is {num_bins}: it must be 0 or more")
    check_index_dtype(x, "x")
    if x.ndim == 0:
        raise ValueError("x is a single number: it must have at least one dimension")
    check_range(x, num_bins, "x")


def check_same_kind(dst: Tensor, src: Tensor) -> None:
    if src.dtype != dst.dtype:
        raise TypeError(f"src has dtype {src.dtype}: it must be dst's, {dst.dtype}")
    check_device(dst, src, "src")


def check_device(dst: Tensor, other: Tensor, name: str) -> None:
    if other.device != dst.device:
        raise ValueError(
            f"{name} is on {other.device}: it must be on dst's device, {dst.device}"
        )


def check_index_dtype(index: Tensor, name: str) -> None:
    if index.numel() and index.dtype not in INDEX_DTYPES:
        raise TypeError(
            f"{name} has dtype {index.dtype}: "
            "indices must be torch.int64 or torch.int32"
        )


def check_range(index: Tensor, size: int, name: str) -> None:
    """Raise IndexError with the first value outside 0 to size - 1 and its position."""
    if index.numel() == 0:
        return
    low, high = torch.aminmax(index)
    if int(low) >= 0 and int(high) < size:
        return
    bad = torch.nonzero((index < 0) | (index >= size))[0]
    position = tuple(bad.tolist())
    allowed = f"0 to {size - 1}" if size else "nothing: there is no place"
    raise IndexError(
        f"{name} holds {int(index[position])} at {position}: allowed is {allowed}"
    )
