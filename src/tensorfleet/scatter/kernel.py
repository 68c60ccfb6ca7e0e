"""Triton kernels for scatter: batched bincount in two ways, and scatter_add for rows.

    batched_bincount   counts[b, v] = #{ i : x[b, i] = v }
      "atomic"    every element is one atomic addition to global memory. The number of
                  bins does not matter, but elements that name one bin queue at one
                  address: n · share of the hottest bin, one after the other.
      "private"   every program counts a stretch of a row into a histogram of its own,
                  on chip, and adds that to global memory at the end: one atomic for
                  each bin it saw instead of one for each element. The histogram costs
                  work and registers in proportion to its bins, for every block of
                  elements, so this pays for few bins; and there skew costs nothing.
    scatter_add_rows   out[index[i], :] = dst[index[i], :] + src[i, :]: an embedding's
                  gradient. One index serves a whole row, so neighbouring lanes name
                  neighbouring addresses and only equal rows queue.

The atomics are *relaxed*: each addition is indivisible, and nothing is promised about
the order in which the additions, or other memory operations, are seen. Sums need no
more than that, since the launch itself ends before anyone reads. Integer sums are
therefore the same in every run; floating-point sums differ in their last bits, because
rounding depends on the order.

Runs on CUDA tensors; on CPU tensors only in Triton's interpreter (set
TRITON_INTERPRET=1 in the environment before this module is imported), which is for
checking, not for speed.
Does not handle: 16-bit sources, strided inputs without a copy, or more than 2**31 - 1
elements a row.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from tensorfleet.launching import check_runs_here
from tensorfleet.scatter.arguments import check_batched_bincount, check_scatter_add_rows

# Up to here "auto" counts privately. Triton compiles tl.histogram to warp ballots: for
# 32 elements each lane counts the set bits of bins / 32 masks, so an element costs
# bins / 32 such instructions. At 256 bins that still fits under the time that reading
# the element takes; at 1024 it takes about four times as long, which is less than the
# queue at a hot bin. Counted in the compiled code, not yet timed on a GPU.
PRIVATE_BINS = 1024
BLOCK = 1024
# A program counts this many blocks before it adds its histogram to global memory.
BLOCKS_PER_PROGRAM = 16
ROW_DTYPES = (torch.float32, torch.float64, torch.int32, torch.int64)


def batched_bincount(
    x: Tensor, num_bins: int, *, method: str = "auto", check: bool = True
) -> Tensor:
    """`ops.batched_bincount` by Triton.

    `x` has shape (..., n) and dtype int64 or int32, the result (..., num_bins) and
    int64. `method` is "atomic", "private" or "auto", which takes "private" up to
    PRIVATE_BINS bins.

    Raises as `ops.batched_bincount` does, ValueError for another method, and
    RuntimeError for a CPU tensor outside the interpreter.
    """
    if method not in ("auto", "atomic", "private"):
        raise ValueError(
            f"method is {method!r}: it must be 'auto', 'atomic' or 'private'"
        )
    if check:
        check_batched_bincount(x, num_bins)
    check_runs_here(x, _count_atomic, __name__)
    rows = x.reshape(x.shape[:-1].numel(), x.shape[-1]).contiguous()
    num_rows, length = rows.shape
    counts = torch.zeros(num_rows, num_bins, dtype=torch.int64, device=x.device)
    private = method == "private" or (method == "auto" and num_bins <= PRIVATE_BINS)
    if rows.numel():
        # One axis for all programs: CUDA allows 65,535 on the others, too few for both
        # the blocks of a long row and the rows of a large batch.
        blocks = triton.cdiv(length, BLOCK * (BLOCKS_PER_PROGRAM if private else 1))
        grid = (num_rows * blocks,)
        with torch.cuda.device_of(x):  # Triton launches on the current device
            if private:
                padded_bins = max(triton.next_power_of_2(num_bins), 2)
                sizes = (padded_bins, BLOCK, BLOCKS_PER_PROGRAM)
                _count_private[grid](rows, counts, blocks, length, num_bins, *sizes)
            else:
                _count_atomic[grid](rows, counts, blocks, length, num_bins, BLOCK)
    return counts.reshape(*x.shape[:-1], num_bins)


def scatter_add_rows(
    dst: Tensor, index: Tensor, src: Tensor, *, check: bool = True
) -> Tensor:
    """`ops.scatter_add_rows` by Triton.

    `dst` has shape (places, width), `index` (n,), `src` (n, width).

    Raises as `ops.scatter_add_rows` does, TypeError for a dtype outside ROW_DTYPES, and
    RuntimeError for a CPU tensor outside the interpreter.
    """
    if src.dtype not in ROW_DTYPES:
        raise TypeError(
            f"src has dtype {src.dtype}: "
            f"this kernel adds {', '.join(map(str, ROW_DTYPES))}"
        )
    if check:
        check_scatter_add_rows(dst, index, src)
    check_runs_here(dst, _add_rows, __name__)
    out: Tensor = _AddRows.apply(dst, index, src)
    return out


class _AddRows(torch.autograd.Function):
    """The gradient of a scatter is a gather: each source row reads its place's."""

    @staticmethod
    def forward(ctx, dst, index, src):
        ctx.save_for_backward(index)
        out = dst.clone(memory_format=torch.contiguous_format)
        if src.numel():
            num_rows, width = src.shape
            block_width = min(triton.next_power_of_2(width), 256)
            block_rows = max(1, BLOCK // block_width)
            columns = triton.cdiv(width, block_width)
            grid = (triton.cdiv(num_rows, block_rows) * columns,)
            tensors = (out, index.contiguous(), src.contiguous())
            with torch.cuda.device_of(src):
                _add_rows[grid](
                    *tensors, columns, num_rows, width, block_rows, block_width
                )
        return out

    @staticmethod
    def backward(ctx, gradient):
        (index,) = ctx.saved_tensors
        return gradient, None, gradient.index_select(0, index)


@triton.jit
def _count_atomic(rows, counts, blocks, row_length, num_bins, BLOCK: tl.constexpr):
    program = tl.program_id(0).to(tl.int64)
    row = program // blocks
    column = program % blocks * BLOCK + tl.arange(0, BLOCK)
    inside = column < row_length
    value = tl.load(rows + row * row_length + column, mask=inside, other=0)
    tl.atomic_add(counts + row * num_bins + value, 1, mask=inside, sem="relaxed")


@triton.jit
def _count_private(
    rows,
    counts,
    blocks,
    row_length,
    num_bins,
    PADDED_BINS: tl.constexpr,
    BLOCK: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    program = tl.program_id(0).to(tl.int64)
    row = program // blocks
    histogram = tl.zeros((PADDED_BINS,), dtype=tl.int32)
    for block in range(BLOCKS):
        column = (program % blocks * BLOCKS + block) * BLOCK + tl.arange(0, BLOCK)
        inside = column < row_length
        value = tl.load(rows + row * row_length + column, mask=inside, other=0)
        histogram += tl.histogram(value.to(tl.int32), PADDED_BINS, mask=inside)
    bins = tl.arange(0, PADDED_BINS)
    seen = (bins < num_bins) & (histogram > 0)
    place = counts + row * num_bins + bins
    tl.atomic_add(place, histogram.to(tl.int64), mask=seen, sem="relaxed")


@triton.jit
def _add_rows(
    out,
    index,
    src,
    column_blocks,
    num_rows,
    width,
    BLOCK_ROWS: tl.constexpr,
    BLOCK_WIDTH: tl.constexpr,
):
    program = tl.program_id(0).to(tl.int64)
    row = program // column_blocks * BLOCK_ROWS + tl.arange(0, BLOCK_ROWS)
    column = program % column_blocks * BLOCK_WIDTH + tl.arange(0, BLOCK_WIDTH)
    inside = (row < num_rows)[:, None] & (column < width)[None, :]
    target = tl.load(index + row, mask=row < num_rows, other=0).to(tl.int64)
    value = tl.load(src + row[:, None] * width + column[None, :], mask=inside, other=0)
    place = out + target[:, None] * width + column[None, :]
    tl.atomic_add(place, value, mask=inside, sem="relaxed")
