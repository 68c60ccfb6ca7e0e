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
    linear_weight: Tensor,
    target: Tensor,
    rule: Rule,
    chunk_tokens: int | None,
    check: bool,
) -> None:
    """The same for `ops.linear_cross_entropy`."""
    _check_matrix(input, "input", "tokens", "features")
    _check_matrix(linear_weight, "linear_weight", "classes", "features")
    classes, features = linear_weight.shape
    if classes == 0:
        raise ValueError("linear_weight has no rows: it must have one for each class")
    if features != input.shape[1]:
        raise ValueError(
            f"linear_weight has {features} features: input has {input.shape[1]}, and "
            "they must agree"
        )
    _check_alike(linear_weight, input, "linear_weight")
    _check_chunk(chunk_tokens)
    _check_target(target, input, classes, rule, check)
    _check_no_autocast(input.device.type)


def _check_chunk(chunk_tokens: int | None) -> None:
    if chunk_tokens is None:
        return
    if type(chunk_tokens) is not int:  # True is an int too
        raise TypeError(
            f"chunk_tokens is {chunk_tokens!r}: it must be an integer or None"
        )
    if chunk_tokens < 1:
        raise ValueError(f"chunk_tokens is {chunk_tokens}: it must be 1 or more")


def _check_no_autocast(device: str) -> None:
    """Products in another dtype than their arguments' do not fit into the gradients."""
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        raise ValueError(
            f"torch.autocast to {torch.get_autocast_dtype(device)} is on for {device}: "
            "linear_cross_entropy computes in the dtype of its arguments, so it must "
            "be called with autocast off, on arguments of the dtype that is wanted"
        )


def _check_tensor(tensor: Tensor, name: str) -> None:
    if not isinstance(tensor, Tensor):
        raise TypeError(f"{name} is a {type(tensor).__name__}: it must be a tensor")


def _check_matrix(tensor: Tensor, name: str, rows: str, columns: str) -> None:
    _check_tensor(tensor, name)
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
    _check_tensor(target, "target")
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
