"""Advantages for the price of moving their bytes, where a loop pays for launches.

    python benchmarks/ppo.py [--json] [--record] [--quick]

On a CPU "ours" is tensorfleet.ppo.ops, on a GPU tensorfleet.ppo.kernel, both with
check=False. The peers: a loop of torch operations over the steps, as it is usually
written, with ends as masks in float32; the same in NumPy; on a CPU a loop in C, where
there is a compiler, which is what Numba would make of the loop over lists; Python
lists, for few environments; and on a GPU ops, which cuts the steps into chunks. The
sizes go from a few environments, where a step is a launch, to many, where every step
is a pass over memory. A step's bytes are 18: three float32 and two flags read, one
float32 written. Goals on an H200 at 1,024 steps of 65,536 environments: 100 times as
fast as the loop, 50% of copy bandwidth.
"""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from harness import Case, Row, device, main
from tensorfleet.ppo import ops, reference

if device() == "cuda":
    from tensorfleet.ppo import kernel as ours
else:
    ours = ops  # type: ignore[misc]  # the same function

GAMMA, LAM = 0.99, 0.95
BYTES_A_STEP = 4 * 4 + 2
ENDS = 0.01  # the share of steps that terminate, and of those that are truncated
MIDDLE = [(1024, 256), (1024, 2048)]  # (steps, environments)
FEW = 8  # environments up to which Python lists take part
Steps = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


# All columns of a step before the step before it, so that the inner loop is vectorized.
SOURCE = """
void gae(long num_steps, long num_columns, const float *rewards, const float *values,
         const float *next_values, const unsigned char *terminated,
         const unsigned char *truncated, float gamma, float decay,
         float *restrict last, float *restrict advantages)
{
    for (long step = num_steps - 1; step >= 0; step--)
        for (long column = 0; column < num_columns; column++) {
            long here = step * num_columns + column;
            float future = terminated[here] ? 0 : gamma * next_values[here];
            float later = terminated[here] | truncated[here] ? 0 : decay * last[column];
            last[column] = rewards[here] + future - values[here] + later;
            advantages[here] = last[column];
        }
}
"""


def cases(quick: bool) -> list[Callable[[], Case]]:
    return [partial(gae_case, *shape) for shape in shapes(quick)]


def shapes(quick: bool) -> list[tuple[int, int]]:
    """(steps, environments), from what waits for launches to what waits for memory."""
    return [(128, 8), small(quick), *MIDDLE, large(quick)]


def small(quick: bool) -> tuple[int, int]:
    return (64, 4) if quick else (2048, FEW)


def large(quick: bool) -> tuple[int, int]:
    return (64, 512) if quick else (1024, 65536 if device() == "cuda" else 8192)


def case_name(num_steps: int, num_envs: int) -> str:
    return f"{num_steps:,} steps of {num_envs:,}"


def gae_case(num_steps: int, num_envs: int) -> Case:
    steps = random_steps(num_steps, num_envs)
    rewards, values, next_values, terminated, truncated = steps
    numbers = rewards, values, next_values
    # As they are usually stored: converting them is not timed.
    masks = terminated.float(), (terminated | truncated).float()
    peers: dict[str, Callable[[], object]] = {
        "torch loop": partial(torch_loop, *numbers, *masks)
    }
    if device() == "cuda":
        peers["ops"] = lambda: ops.gae(*steps, GAMMA, LAM, check=False)
    else:
        arrays = [tensor.numpy() for tensor in (*numbers, *masks)]
        peers["NumPy loop"] = partial(numpy_loop, *arrays)
        if compiled() is not None:
            peers["compiled loop"] = partial(compiled_loop, *steps)
        if num_envs <= FEW:
            columns = list(zip(*(x.T.tolist() for x in steps), strict=True))
            gae_of_lists = partial(reference.gae_backwards, gamma=GAMMA, lam=LAM)
            peers["Python lists"] = lambda: [
                gae_of_lists(*column) for column in columns
            ]
    return Case(
        case_name(num_steps, num_envs),
        lambda: ours.gae(*steps, GAMMA, LAM, check=False),
        peers,
        num_steps * num_envs * BYTES_A_STEP,
    )


