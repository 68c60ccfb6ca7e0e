"""A Triton kernel for the rows of a loss: each row's loss and gradient in two readings.

    m = max l,  t = Σ exp(l − m),  a = Σ y (l − m),  mass = Σ y
    loss = mass · log t − a            gradient = scale · (mass · exp(l − m) / t − y)

One program has one row and walks over it in blocks. The first walk finds m, t and a
together, with the online softmax: whenever a block raises m, what was summed before is
multiplied by exp(m_old − m_new) (Milakov and Gimelshein 2018). The second walk reads
the row again and writes the gradient, in the place of the logits if asked to. PyTorch's
operators, one after the other, read and write such a row more often, and several rows'
worth of float32 in between; here nothing but the logits is in memory.

The matrix products are PyTorch's (cuBLAS on a GPU), the loop over chunks is `fused`. A
kernel that makes the logits itself, block by block on the chip, would not even need the
chunk, but has to make them a second time for the gradient (Cut Cross-Entropy, Wijmans
et al. 2024): 8 N D V operations instead of 6 N D V, but for those that it can skip.

Runs on CUDA tensors; on CPU tensors only in Triton's interpreter (set
TRITON_INTERPRET=1 in the environment before this module is imported), which is for
checking, not for speed.
Does not handle: what `ops` does not handle. The size of a block and the number of warps
were chosen by counting registers, and have not been tuned on a GPU.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from tensorfleet.launching import check_runs_here
from tensorfleet.loss import fused
from tensorfleet.loss.arguments import check_cross_entropy, check_linear
from tensorfleet.loss.reference import IGNORE_INDEX, Rule

# A block of 8192 float32 over 16 warps of 32 lanes is 16 numbers a lane.
LARGEST_BLOCK = 8192
NUM_WARPS = 16


def cross_entropy(
    input: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    check: bool = True,
) -> Tensor:
    """`ops.cross_entropy` by Triton. Unchecked, a class out of range gives NaN.

    Raises as that does, and RuntimeError for a CPU tensor outside the interpreter.
    """
    rule = Rule(ignore_index, reduction, label_smoothing)
    check_cross_entropy(input, target, rule, check)
    check_runs_here(input, _rows, __name__)
    return fused.cross_entropy(rows, input, target, rule)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    chunk_tokens: int | None = None,
    check: bool = True,
) -> Tensor:
    """`ops.linear_cross_entropy` with its rows by Triton.

    Unchecked, a class out of range gives NaN. Raises as that does, and RuntimeError for
    a CPU tensor outside the interpreter.
    """
    rule = Rule(ignore_index, reduction, label_smoothing)
    check_linear(input, linear_weight, target, rule, chunk_tokens, check)
    check_runs_here(input, _rows, __name__)
    return fused.linear_cross_entropy(
        rows, input, linear_weight, target, rule, chunk_tokens
    )


def rows(
    logits: Tensor,
    target: Tensor,
    rule: Rule,
    scale: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The loss of each row and, scaled into `out`, its gradient; see `fused.Rows`."""
    compute = fused.compute_dtype(logits.dtype)
    num_rows, num_classes = logits.shape
    losses = logits.new_empty(num_rows, dtype=compute)
    if num_rows == 0:
        return losses
    # A tensor that is not read or written is passed all the same: pointers cannot be
    # left out.
    with torch.cuda.device_of(logits):  # Triton launches on the current device
        _rows[(num_rows,)](
            logits.contiguous(),
            target.contiguous(),
            losses,
            losses if scale is None else scale,
            losses if out is None else out,
            num_classes,
            0 if scale is None else scale.stride(0),
            rule.ignore_index,
            SOFT=target.ndim == 2,
            GRADIENT=scale is not None,
            DOUBLE=compute == torch.float64,
            KEPT=1 - rule.label_smoothing,
            SHARE=rule.label_smoothing / num_classes,
            BLOCK=min(max(triton.next_power_of_2(num_classes), 16), LARGEST_BLOCK),
            num_warps=NUM_WARPS,
        )
    return losses


@triton.jit
def _rows(
    logits,
    target,
    losses,
    scale,
    gradient,
    num_classes,
    scale_stride,
    ignore_index,
    SOFT: tl.constexpr,
    GRADIENT: tl.constexpr,
    DOUBLE: tl.constexpr,
    KEPT: tl.constexpr,
    SHARE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    compute: tl.constexpr = tl.float64 if DOUBLE else tl.float32
    row = tl.program_id(0).to(tl.int64)
    logits += row * num_classes
    gradient += row * num_classes
    if SOFT:
        target += row * num_classes
        wanted_class = 0
        ignored = False
        missing = False
    else:
        wanted_class = tl.load(target + row)
        ignored = wanted_class == ignore_index
        missing = (wanted_class < 0) | (wanted_class >= num_classes)
    highest = tl.full((), float("-inf"), compute)
    total = tl.full((), 0, compute)
    attained = tl.full((), 0, compute)
    mass = tl.full((), 0, compute)
    for start in range(0, num_classes, BLOCK):
        column = start + tl.arange(0, BLOCK)
        inside = column < num_classes
        logit = tl.load(logits + column, mask=inside, other=float("-inf")).to(compute)
        wanted = _wanted(
            target, wanted_class, column, inside, SOFT, KEPT, SHARE, compute
        )
        before = highest
        highest = tl.maximum(before, tl.max(logit, 0))
        now = _finite(highest)
        # Of no logits so far the sum is 0, and its factor 0 too: exp(0 - now) could
        # overflow, and 0 times infinity is no number.
        total = total * tl.exp(before - now) + tl.sum(tl.exp(logit - now), 0)
        # What is not wanted counts nothing, even where its logit is -inf.
        terms = wanted * tl.where(wanted == 0, 0, logit - now)
        attained += mass * (_finite(before) - now) + tl.sum(terms, 0)
        mass += tl.sum(wanted, 0)
    # Of a class that does not exist neither loss nor gradient is a number.
    mass = tl.where(missing, float("nan"), mass)
    loss = mass * tl.log(total) - attained
    tl.store(losses + row, tl.where(ignored, 0, loss))
    if GRADIENT:
        factor = tl.where(ignored, 0, tl.load(scale + row * scale_stride))
        for start in range(0, num_classes, BLOCK):
            column = start + tl.arange(0, BLOCK)
            inside = column < num_classes
            logit = tl.load(logits + column, mask=inside, other=float("-inf")).to(
                compute
            )
            wanted = _wanted(
                target, wanted_class, column, inside, SOFT, KEPT, SHARE, compute
            )
            share = tl.exp(logit - _finite(highest)) / total
            slope = factor * tl.where(ignored, 0, mass * share - wanted)
            slope = slope.to(gradient.dtype.element_ty)
            tl.store(gradient + column, slope, mask=inside)


@triton.jit
def _wanted(
    target,
    wanted_class,
    column,
    inside,
    SOFT: tl.constexpr,
    KEPT: tl.constexpr,
    SHARE: tl.constexpr,
    compute: tl.constexpr,
):
    """What the target wants of each class of a block."""
    if SOFT:
        given = tl.load(target + column, mask=inside, other=0).to(compute)
    else:
        given = (column == wanted_class).to(compute)
    return tl.where(inside, given * KEPT + SHARE, 0)


@triton.jit
def _finite(highest):
    """By how much to shift: by 0 where all logits so far are -inf, lest NaN come."""
    return tl.where(highest == float("-inf"), 0, highest)
