"""The Triton kernels, against the PyTorch functions.

On a GPU where there is one, else interpreted.
"""

import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.scatter import ops
from tests.fresh import without_interpreter
from tests.scatter.strategies import rows_and_bins, scatter_arguments

if sys.platform != "linux":
    pytest.skip("Triton has no build for this system", allow_module_level=True)

from tensorfleet.scatter import kernel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@settings(max_examples=40)
@given(
    rows_and_bins(),
    st.sampled_from(["atomic", "private", "auto"]),
    st.sampled_from([torch.int32, torch.int64]),
)
def test_batched_bincount_agrees_with_ops(arguments, method, dtype):
    rows, num_bins = arguments
    x = torch.from_numpy(rows).to(dtype).to(DEVICE)
    assert torch.equal(
        kernel.batched_bincount(x, num_bins, method=method),
        ops.batched_bincount(x, num_bins),
    )


@pytest.mark.parametrize("method", ["atomic", "private"])
@pytest.mark.parametrize("num_bins", [1, 2, 255, 1024, 1025])
@pytest.mark.parametrize("skew", [1, 8])
def test_batched_bincount_of_rows_longer_than_a_program(method, num_bins, skew):
    length = kernel.BLOCK * kernel.BLOCKS_PER_PROGRAM + 77
    draws = torch.rand(2, length, generator=torch.Generator().manual_seed(num_bins))
    x = (draws**skew * num_bins).long().to(DEVICE)
    assert torch.equal(
        kernel.batched_bincount(x, num_bins, method=method),
        ops.batched_bincount(x, num_bins),
    )


@settings(max_examples=40)
@given(
    scatter_arguments(max_dims=1),
    st.integers(1, 300),
    st.sampled_from(kernel.ROW_DTYPES),
)
def test_scatter_add_rows_agrees_with_ops(arguments, width, dtype):
    dst, _, index, src = (
        torch.from_numpy(a) if not isinstance(a, int) else a for a in arguments
    )
    # Small integers: exact in every dtype, so that the order of the additions cannot
    # matter.
    dst = (dst[:, None] + torch.arange(width)).to(dtype).to(DEVICE)
    src = (src[: len(index), None] - torch.arange(width)).to(dtype).to(DEVICE)
    index = index.to(DEVICE)
    before = dst.clone()
    assert torch.equal(
        kernel.scatter_add_rows(dst, index, src), ops.scatter_add_rows(dst, index, src)
    )
    assert torch.equal(dst, before)


def test_float_sums_agree_up_to_rounding():
    generator = torch.Generator().manual_seed(1)
    index = torch.randint(0, 5, (4000,), generator=generator)
    src = torch.randn(4000, 33, generator=generator)
    exact = ops.scatter_add_rows(
        torch.zeros(5, 33, dtype=torch.float64), index, src.double()
    )
    result = kernel.scatter_add_rows(
        torch.zeros(5, 33, device=DEVICE), index.to(DEVICE), src.to(DEVICE)
    )
    # About 800 additions a place: the error bound of summation is n · 2**-24 · sum |x|
    # (Higham 1993).
    magnitude = ops.scatter_add_rows(
        torch.zeros(5, 33, dtype=torch.float64), index, src.double().abs()
    )
    assert ((result.cpu().double() - exact).abs() <= 4000 * 2**-24 * magnitude).all()


def test_gradients_of_scatter_add_rows_are_those_of_ops():
    index = torch.tensor([0, 2, 2], device=DEVICE)
    weights = torch.arange(15.0, device=DEVICE).reshape(3, 5)
    gradients = []
    for implementation in (ops.scatter_add_rows, kernel.scatter_add_rows):
        dst, src = (torch.ones(3, 5, device=DEVICE, requires_grad=True) for _ in "ds")
        (implementation(dst, index, src) * weights).sum().backward()
        gradients.append((dst.grad, src.grad))
    (dst_ops, src_ops), (dst_kernel, src_kernel) = gradients
    assert torch.equal(dst_kernel, dst_ops)
    assert torch.equal(src_kernel, src_ops)


def test_a_row_may_have_more_blocks_than_cuda_allows_on_a_second_axis(monkeypatch):
    """The launch must use the first axis alone: the others end at 65,535."""
    grids = []

    class Recorder:
        def __getitem__(self, grid):
            grids.append(grid)
            return lambda *_: None

    monkeypatch.setattr(kernel, "_count_atomic", Recorder())
    length = kernel.BLOCK * 65_536
    x = torch.zeros((), dtype=torch.int32, device=DEVICE).expand(length)
    kernel.batched_bincount(x, 4096, check=False)
    assert grids == [(65_536,)]


def test_bad_arguments():
    x = torch.zeros(2, 3, dtype=torch.int64, device=DEVICE)
    with pytest.raises(ValueError, match="method is 'sort'"):
        kernel.batched_bincount(x, 4, method="sort")
    with pytest.raises(IndexError, match=r"x holds 4 at \(0, 0\)"):
        kernel.batched_bincount(x + 4, 4)
    with pytest.raises(TypeError, match=r"src has dtype torch\.bfloat16"):
        kernel.scatter_add_rows(x.bfloat16(), x[0], x.bfloat16())


def test_a_cpu_tensor_outside_the_interpreter_is_refused():
    program = (
        "import torch; from tensorfleet.scatter import kernel\n"
        "try: kernel.batched_bincount(torch.zeros(1, 1, dtype=torch.int64), 1)\n"
        "except RuntimeError as error: print(error)\n"
    )
    result = without_interpreter(program)
    assert "set TRITON_INTERPRET=1" in result.stdout, result.stderr


@pytest.mark.slow
def test_kernels_compile_for_hopper_with_relaxed_atomics():
    """No GPU is needed to compile.

    The interpreter alone would not notice what the compiler refuses.
    """
    program = """
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from tensorfleet.scatter import kernel

def ptx(function, pointers, numbers, constants):
    signature = pointers | dict.fromkeys(numbers, "i32")
    signature |= dict.fromkeys(constants, "constexpr")
    source = ASTSource(function, signature=signature, constexprs=constants)
    return triton.compile(source, target=GPUTarget("cuda", 90, 32)).asm["ptx"]

counting = {"rows": "*i64", "counts": "*i64"}
sizes = ["blocks", "row_length", "num_bins"]
code = ptx(kernel._count_atomic, counting, sizes, {"BLOCK": 1024})
print("atomic", code.count("relaxed.add.u64"))
for bins in (256, 1024):
    blocks = {"PADDED_BINS": bins, "BLOCK": 1024, "BLOCKS": 16}
    code = ptx(kernel._count_private, counting, sizes, blocks)
    print("private", bins, code.count("relaxed.add.u64"), code.count("popc"))
rows = {"out": "*fp32", "index": "*i64", "src": "*fp32"}
blocks = {"BLOCK_ROWS": 4, "BLOCK_WIDTH": 256}
code = ptx(kernel._add_rows, rows, ["column_blocks", "num_rows", "width"], blocks)
print("rows", code.count("relaxed.add.f32"))
"""
    result = without_interpreter(program)
    assert result.returncode == 0, result.stderr
    atomic, private_256, private_1024, rows = (
        line.split() for line in result.stdout.splitlines()
    )
    assert int(atomic[1]) > 0
    assert int(rows[1]) > 0
    # One atomic for each bin that a thread holds (128 threads), and the count of bits
    # that PRIVATE_BINS is reasoned from: proportional to the bins.
    assert [int(private_256[2]), int(private_1024[2])] == [256 // 128, 1024 // 128]
    assert int(private_1024[3]) == 4 * int(private_256[3])
