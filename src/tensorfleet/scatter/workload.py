"""Indices to scatter by: uniform, or skewed as words, users and adapters are.

Under Zipf's law the k-th most frequent of `num_bins` values has a share proportional to
k**-exponent. With exponent 0 all are equally frequent; words of a text lie near 1.

The values are drawn by inverting the cumulative shares at numbers from NumPy's legacy
generator, whose stream is frozen (NEP 19), so that one seed gives the same indices on
every machine.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def zipf_shares(num_bins: int, exponent: float) -> npt.NDArray[np.float64]:
    """The share of each of `num_bins` values, the most frequent first; they sum to 1.

    Shape (num_bins,).
    """
    if num_bins < 1:
        raise ValueError(f"num_bins is {num_bins}: it must be at least 1")
    if exponent < 0:
        raise ValueError(f"exponent is {exponent}: it must be 0 (uniform) or more")
    weights = np.arange(1, num_bins + 1, dtype=np.float64) ** -exponent
    return weights / weights.sum()


def zipf_indices(
    shape: tuple[int, ...], num_bins: int, exponent: float, seed: int
) -> Tensor:
    """Random indices of the given shape, int64 on the CPU; 0 is the most frequent."""
    draws = np.random.RandomState(seed).random_sample(shape)
    cumulative = np.cumsum(zipf_shares(num_bins, exponent))
    indices = np.searchsorted(cumulative, draws, side="right").clip(max=num_bins - 1)
    return torch.from_numpy(indices.astype(np.int64))
