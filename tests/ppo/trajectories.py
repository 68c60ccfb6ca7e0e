"""Random trajectories as tensors of shape (steps, columns)."""

import torch
from hypothesis import strategies as st

SHAPES = st.tuples(st.integers(0, 40), st.integers(0, 5))
FRACTIONS = st.one_of(st.sampled_from([0.0, 0.95, 1.0]), st.floats(0, 1))


def trajectories(shape, ends, seed, dtype=torch.float64):
    """(rewards, values, next_values, terminated, truncated); `ends` is their share."""
    generator = torch.Generator().manual_seed(seed)
    numbers = [torch.randn(shape, generator=generator, dtype=dtype) for _ in range(3)]
    flags = [torch.rand(shape, generator=generator) < ends for _ in range(2)]
    return (*numbers, *flags)
