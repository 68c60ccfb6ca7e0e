"""Checks of tensor arguments, shared by the PyTorch functions and the Triton kernel.

They run before anything is computed. Only the check of the classes reads the target's
values, which on a GPU means waiting for them; `check=False` leaves that one out.
"""

import torch
from torch import Tensor

from tensorfleet.loss.reference import Rule

DTYPES = (torch.float32, torch.float64, torch.bfloat16)


def check_cross_entropy(
    logits: Tensor, target: Tensor, rule: Rule, check: bool
) -> None:
    """Raise what `ops.cross_entropy` documents unless the arguments fit together."""
    _check_matrix(logits, "input", "tokens", "classes")
    if logits.shape[1] == 0:
        raise ValueError("input has no classes: it must have one or more")
    _check_target(target, logits, logits.shape[1], rule, check)


def check_linear(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    rule: Rule,
    chunk_tokens: int | None,
    check: bool,
) -> None:
    """The same for `ops.linear_cross_entropy`."""
    _check_matrix(input, "input", "tokens", "features")
    _check_matrix(weight, "weight", "classes", "features")
    if weight.shape[0] == 0:
        raise ValueError("weight has no rows: it must have one for each class")
    if weight.shape[1] != input.shape[1]:
        raise ValueError(
            f"weight has {weight.shape[1]} features: input has {input.shape[1]}, and "
            "they must agree"
        )
    _check_alike(weight, input, "weight")
    if chunk_tokens is not None and chunk_tokens < 1:
        raise ValueError(f"chunk_tokens is {chunk_tokens}: it must be 1 or more")
    _check_target(target, input, weight.shape[0], rule, check)


def _check_matrix(tensor: Tensor, name: str, rows: str, columns: str) -> None:
    if tensor.dtype not in DTYPES:
        raise TypeError(
            f"{name} has dtype {tensor.dtype}: it must be one of "
            f"{', '.join(map(str, DTYPES))}"
        )
    if tensor.ndim != 2:
        raise ValueError(
            f"{name} has shape {tuple(tensor.shape)}: it must have two dimensions, "
            f"{rows} and {columns}"
        )


def _check_alike(tensor: Tensor, like: Tensor, name: str) -> None:
    if tensor.dtype != like.dtype:
        raise TypeError(
            f"{name} has dtype {tensor.dtype}: it must be input's, {like.dtype}"
        )
    _check_device(tensor, like, name)


def _check_device(tensor: Tensor, like: Tensor, name: str) -> None:
    if tensor.device != like.device:
        raise ValueError(
            f"{name} is on {tensor.device}: it must be on input's device, {like.device}"
        )


def _check_target(
    target: Tensor, like: Tensor, num_classes: int, rule: Rule, check: bool
) -> None:
    """Classes of shape (tokens,) in int64, or probabilities (tokens, classes)."""
    shapes = ((like.shape[0],), (like.shape[0], num_classes))
    if target.shape not in shapes:
        raise ValueError(
            f"target has shape {tuple(target.shape)}: it must be {shapes[0]}, a class "
            f"for each token, or {shapes[1]}, their probabilities"
        )
    if target.ndim == 2:
        _check_alike(target, like, "target")
        if target.requires_grad:
            raise ValueError(
                "target requires a gradient: none is computed for it, so detach it"
            )
        if rule.ignore_index >= 0:
            raise ValueError(
                f"ignore_index is {rule.ignore_index}: it needs classes as target, and "
                "these are probabilities"
            )
        return
    if target.dtype != torch.int64:
        raise TypeError(f"target has dtype {target.dtype}: classes must be torch.int64")
    _check_device(target, like, "target")
    if not check:
        return
    wrong = (target != rule.ignore_index) & ((target < 0) | (target >= num_classes))
    if bool(wrong.any()):
        position = int(wrong.nonzero()[0])
        raise IndexError(
            f"target holds {int(target[position])} at {position}: allowed are 0 to "
            f"{num_classes - 1}, and {rule.ignore_index} for what is to be ignored"
        )
