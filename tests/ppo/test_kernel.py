"""The Triton kernel, against the PyTorch function.

On a GPU where there is one, else interpreted.
"""

import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.ppo import ops
from tests.fresh import without_interpreter
from tests.ppo.trajectories import (
    BEFORE,
    FRACTIONS,
    SHAPES,
    overflowing,
    trajectories,
)

if sys.platform != "linux":
    pytest.skip("Triton has no build for this system", allow_module_level=True)

from tensorfleet.ppo import kernel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def agrees(shape, ends, seed, gamma, lam):
    """With doubles, up to the rounding of float32.

    Advantages stay below 5 · min(steps, 1 / (1 - γλ)), and as many roundings meet.
    """
    tensors = trajectories(shape, ends, seed, dtype=torch.float32)
    exact = ops.gae(
        *(t.double() if t.is_floating_point() else t for t in tensors), gamma, lam
    )
    found = kernel.gae(*(tensor.to(DEVICE) for tensor in tensors), gamma, lam)
    assert found.dtype == torch.float32
    reach = min(shape[0] + 1, 1 / max(1 - gamma * lam, 1e-9))
    torch.testing.assert_close(
        found.cpu().double(), exact, rtol=0, atol=20 * reach * reach * 2**-24
    )


@settings(max_examples=40)
@given(
    SHAPES, st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 99), FRACTIONS, FRACTIONS
)
def test_it_agrees_with_ops(shape, ends, seed, gamma, lam):
    agrees(shape, ends, seed, gamma, lam)


@pytest.mark.parametrize(
    "shape",
    [
        (kernel.BLOCK + 1, 1),
        (kernel.BLOCK // kernel.MOST_COLUMNS, kernel.MOST_COLUMNS),
        (kernel.BLOCK // kernel.MOST_COLUMNS + 1, kernel.MOST_COLUMNS + 1),
        (70, 2 * kernel.MOST_COLUMNS - 5),
    ],
)
@pytest.mark.parametrize("ends", [0.0, 0.01])
def test_it_agrees_where_blocks_and_columns_begin(shape, ends):
    agrees(shape, ends, 7, 0.99, 0.95)


@pytest.mark.filterwarnings("ignore:(overflow|invalid value) encountered")  # NumPy's
def test_no_overflow_crosses_an_end():
    """Neither within a block of steps nor from one to the next."""
    tensors = [t.to(DEVICE) for t in overflowing(torch.float32)]
    for behind in (50, kernel.BLOCK // 2):
        part = [tensor[: 10 + behind] for tensor in tensors]
        found = kernel.gae(*part, 1.0, 1.0)
        assert found[:10].T.tolist() == [BEFORE] * 2
        assert found[10].tolist() == [math.inf] * 2


def test_it_takes_strided_tensors():
    tensors = [t.to(DEVICE) for t in trajectories((9, 12), 0.1, 1, dtype=torch.float32)]
    strided = [tensor.T.contiguous().T for tensor in tensors]
    assert torch.equal(kernel.gae(*strided, 0.9, 0.8), kernel.gae(*tensors, 0.9, 0.8))


def test_bad_arguments():
    tensors = [t.to(DEVICE) for t in trajectories((2, 2), 0.1, 1, dtype=torch.float32)]
    with pytest.raises(ValueError, match=r"gamma is 2\.0"):
        kernel.gae(*tensors, 2.0, 0.9)
    with pytest.raises(TypeError, match=r"rewards has dtype torch\.float64"):
        kernel.gae(tensors[0].double(), *tensors[1:], 0.9, 0.9)


def test_a_cpu_tensor_outside_the_interpreter_is_refused():
    program = (
        "import torch; from tensorfleet.ppo import kernel\n"
        "x, no = torch.zeros(1, 1), torch.zeros(1, 1, dtype=torch.bool)\n"
        "try: kernel.gae(x, x, x, no, no, 0.9, 0.9)\n"
        "except RuntimeError as error: print(error)\n"
    )
    result = without_interpreter(program)
    assert "set TRITON_INTERPRET=1" in result.stdout, result.stderr


@pytest.mark.slow
def test_it_compiles_for_hopper_with_a_block_on_its_way_before_the_scan():
    """No GPU is needed to compile: the loads come before the first result is stored."""
    program = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from tensorfleet.ppo import kernel

names = ["rewards", "values", "next_values", "advantages"]
signature = dict.fromkeys(names, "*fp32")
signature |= dict.fromkeys(["terminated", "truncated"], "*i1")
signature |= dict.fromkeys(["num_steps", "num_columns"], "i32")
signature |= dict.fromkeys(["gamma", "decay"], "fp32")
order = ["rewards", "values", "next_values", "terminated", "truncated", "advantages"]
order += ["num_steps", "num_columns", "gamma", "decay"]
columns = kernel.MOST_COLUMNS
blocks = {"BLOCK_STEPS": kernel.BLOCK // columns, "BLOCK_COLUMNS": columns}
signature = {name: signature[name] for name in order}
signature |= dict.fromkeys(blocks, "constexpr")
source = ASTSource(kernel._walk_back, signature=signature, constexprs=blocks)
code = triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]
print(code.count("ld.global"), code.count("st.global"))
print(code.rindex("ld.global") < code.index("st.global"))
"""
    result = without_interpreter(program)
    assert result.returncode == 0, result.stderr
    counts, in_order = result.stdout.splitlines()
    loads, stores = map(int, counts.split())
    assert loads > 0
    assert stores > 0
    assert in_order == "True"