def random_steps(num_steps: int, num_envs: int) -> Steps:
    generator = torch.Generator(device()).manual_seed(1)
    shape = (num_steps, num_envs)
    rewards, values, next_values = (
        torch.randn(shape, generator=generator, device=device()) for _ in range(3)
    )
    terminated, truncated = (
        torch.rand(shape, generator=generator, device=device()) < ENDS for _ in range(2)
    )
    return rewards, values, next_values, terminated, truncated


def torch_loop(
    rewards: Tensor, values: Tensor, next_values: Tensor, ended: Tensor, cut: Tensor
) -> Tensor:
    """`ended` is 1 where nothing follows, `cut` where an episode ends at all."""
    advantages, last = torch.empty_like(rewards), torch.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        delta = rewards[t] + GAMMA * next_values[t] * (1.0 - ended[t]) - values[t]
        last = delta + GAMMA * LAM * (1.0 - cut[t]) * last
        advantages[t] = last
    return advantages


def numpy_loop(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    ended: np.ndarray,
    cut: np.ndarray,
) -> np.ndarray:
    advantages, last = np.empty_like(rewards), np.zeros_like(rewards[0])
    for t in range(len(rewards) - 1, -1, -1):
        delta = rewards[t] + GAMMA * next_values[t] * (1.0 - ended[t]) - values[t]
        last = delta + GAMMA * LAM * (1.0 - cut[t]) * last
        advantages[t] = last
    return advantages


@cache
def compiled() -> ctypes.CDLL | None:
    """SOURCE as a library, or None where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "gae.c"), Path(folder, "gae.so")
        source.write_text(SOURCE)
        options = ("-O3", "-shared", "-fPIC")
        subprocess.run([compiler, *options, source, "-o", library], check=True)
        return ctypes.CDLL(str(library))


def compiled_loop(
    rewards: Tensor,
    values: Tensor,
    next_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
) -> Tensor:
    advantages, last = torch.empty_like(rewards), torch.zeros_like(rewards[0])
    library = compiled()
    assert library is not None
    inputs = rewards, values, next_values, terminated, truncated
    library.gae(
        *(ctypes.c_long(size) for size in rewards.shape),
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in inputs),
        ctypes.c_float(GAMMA),
        ctypes.c_float(GAMMA * LAM),
        *(ctypes.c_void_p(tensor.data_ptr()) for tensor in (last, advantages)),
    )
    return advantages


def summary(rows: dict[str, Row], quick: bool) -> dict[str, tuple[float, str]]:
    def digits(value: float) -> float:
        return float(f"{value:.3g}")

    num_steps, num_envs = large(quick)
    found: dict[str, tuple[float, str]] = {
        "num_steps": (num_steps, "steps"),
        "num_envs": (num_envs, "environments"),
    }
    for name, shape in (("large", large(quick)), ("small", small(quick))):
        row = rows[case_name(*shape)]
        found |= {
            f"gae_{name}_time": (digits(row.ours_ms), "ms"),
            f"gae_{name}_floor": (
                digits(row.ours_ms * row.share_of_copy_bandwidth),
                "ms",
            ),
            f"gae_{name}_copy_share": (digits(100 * row.share_of_copy_bandwidth), "%"),
            f"gae_{name}_loop_ratio": (
                digits(row.peers_ms["torch loop"] / row.ours_ms),
                "times",
            ),
        }
        if "compiled loop" in row.peers_ms:
            found[f"gae_{name}_compiled_time"] = (
                digits(row.peers_ms["compiled loop"]),
                "ms",
            )
    for num_steps, num_envs in MIDDLE:
        row = rows[case_name(num_steps, num_envs)]
        found[f"gae_{num_envs}_loop_ratio"] = (
            digits(row.peers_ms["torch loop"] / row.ours_ms),
            "times",
        )
    lists = rows[case_name(*small(quick))].peers_ms.get("Python lists")
    if lists is not None:
        row = rows[case_name(*small(quick))]
        found["gae_python_ratio"] = digits(lists / row.ours_ms), "times"
    return found


if __name__ == "__main__":
    assert __doc__
    claim = " ".join(__doc__.partition("\n\n")[0].split())
    main("ppo", claim, cases, summary)
