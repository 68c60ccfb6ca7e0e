"""Generalized advantage estimation as one Triton kernel: a reverse scan over the steps.

    A_t = δ_t + c_t A_{t+1},   δ_t = r_t + γ V(s_{t+1}) - V(s_t),   c_t = γλ or 0

A step is the map A -> δ_t + c_t A. Two such maps, one after the other, are again one,
and composing is associative, so that a block of steps can be composed in any grouping:
`tl.associative_scan` (Blelloch 1990, "Prefix Sums and Their Applications").

A program owns some columns, whole trajectories, and walks back through their steps in
blocks. All loads of a block are on their way before the first number is needed, which
is what hides the memory's delay: of one column, the next step waits for nothing but a
multiplication. Every number is read once and written once: 18 bytes a step (three
float32, two flags, one result), where a loop of torch operations moves them several
times and launches thousands of kernels.

The fewer the columns, the more steps a block takes, so that it stays as large. A single
column still occupies a single program: long trajectories are not cut, which would need
a second launch or programs that wait for each other.

Runs on CUDA tensors; on CPU tensors only in Triton's interpreter (set
TRITON_INTERPRET=1 in the environment before this module is imported), which is for
checking, not for speed.
Does not handle: dtypes other than float32, strided inputs without a copy.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from tensorfleet.launching import check_runs_here
from tensorfleet.ppo.arguments import check_gae

# Numbers of a block, and at most so many columns: 64 neighbouring float32 fill the two
# lines of 128 bytes that a program's row should read whole.
BLOCK = 2048
MOST_COLUMNS = 64


def gae(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    lam: float,
    *,
    check: bool = True,
) -> Tensor:
    """`ops.gae` by Triton: advantages of shape (T, B), float32.

    Raises as `ops.gae` does, TypeError for a dtype other than float32, and RuntimeError
    for a CPU tensor outside the interpreter.
    """
    if rewards.dtype != torch.float32:
        raise TypeError(
            f"rewards has dtype {rewards.dtype}: this kernel takes torch.float32"
        )
    if check:
        check_gae(rewards, values, next_values, terminated, truncated, gamma, lam)
    check_runs_here(rewards, _walk_back, __name__)
    advantages = torch.empty_like(rewards, memory_format=torch.contiguous_format)
    if rewards.numel():
        num_steps, num_columns = rewards.shape
        columns = min(triton.next_power_of_2(num_columns), MOST_COLUMNS)
        steps = min(triton.next_power_of_2(num_steps), BLOCK // columns)
        grid = (triton.cdiv(num_columns, columns),)
        inputs = (rewards, values, next_values, terminated, truncated)
        with torch.cuda.device_of(rewards):  # Triton launches on the current device
            _walk_back[grid](
                *(tensor.contiguous() for tensor in inputs),
                advantages,
                num_steps,
                num_columns,
                gamma,
                gamma * lam,
                steps,
                columns,
            )
    return advantages


@triton.jit
def _walk_back(
    rewards,
    values,
    next_values,
    terminated,
    truncated,
    advantages,
    num_steps,
    num_columns,
    gamma,
    decay,
    BLOCK_STEPS: tl.constexpr,
    BLOCK_COLUMNS: tl.constexpr,
):
    column = tl.program_id(0) * BLOCK_COLUMNS + tl.arange(0, BLOCK_COLUMNS)
    row = tl.arange(0, BLOCK_STEPS)
    behind = tl.zeros((BLOCK_COLUMNS,), dtype=tl.float32)
    for block in range(tl.cdiv(num_steps, BLOCK_STEPS)):
        # Blocks are laid from the end, so that only the last one visited, at the
        # beginning of time, may stick out; what it computes there goes nowhere.
        step = num_steps - (block + 1) * BLOCK_STEPS + row
        inside = (step >= 0)[:, None] & (column < num_columns)[None, :]
        place = step.to(tl.int64)[:, None] * num_columns + column[None, :]
        reward = tl.load(rewards + place, mask=inside, other=0.0)
        value = tl.load(values + place, mask=inside, other=0.0)
        next_value = tl.load(next_values + place, mask=inside, other=0.0)
        no_future = tl.load(terminated + place, mask=inside, other=1) != 0
        cut = no_future | (tl.load(truncated + place, mask=inside, other=1) != 0)
        delta = reward + gamma * tl.where(no_future, 0.0, next_value) - value
        factor = tl.where(cut, 0.0, decay).to(tl.float32)
        factor, delta = tl.associative_scan((factor, delta), 0, _compose, reverse=True)
        advantage = tl.where(factor == 0, delta, delta + factor * behind[None, :])
        tl.store(advantages + place, advantage, mask=inside)
        first = tl.where(row[:, None] == 0, advantage, 0.0)
        behind = tl.sum(first, axis=0)


@triton.jit
def _compose(later_factor, later_delta, factor, delta):
    """First the map of the later steps, then that of the earlier ones.

    A factor of 0 forgets what comes later, also an overflow: 0 · ∞ would be NaN.
    """
    composed = tl.where(factor == 0, delta, delta + factor * later_delta)
    return factor * later_factor, composed
