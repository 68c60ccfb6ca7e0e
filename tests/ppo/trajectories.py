"""Random trajectories as tensors of shape (steps, columns)."""

import torch
from hypothesis import strategies as st

SHAPES = st.tuples(st.integers(0, 40), st.integers(0, 5))
FRACTIONS = st.one_of(st.sampled_from([0.0, 0.95, 1.0]), st.floats(0, 1))


def overflowing(dtype):
    """(tensors, λ, γ = 1): an end after ten steps of 30, and behind it an overflow."""
    shape = (3000, 2)
    reward = 30.0 if dtype == torch.float16 else 2e37
    rewards = torch.full(shape, reward, dtype=dtype)
    rewards[:10] = 30.0
    terminated, truncated = torch.zeros(2, *shape, dtype=torch.bool)
    terminated[9, 0] = truncated[9, 1] = True
    return rewards, rewards * 0, rewards * 0, terminated, truncated


# What its first ten steps should be, whatever comes later.
BEFORE = [300.0 - 30 * step for step in range(10)]


def trajectories(shape, ends, seed, dtype=torch.float64):
    """(rewards, values, next_values, terminated, truncated); `ends` is their share."""
    generator = torch.Generator().manual_seed(seed)
    numbers = [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(3)]
    flags = [torch.rand(shape, generator=generator) < ends for _ in range(2)]
    return (*numbers, *flags)
