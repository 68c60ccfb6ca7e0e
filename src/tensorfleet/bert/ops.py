"""BERT's attention and its loss over masked words, on PyTorch tensors.

The same as in `reference`, for many sequences and heads at once, on the device of the
inputs. Fused attention (`scaled_dot_product_attention`) does the work and never writes
the weights down; where they are to be looked at, `attention_weights` computes them.
Only the places that are asked are scored against the vocabulary, 15% of all.

Does not handle: dropout, attention to the left only.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from tensorfleet.bert.inputs import NO_TARGET


def attention(
    queries: Tensor, keys: Tensor, values: Tensor, padding: Tensor | None = None
) -> Tensor:
    """What every head gives out, shape (batch, heads, T, size), as the three inputs.

    `padding` of shape (batch, T) is True where nobody looks; None says that there is
    none.

    Raises ValueError for shapes that do not fit or a sequence that is padding only,
    TypeError for `padding` not of bool.
    """
    _check(queries, keys, padding)
    if values.shape[:3] != keys.shape[:3]:
        raise ValueError(
            f"values have shape {tuple(values.shape)}: it must begin as that of the "
            f"keys, {tuple(keys.shape)}"
        )
    seen = None if padding is None else ~padding[:, None, None, :]
    return functional.scaled_dot_product_attention(queries, keys, values, seen)


def attention_weights(
    queries: Tensor, keys: Tensor, padding: Tensor | None = None
) -> Tensor:
    """The shares by which tokens look at tokens, shape (batch, heads, T, T).

    Row i of a head says where token i looks, and sums to 1. Raises as `attention`.
    """
    _check(queries, keys, padding)
    scores = queries @ keys.transpose(-1, -2) * queries.shape[-1] ** -0.5
    if padding is not None:
        scores = scores.masked_fill(padding[:, None, None, :], float("-inf"))
    return scores.softmax(-1)


class Asked(NamedTuple):
    """The places that have a target, n of them, in one row, and the targets."""

    places: Tensor  # (n,), in the flattened (batch, T)
    targets: Tensor  # (n,)


def asked(targets: Tensor) -> Asked:
    """Where `targets` (batch, T) asks for a token, and for which."""
    flat = targets.flatten()
    places = torch.nonzero(flat != NO_TARGET).flatten()
    return Asked(places, flat[places])


def masked_nll(scores: Tensor, targets: Tensor) -> Tensor:
    """The mean −ln p(target) in nats, one number, over `scores` (n, words).

    `targets` has shape (n,) and dtype int64; those that are `NO_TARGET` do not count.

    Raises ValueError for shapes that do not fit, a target that has no score, or if
    nothing is asked at all, TypeError for targets of another dtype.
    """
    if scores.ndim != 2 or targets.shape != scores.shape[:1]:
        raise ValueError(
            f"scores and targets have shapes {tuple(scores.shape)} and "
            f"{tuple(targets.shape)}: they must be (n, words) and (n,)"
        )
    if targets.dtype != torch.int64:
        raise TypeError(f"targets have dtype {targets.dtype}: it must be torch.int64")
    wanted, num_words = targets[targets != NO_TARGET], scores.shape[1]
    if not len(wanted):
        raise ValueError("no place has a target: at least one must be asked for")
    bad = wanted[(wanted < 0) | (wanted >= num_words)]
    if len(bad):
        raise ValueError(
            f"there is no target {int(bad[0])}: there are 0 to {num_words - 1}"
        )
    return functional.cross_entropy(scores, targets, ignore_index=NO_TARGET)


def _check(queries: Tensor, keys: Tensor, padding: Tensor | None) -> None:
    if queries.ndim != 4 or keys.shape != queries.shape:
        raise ValueError(
            f"queries and keys have shapes {tuple(queries.shape)} and "
            f"{tuple(keys.shape)}: both must be (batch, heads, T, size)"
        )
    if padding is None:
        return
    if padding.dtype != torch.bool:
        raise TypeError(f"padding has dtype {padding.dtype}: it must be torch.bool")
    batch, _, length, _ = keys.shape
    if padding.shape != (batch, length):
        raise ValueError(
            f"padding has shape {tuple(padding.shape)}: it must be {(batch, length)}"
        )
    nothing = torch.nonzero(padding.all(1)).flatten()
    if len(nothing):
        raise ValueError(
            f"sequence {int(nothing[0])} is padding only: there must be one token at "
            "least to look at"
        )
