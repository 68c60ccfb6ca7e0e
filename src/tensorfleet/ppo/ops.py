"""Generalized advantage estimation and PPO's losses on PyTorch tensors.

The estimator is a sum over the future of one trajectory,

    A_t = δ_t + γλ A_{t+1},    δ_t = r_t + γ V(s_{t+1}) - V(s_t)

(Schulman et al. 2015, "High-Dimensional Continuous Control Using Generalized Advantage
Estimation", equations 11 to 16), which two kinds of ends cut:

    terminated   nothing follows: V(s_{t+1}) counts as 0, and A_{t+1} as 0
    truncated    something follows that was not seen (a time limit): V(s_{t+1}) stands
                 for it, and A_{t+1}, which belongs to another episode, counts as 0

Computed as written, it is a loop of T small steps, each waiting for the one before. A
step on few columns costs no more than the launch, so that the time is launches, not
arithmetic. `gae` therefore cuts the steps into chunks and walks back through all of
them at once, taking note of the product of the factors γλ passed; then each chunk, last
first, adds that product times the first advantage of the chunk behind it. That is what
a parallel scan does (Blelloch 1990, "Prefix Sums and Their Applications"), with two
levels. For T steps about 2√(2T) launches are left instead of T, and three times the
arithmetic, so that many columns are better served by the plain loop: then there is one
chunk. On a CPU many steps of many columns are also done a block at a time, last first,
so that what an operation leaves for the next takes little memory.

Something that overflows stops at an end, too. The factor there is 0, and 0 · ∞ is NaN;
since that is rare, and asking at every step would double the time, it is looked for in
the result, and only then are the steps done again one by one.

Not handled: trajectories of different length in one tensor other than by their ends,
off-policy corrections, recurrent policies.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from tensorfleet.ppo.arguments import check_finite, check_gae

# A step on so many columns takes longer than its launch: one chunk is best then.
WIDE = 1024
# Numbers of a block on a CPU, 1 MiB of float32. The three or four operands of a step
# lie beyond a core's own cache; blocks of an eighth, which do not, were no faster.
CACHED = 2**18


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
    """The advantages A_t of every step of every column, shape (T, B).

    All tensors have shape (T, B): T steps of B environments. `values[t]` is V(s_t) and
    `next_values[t]` is V(s_{t+1}) for the state that step t really led to, before any
    reset; where `terminated` it is not read. `terminated` and `truncated` are bool, the
    others of one floating dtype, which the result has too. `gamma` and `lam` are from 0
    to 1. The result carries no gradient. `check=False` skips the checks; then a number
    that is not finite, or sums that overflow, may make NaN of what lies before an end.

    Raises ValueError for shapes or devices that disagree, for `gamma` or `lam` out of
    range and for numbers that are not finite, TypeError for dtypes. Source: Schulman et
    al. 2015, equation 16; ends as in Pardo et al. 2018, "Time Limits in Reinforcement
    Learning".
    """
    if check:
        check_gae(rewards, values, next_values, terminated, truncated, gamma, lam)
    steps = (rewards, values, next_values, terminated, truncated)
    num_steps, num_columns = rewards.shape
    advantages = torch.empty_like(rewards, memory_format=torch.contiguous_format)
    behind = advantages.new_zeros(num_columns)
    size = _block_steps(rewards)
    with torch.no_grad():
        for end in range(num_steps, 0, -size):
            block = slice(max(end - size, 0), end)
            deltas, carried = _maps([part[block] for part in steps], gamma, lam)
            deltas[-1].addcmul_(carried[-1], behind)
            advantages[block] = _scan(deltas, carried)
            behind = advantages[block][0]
        if check and not bool(advantages.isfinite().all()):
            _step_by_step(*_maps(steps, gamma, lam), out=advantages)
    return advantages


def clipped_surrogate(
    new_log_probs: Tensor, old_log_probs: Tensor, advantages: Tensor, clip: float
) -> Tensor:
    """PPO's loss: minus the mean of min(ρA, clip(ρ, 1 - ε, 1 + ε) A), a scalar.

    ρ is the ratio of the new to the old probability of the actions taken; the three
    tensors have one shape, `clip` is ε. Log-probabilities are natural logarithms.

    A ratio beyond the root of what the dtype can hold (1e19 for float32) counts as that
    and has no gradient, since 0 · ∞ would be NaN.

    Raises ValueError for shapes that disagree or a negative `clip`. Source: Schulman et
    al. 2017, "Proximal Policy Optimization Algorithms", equation 7.
    """
    _check_same_shape(new_log_probs, old_log_probs, "old_log_probs")
    _check_same_shape(new_log_probs, advantages, "advantages")
    _check_clip(clip)
    log_ratio = new_log_probs - old_log_probs
    ratio = log_ratio.clamp(max=math.log(torch.finfo(log_ratio.dtype).max) / 2).exp()
    limited = ratio.clamp(1 - clip, 1 + clip)
    return -torch.minimum(ratio * advantages, limited * advantages).mean()


def value_loss(
    new_values: Tensor, old_values: Tensor, returns: Tensor, clip: float
) -> Tensor:
    """Half the mean squared error of the values, clipped as PPO's first code did it.

    Of the errors of `new_values` and of `new_values` kept within `clip` of
    `old_values`, the larger counts: a value that has moved by more than `clip` learns
    nothing from getting further towards its return. `clip=math.inf` is the plain loss.

    Raises as `clipped_surrogate` does. Source: Huang et al. 2022, "The 37
    Implementation Details of Proximal Policy Optimization", detail 9.
    """
    _check_same_shape(new_values, old_values, "old_values")
    _check_same_shape(new_values, returns, "returns")
    _check_clip(clip)
    kept = old_values + (new_values - old_values).clamp(-clip, clip)
    return (
        0.5 * torch.maximum((new_values - returns) ** 2, (kept - returns) ** 2).mean()
    )


def approximate_kl(new_log_probs: Tensor, old_log_probs: Tensor) -> Tensor:
    """KL(old ‖ new) in nats, estimated from actions drawn from the old policy.

    The mean of ρ - 1 - log ρ: unbiased, since ρ averages to 1 under the old policy, and
    never negative, term by term, which the mean of -log ρ is not.

    Raises ValueError for shapes that disagree. Source: Schulman 2020, "Approximating KL
    Divergence", estimator k3.
    """
    _check_same_shape(new_log_probs, old_log_probs, "old_log_probs")
    log_ratio = new_log_probs - old_log_probs
    return (torch.expm1(log_ratio) - log_ratio).mean()


def group_advantages(rewards: Tensor) -> Tensor:
    """GRPO's advantages: each reward against its group's mean, over its deviation.

    `rewards` has shape (groups, samples): samples that answer one prompt form a group.
    The deviation is the population's; a group whose rewards are all equal teaches
    nothing, and its advantages are 0.

    Raises ValueError for another number of dimensions, a group without samples or a
    reward that is not finite, TypeError for a dtype that is not floating. Source: Shao
    et al. 2024, "DeepSeekMath", section 4.1.2.
    """
    if rewards.ndim != 2 or not rewards.shape[1]:
        raise ValueError(
            f"rewards has shape {tuple(rewards.shape)}: "
            "it must be (groups, samples) with at least one sample"
        )
    if not rewards.is_floating_point():
        raise TypeError(f"rewards has dtype {rewards.dtype}: it must be floating point")
    check_finite(rewards, "rewards")
    largest = rewards.abs().amax(1, keepdim=True)  # the unit: no square overflows
    scaled = rewards / largest
    centred = scaled - scaled.mean(1, keepdim=True)
    deviation = centred.square().mean(1, keepdim=True).sqrt()
    equal = rewards.amax(1, keepdim=True) == rewards.amin(1, keepdim=True)
    return (centred / deviation).masked_fill(equal | (deviation == 0), 0.0)


def _block_steps(rewards: Tensor) -> int:
    num_steps, num_columns = rewards.shape
    if rewards.device.type != "cpu":  # blocks would only be more launches
        return max(num_steps, 1)
    return max(CACHED // max(num_columns, 1), 1)


def _maps(steps: Sequence[Tensor], gamma: float, lam: float) -> tuple[Tensor, Tensor]:
    """Each step as a map A -> δ + c A: all δ, and all c, which are γλ or 0."""
    rewards, values, next_values, terminated, truncated = steps
    future = torch.where(terminated, next_values.new_zeros(()), next_values)
    deltas = torch.add(rewards, future, alpha=gamma).sub_(values)
    goes_on = torch.logical_not(terminated | truncated)
    # Seen as bytes, since PyTorch converts these many times as fast as bools.
    carried = goes_on.view(torch.uint8).to(deltas.dtype).mul_(gamma * lam)
    return deltas, carried


def _step_by_step(deltas: Tensor, carried: Tensor, out: Tensor) -> None:
    """What `_scan` computes, but nothing, be it infinite, passes a factor of 0."""
    behind = torch.zeros_like(deltas[0])
    for t in range(len(deltas) - 1, -1, -1):
        behind = torch.where(
            carried[t] == 0, deltas[t], deltas[t] + carried[t] * behind
        )
        out[t] = behind


def _num_chunks(num_steps: int, num_columns: int) -> int:
    """One for wide steps; else what leaves the fewest launches, two a step and one a
    chunk: 2T/C + C is least for C = √(2T).
    """
    if num_columns >= WIDE:
        return 1
    return max(1, math.isqrt(2 * num_steps))


def _scan(deltas: Tensor, carried: Tensor) -> Tensor:
    """A_t = deltas_t + carried_t A_{t+1}, with A_T = 0; overwrites both arguments."""
    num_steps, num_columns = deltas.shape
    num_chunks = _num_chunks(num_steps, num_columns)
    length = -(-num_steps // num_chunks)
    missing = num_chunks * length - num_steps
    if missing:  # steps after the last: their advantages are 0
        deltas, carried = (
            torch.nn.functional.pad(tensor, (0, 0, 0, missing))
            for tensor in (deltas, carried)
        )
    advantages = deltas.view(num_chunks, length, num_columns)
    products = carried.view(num_chunks, length, num_columns)
    steps, factors = advantages.unbind(1), products.unbind(1)
    for t in range(length - 2, -1, -1):
        steps[t].addcmul_(factors[t], steps[t + 1])
        if num_chunks > 1:
            factors[t].mul_(factors[t + 1])
    chunks = advantages.unbind(0)
    for c in range(num_chunks - 2, -1, -1):
        chunks[c].addcmul_(products[c], chunks[c + 1][0])
    return deltas[:num_steps]


def _check_same_shape(one: Tensor, other: Tensor, name: str) -> None:
    if one.shape != other.shape:
        raise ValueError(
            f"{name} has shape {tuple(other.shape)}: it must be {tuple(one.shape)}"
        )


def _check_clip(clip: float) -> None:
    if not clip >= 0:
        raise ValueError(f"clip is {clip}: it must be 0 or more")
