"""The Triton kernel, against the PyTorch functions.

On a GPU where there is one, else interpreted.
"""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.loss import ops
from tests.fresh import without_interpreter
from tests.loss.strategies import (
    assert_alike,
    problems,
    settings_of,
    value_and_gradients,
)

if sys.platform != "linux":
    pytest.skip("Triton has no build for this system", allow_module_level=True)

from tensorfleet.loss import kernel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
INF, NAN = float("inf"), float("nan")
# NumPy, in which the interpreter computes, warns of what the tests are about.
UNDEFINED = pytest.mark.filterwarnings("ignore:(invalid|divide by zero|All-NaN)")


@pytest.fixture(autouse=True)
def short_blocks(monkeypatch):
    """So that a few classes are several blocks, the last of them not full."""
    monkeypatch.setattr(kernel, "LARGEST_BLOCK", 16)


@pytest.mark.slow
@settings(max_examples=40)
@given(problems(max_tokens=4))
def test_cross_entropy_agrees_with_ops(problem):
    logits, target, rule = problem
    by_kernel, by_ops = (
        value_and_gradients(
            function, [logits.to(DEVICE)], target.to(DEVICE), **settings_of(rule)
        )
        for function in (kernel.cross_entropy, ops.cross_entropy)
    )
    assert_alike(by_kernel, by_ops, logits.dtype)


@pytest.mark.slow
@settings(max_examples=15)
@given(problems(max_tokens=4), st.integers(1, 4), st.sampled_from([1, 3, None]))
def test_linear_cross_entropy_agrees_with_ops(problem, features, chunk):
    logits, target, rule = problem
    generator = torch.Generator().manual_seed(1)
    input, weight = (
        torch.randn(size, features, generator=generator).to(logits.dtype).to(DEVICE)
        for size in logits.shape
    )
    by_kernel, by_ops = (
        value_and_gradients(
            function,
            [input, weight],
            target.to(DEVICE),
            chunk_tokens=chunk,
            **settings_of(rule),
        )
        for function in (kernel.linear_cross_entropy, ops.linear_cross_entropy)
    )
    assert_alike(by_kernel, by_ops, logits.dtype)


@UNDEFINED
@pytest.mark.parametrize(
    "row",
    [
        [-INF] * 20 + [1.0] + [-INF] * 20,  # first a block of nothing, then a number
        [2.0] + [-INF] * 40,
        [-INF] * 41,
        [-1e4] * 41,  # the exponential of minus the largest overflows
        [1e4, -1e4] * 20 + [0.0],
        [INF] + [0.0] * 40,
        [NAN] + [0.0] * 40,
    ],
)
@pytest.mark.parametrize("target", [0, 20, -100])
def test_infinities_agree_with_ops(row, target):
    logits = torch.tensor([row], device=DEVICE)
    by_kernel, by_ops = (
        value_and_gradients(function, [logits], torch.tensor([target], device=DEVICE))
        for function in (kernel.cross_entropy, ops.cross_entropy)
    )
    assert_alike(by_kernel, by_ops, torch.float32)


def test_what_a_soft_target_does_not_want_costs_nothing():
    logits = torch.tensor([[0.0, -INF, 0.0]], device=DEVICE)
    loss = kernel.cross_entropy(
        logits, torch.tensor([[0.5, 0, 0.5]], device=DEVICE), reduction="sum"
    )
    assert loss.item() == pytest.approx(torch.tensor(2.0).log().item())


@UNDEFINED
def test_an_unchecked_class_out_of_range_gives_nan():
    logits = torch.randn(4, 40, generator=torch.Generator().manual_seed(1)).to(DEVICE)
    target = torch.tensor([0, 40, -1, -100], device=DEVICE)
    losses, gradient = value_and_gradients(
        kernel.cross_entropy, [logits], target, reduction="none", check=False
    )
    assert losses.isnan().tolist() == [False, True, True, False]
    assert gradient.isnan().all(1).tolist() == [False, True, True, False]
    assert kernel.cross_entropy(logits, target, check=False).isnan()


def test_strided_logits():
    logits = torch.randn(40, 3, generator=torch.Generator().manual_seed(1)).T.to(DEVICE)
    target = torch.tensor([39, 0, 20], device=DEVICE)
    by_kernel, by_ops = (
        value_and_gradients(function, [logits], target)
        for function in (kernel.cross_entropy, ops.cross_entropy)
    )
    assert_alike(by_kernel, by_ops, torch.float32)


def test_bad_arguments_are_refused_as_by_ops():
    logits = torch.zeros(2, 3, device=DEVICE)
    target = torch.tensor([0, 3], device=DEVICE)
    with pytest.raises(IndexError, match="target holds 3 at 1"):
        kernel.cross_entropy(logits, target)
    with pytest.raises(IndexError, match="target holds 3 at 1"):
        kernel.linear_cross_entropy(logits, logits, target)


def test_a_cpu_tensor_outside_the_interpreter_is_refused():
    program = (
        "import torch; from tensorfleet.loss import kernel\n"
        "x = torch.zeros(1, 1)\n"
        "for call in (lambda: kernel.cross_entropy(x, x),\n"
        "             lambda: kernel.linear_cross_entropy(x, x, x)):\n"
        "    try: call()\n"
        "    except RuntimeError as error: print(error)\n"
    )
    result = without_interpreter(program)
    assert result.stdout.count("set TRITON_INTERPRET=1") == 2, result.stderr


@pytest.mark.slow
def test_the_kernel_compiles_for_hopper():
    """No GPU is needed to compile.

    The interpreter alone would not notice what the compiler refuses.
    """
    program = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from tensorfleet.loss import kernel

for logits, target in (("bf16", "i64"), ("bf16", "bf16"), ("fp32", "i64")):
    signature = {"logits": "*" + logits, "target": "*" + target, "losses": "*fp32"}
    signature |= {"scale": "*fp32", "gradient": "*" + logits}
    signature |= dict.fromkeys(["num_classes", "scale_stride", "ignore_index"], "i32")
    constants = {"SOFT": target != "i64", "GRADIENT": True, "DOUBLE": False}
    constants |= {"KEPT": 0.9, "SHARE": 1e-6, "BLOCK": kernel.LARGEST_BLOCK}
    signature |= dict.fromkeys(constants, "constexpr")
    source = ASTSource(kernel._rows, signature=signature, constexprs=constants)
    options = {"num_warps": kernel.NUM_WARPS}
    code = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
    print(logits, target, code.asm["ptx"].count("ex2.approx"))
"""
    result = without_interpreter(program)
    assert result.returncode == 0, result.stderr
    exponentials = [int(line.split()[2]) for line in result.stdout.splitlines()]
    # Each walk takes the exponential of every number that a lane has of a block, and
    # the first that of the step of the maximum too.
    lanes = kernel.NUM_WARPS * 32
    assert all(n >= 2 * kernel.LARGEST_BLOCK // lanes for n in exponentials)
    assert len(exponentials) == 3
