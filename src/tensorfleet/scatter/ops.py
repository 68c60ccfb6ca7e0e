"""scatter_add, scatter_add_rows and batched_bincount on PyTorch tensors.

The results are on the device of the inputs.

PyTorch's own operators do the work. What is added here: arguments are checked before
anything is launched, with errors that name the value and what is allowed (`check=False`
skips that, for those who have measured that it matters and know that their indices are
right), and counts are kept in int64 whatever the dtype of the indices.

Determinism: additions of integers commute exactly, so results in integer dtypes are
always the same. On CUDA, floating-point elements that meet in one place are added in
whatever order the atomic operations arrive, and rounding differs from run to run;
`torch.use_deterministic_algorithms(True)` makes PyTorch sort first, at a price.
"""

import torch
from torch import Tensor

from tensorfleet.scatter.arguments import (
    check_batched_bincount,
    check_scatter_add,
    check_scatter_add_rows,
)

# On a CPU, rows are cut into pieces of at least this length, whose ones (512 KiB) fit
# into a core's cache, and of at least this many times the number of bins.
PIECE_LENGTH = 2**16
BINS_SHARE = 32
# So many rows keep all cores busy, and their shared ones are small beside them.
MANY_ROWS = 64


def scatter_add(
    dst: Tensor, dim: int, index: Tensor, src: Tensor, *, check: bool = True
) -> Tensor:
    """Return a copy of `dst` with every element of `src` added where `index` says.

    In two dimensions: dim 0 adds `src[i, j]` to `out[index[i, j], j]`, dim 1 to
    `out[i, index[i, j]]`.
    `dst`, `index` (int64 or int32) and `src` (dtype of `dst`) have the same number of
    dimensions; `index` fits inside `src`, and inside `dst` along every dimension but
    `dim`.

    Raises IndexError for a dimension or an index out of range, ValueError for shapes or
    devices that do not fit, TypeError for dtypes. Source: torch.Tensor.scatter_add_,
    PyTorch documentation.
    """
    if check:
        check_scatter_add(dst, dim, index, src)
    return dst.scatter_add(dim, index, src)


def scatter_add_rows(
    dst: Tensor, index: Tensor, src: Tensor, *, check: bool = True
) -> Tensor:
    """Return a copy of `dst` with row i of `src` added to row `index[i]`.

    This is an embedding's gradient. `dst` has shape (places, width), `index` (n,),
    `src` (n, width). Raises as `scatter_add` does.
    """
    if check:
        check_scatter_add_rows(dst, index, src)
    return dst.index_add(0, index, src)


def batched_bincount(x: Tensor, num_bins: int, *, check: bool = True) -> Tensor:
    """Count, in every row of `x`, how often each of 0 to `num_bins - 1` occurs.

    `x` has shape (..., n) and dtype int64 or int32; the result has shape
    (..., num_bins) and dtype int64. Raises ValueError for a negative `num_bins`,
    IndexError for a number outside the bins, TypeError for another dtype.
    """
    if check:
        check_batched_bincount(x, num_bins)
    rows = x.reshape(x.shape[:-1].numel(), x.shape[-1]).long()
    counts = _count_in_pieces(rows, num_bins, _num_pieces(rows, num_bins))
    return counts.reshape(*x.shape[:-1], num_bins)


def _count_in_pieces(rows: Tensor, num_bins: int, num_pieces: int) -> Tensor:
    """Count every row; if in pieces, each as a row of its own, and then add up."""
    if num_pieces == 1:
        return _count(
            torch.zeros(len(rows), num_bins, dtype=torch.int64, device=rows.device),
            rows,
        )
    length = rows.shape[1] // num_pieces
    pieces = rows[:, : num_pieces * length].reshape(len(rows) * num_pieces, length)
    counts = (
        _count_in_pieces(pieces, num_bins, 1)
        .view(len(rows), num_pieces, num_bins)
        .sum(1)
    )
    return _count(counts, rows[:, num_pieces * length :])


def _count(counts: Tensor, rows: Tensor) -> Tensor:
    """Add the occurrences in `rows` to `counts`, in place."""
    # One row of ones serves all rows and stays in the cache; a tensor of ones as large
    # as the index would be written to memory and read back.
    ones = torch.ones(rows.shape[1], dtype=torch.int64, device=rows.device)
    return counts.scatter_add_(1, rows, ones.expand_as(rows))


def _num_pieces(rows: Tensor, num_bins: int) -> int:
    """Into how many pieces each row is cut, each counted in a histogram of its own.

    A CPU counts rows in parallel, but one row on one core, and the row of ones should
    stay in its cache. So a few long rows are cut, unless adding up the pieces'
    histograms would cost a good part of what counting does. This is the kernel's
    privatisation, on a CPU.
    """
    if rows.device.type != "cpu" or len(rows) >= MANY_ROWS:
        return 1
    return max(1, rows.shape[1] // max(PIECE_LENGTH, BINS_SHARE * num_bins))
