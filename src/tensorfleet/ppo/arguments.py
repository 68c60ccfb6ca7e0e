"""Checks of what is passed to `ops` and `kernel`, and of the settings of trainings.

They run before anything is computed. A NaN among the rewards would otherwise spread
backwards through a whole trajectory, and from there into every weight; the check that
finds it costs one pass over the numbers and, on a GPU, a wait for its result.
"""

import math

import torch
from torch import Tensor

from tensorfleet.ppo.reference import check_fraction


def check_gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
) -> None:
    """Raise what `ops.gae` documents unless the arguments fit together."""
    check_fraction("gamma", gamma)
    check_fraction("lam", lam)
    if rewards.ndim != 2:
        raise ValueError(
            f"rewards has shape {tuple(rewards.shape)}: it must be (steps, columns)"
        )
    if not rewards.is_floating_point():
        raise TypeError(f"rewards has dtype {rewards.dtype}: it must be floating point")
    others = {
        "values": values,
        "next_values": next_values,
        "terminated": terminated,
        "truncated": truncated,
    }
    for name, other in others.items():
        expected = rewards.dtype if name.endswith("values") else torch.bool
        if other.dtype != expected:
            raise TypeError(f"{name} has dtype {other.dtype}: it must be {expected}")
        if other.shape != rewards.shape:
            raise ValueError(
                f"{name} has shape {tuple(other.shape)}: "
                f"it must be that of rewards, {tuple(rewards.shape)}"
            )
        if other.device != rewards.device:
            raise ValueError(
                f"{name} is on {other.device}: "
                f"it must be on the device of rewards, {rewards.device}"
            )
    check_finite(rewards, "rewards")
    check_finite(values, "values")
    check_finite(next_values.masked_fill(terminated, 0.0), "next_values")


def check_finite(tensor: Tensor, name: str) -> None:
    """Raise ValueError with the first number that is infinite or not a number."""
    finite = tensor.isfinite()
    if bool(finite.all()):
        return
    position = tuple(torch.nonzero(~finite)[0].tolist())
    raise ValueError(
        f"{name} holds {tensor[position].item()} at {position}: it must be finite"
    )


def check_counts(settings: object, *names: str) -> None:
    """Raise TypeError or ValueError unless these are whole numbers of 1 or more."""
    for name in names:
        count = getattr(settings, name)
        if not isinstance(count, int):
            raise TypeError(f"{name} is {count!r}: it must be an int")
        if count < 1:
            raise ValueError(f"{name} is {count}: it must be 1 or more")


def check_rates(settings: object, *names: str) -> None:
    """Raise ValueError unless these are finite."""
    for name in names:
        rate = getattr(settings, name)
        if not math.isfinite(rate):
            raise ValueError(f"{name} is {rate}: it must be finite")
