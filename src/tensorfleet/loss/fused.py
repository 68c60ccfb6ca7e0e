"""A linear layer and its cross-entropy, a chunk of tokens at a time.

With N tokens of D features and V classes the logits X Wᵀ are N · V numbers, the largest
tensor of a language model's step. They are needed three times, 2 N D V operations each:

    logits = X Wᵀ      dX = G W      dW = Gᵀ X      G = ∂loss / ∂logits

Row n of G needs row n of the logits and nothing else. So a chunk of rows can go all the
way: logits, loss, G in the place of the logits, its rows of dX, its share of dW. The
gradient is then complete when the forward pass ends, and the logits of only one chunk
ever exist (the idea of Liger Kernel: Hsu et al. 2024). That is 6 N D V operations, as
many as with all logits stored.

It presumes that the gradient of the loss with respect to each token's loss is known in
the forward pass: it is, for "sum" and "mean", up to one number, by which the backward
pass multiplies. For "none" it is not. There the forward pass keeps no gradient, and the
backward pass computes the logits of each chunk again, 8 N D V operations in all.

dW is summed over chunks in its own dtype. Each sum is taken by a matrix product that
starts from what is there, so it is rounded once a chunk. In bfloat16 that costs a
little accuracy, the less the fewer chunks: hence eight of them, and not hundreds.

`Rows` does the arithmetic of a chunk: `ops.rows` by PyTorch, `kernel.rows` by Triton.

Does not handle: autocast, biases, weights of classes, second derivatives, a second
backward pass through one forward pass of "sum" or "mean".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tensorfleet.loss.costs import chunk_tokens_of
from tensorfleet.loss.reference import Rule


class Rows(Protocol):
    """The losses of rows of logits, and their gradients where they are asked for."""

    def __call__(
        self,
        logits: Tensor,
        target: Tensor,
        rule: Rule,
        scale: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """The loss of each row, in `compute_dtype`, 0 for a row that is ignored.

        With `scale`, a number for each row, `out` receives each row's gradient times
        its scale, and zeros for a row that is ignored. `out` may be `logits`, which
        are then lost, with or without a `scale`.
        """


def compute_dtype(dtype: torch.dtype) -> torch.dtype:
    """In which losses are computed: float64 for float64, else float32."""
    return torch.float64 if dtype == torch.float64 else torch.float32


@dataclass(frozen=True)
class Plan:
    """Who does the arithmetic of a chunk, by which rule, and how many tokens it has."""

    rows: Rows
    rule: Rule
    chunk: int


def cross_entropy(rows: Rows, logits: Tensor, target: Tensor, rule: Rule) -> Tensor:
    """The loss of logits (N, V). Their gradient is computed in the backward pass."""
    losses: Tensor = _Losses.apply(logits, target, rule, rows)  # type: ignore[no-untyped-call]
    if rule.reduction != "none":
        losses = losses.sum() / _divisor(target, rule, losses.dtype)
    return losses.to(logits.dtype)


def linear_cross_entropy(
    rows: Rows,
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    rule: Rule,
    chunk_tokens: int | None,
) -> Tensor:
    """The loss of the logits `input` (N, D) times `weight` (V, D) transposed."""
    plan = Plan(rows, rule, chunk_tokens or chunk_tokens_of(len(input)))
    loss: Tensor
    if rule.reduction == "none":
        loss = _LinearLosses.apply(input, weight, target, plan)  # type: ignore[no-untyped-call]
    else:
        wanted = [torch.is_grad_enabled() and t.requires_grad for t in (input, weight)]
        divisor = _divisor(target, rule, compute_dtype(input.dtype))
        loss = _LinearLoss.apply(input, weight, target, divisor, plan, wanted)  # type: ignore[no-untyped-call]
    return loss.to(input.dtype)


class _Losses(torch.autograd.Function):
    """The loss of each row of logits."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, target: Tensor, rule: Rule, rows: Rows
    ) -> Tensor:
        ctx.save_for_backward(logits, target)
        ctx.rule, ctx.rows = rule, rows
        return rows(logits, target, rule)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, target = ctx.saved_tensors
        gradient = torch.empty_like(logits, memory_format=torch.contiguous_format)
        ctx.rows(logits, target, ctx.rule, upstream.contiguous(), gradient)
        return gradient, None, None, None


class _LinearLoss(torch.autograd.Function):
    """Sum or mean of all losses; the gradients are made in the forward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor,
        target: Tensor,
        divisor: Tensor,
        plan: Plan,
        wanted: Sequence[bool],
    ) -> Tensor:
        scale = divisor.reciprocal().expand(len(input)) if any(wanted) else None
        losses, *ctx.gradients = _by_chunks(plan, input, weight, target, scale, wanted)
        return losses.sum() / divisor

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.gradients is None:
            raise RuntimeError(
                "a second backward pass through linear_cross_entropy: its gradients "
                "were handed out in the first. Compute the loss again, or use "
                "reduction='none'"
            )
        gradients, ctx.gradients = ctx.gradients, None
        for gradient in gradients:
            if gradient is not None:
                gradient.mul_(upstream)  # in place: there is no room for a second one
        return *gradients, None, None, None, None


class _LinearLosses(torch.autograd.Function):
    """The loss of each token; the logits are computed again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, input: Tensor, weight: Tensor, target: Tensor, plan: Plan
    ) -> Tensor:
        ctx.save_for_backward(input, weight, target)
        ctx.plan = plan
        return _by_chunks(plan, input, weight, target, None, (False, False))[0]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        input, weight, target = ctx.saved_tensors
        wanted, scale = ctx.needs_input_grad[:2], upstream.contiguous()
        _, *gradients = _by_chunks(ctx.plan, input, weight, target, scale, wanted)
        return *gradients, None, None


def _by_chunks(
    plan: Plan,
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    scale: Tensor | None,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """The loss of each token, and the wanted ones of the gradients dX and dW."""
    losses = input.new_empty(len(input), dtype=compute_dtype(input.dtype))
    input_gradient = torch.empty_like(input) if wanted[0] else None
    weight_gradient = torch.zeros_like(weight) if wanted[1] else None
    for start in range(0, len(input), plan.chunk):
        part = slice(start, start + plan.chunk)
        logits = input[part] @ weight.T
        part_scale = None if scale is None else scale[part]
        losses[part] = plan.rows(logits, target[part], plan.rule, part_scale, logits)
        # Where there is a scale, they are no logits any more but their gradient.
        room = None if input_gradient is None else input_gradient[part]
        if weight_gradient is not None:
            counted = _counted(input[part], target[part], plan.rule, room)
            weight_gradient.addmm_(logits.T, counted)
            del counted
        if room is not None:
            torch.mm(logits, weight, out=room)
        del logits  # before the next ones are made
    return losses, input_gradient, weight_gradient


def _counted(input: Tensor, target: Tensor, rule: Rule, room: Tensor | None) -> Tensor:
    """`input` with zeros for tokens that are ignored, in `room` where there is some.

    Their rows of G are 0, but 0 · NaN would make all of dW NaN.
    """
    if target.ndim == 2:
        return input
    counted = input.clone() if room is None else room.copy_(input)
    return counted.masked_fill_((target == rule.ignore_index)[:, None], 0)


def _divisor(target: Tensor, rule: Rule, dtype: torch.dtype) -> Tensor:
    """How many tokens count, or 1 for a sum; a tensor, so that no GPU is waited for."""
    if rule.reduction == "sum":
        return target.new_ones((), dtype=dtype)
    if target.ndim == 2:
        return target.new_full((), len(target), dtype=dtype)
    return (target != rule.ignore_index).sum().to(dtype)
