"""The Triton kernel, against PyTorch's attention and ours.

On a GPU where there is one, else interpreted.
"""

import math
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.attention import ops
from tests.attention.tensors import LENGTHS, assert_right, bound, tensors
from tests.fresh import without_interpreter

if sys.platform != "linux":
    pytest.skip("Triton has no build for this system", allow_module_level=True)

from tensorfleet.attention import kernel

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def on_device(*shape_and_dtype):
    return [x.to(DEVICE) for x in tensors(*shape_and_dtype)]


@pytest.mark.slow
@settings(max_examples=40)
@given(
    st.integers(1, 2),
    st.integers(1, 2),
    LENGTHS,
    LENGTHS,
    st.sampled_from([16, 17, 40, 64, 100]),
    st.sampled_from(kernel.DTYPES),
    st.booleans(),
    st.sampled_from([None, 1.0]),
)
def test_the_kernel_is_attention(
    key_heads, share, queries, keys, width, dtype, is_causal, scale
):
    heads = key_heads * share
    arguments = on_device(2, heads, key_heads, queries, keys, width, dtype)
    options = {"is_causal": is_causal, "scale": scale}
    found = kernel.attention(*arguments, enable_gqa=True, **options)
    assert_right(found, *arguments, **options)


@pytest.mark.slow
@pytest.mark.parametrize("width", [128, 256])
@pytest.mark.parametrize("dtype", kernel.DTYPES)
@pytest.mark.parametrize(("queries", "keys"), [(1, 300), (140, 150), (150, 70)])
def test_wide_heads_in_the_largest_blocks(width, dtype, queries, keys):
    arguments = on_device(1, 2, 1, queries, keys, width, dtype)
    for is_causal in (False, True):
        found = kernel.attention(*arguments, is_causal=is_causal, enable_gqa=True)
        assert_right(found, *arguments, is_causal=is_causal)


@pytest.mark.skipif(DEVICE == "cpu", reason="minutes in the interpreter")
@pytest.mark.parametrize("width", [64, 128, 256])
def test_sequences_of_many_tiles(width):
    arguments = on_device(1, 4, 2, 3000, 3000, width, torch.bfloat16)
    for is_causal in (False, True):
        found = kernel.attention(*arguments, is_causal=is_causal, enable_gqa=True)
        assert_right(found, *arguments, is_causal=is_causal)


@pytest.mark.parametrize("is_causal", [False, True])
def test_the_kernel_agrees_with_ops(is_causal):
    arguments = on_device(1, 4, 2, 70, 70, 32, torch.float32)
    options = {"is_causal": is_causal, "enable_gqa": True}
    found = kernel.attention(*arguments, **options)
    for function in (ops.attention, ops.tiled_attention):
        difference = (found - function(*arguments, **options)).abs().cpu()
        # Each may be off by one bound.
        assert (difference <= 2 * bound(*arguments, is_causal=is_causal)).all()


@pytest.mark.parametrize("is_causal", [False, True])
def test_keys_that_nobody_sees_are_not_read_into_the_result(is_causal):
    """Beyond the end, and above the diagonal, lies what would spoil everything."""
    query, key, value = on_device(1, 1, 1, 70, 90, 16, torch.float32)
    padded = [torch.full((1, 1, 200, 16), torch.nan, device=DEVICE) for _ in "kv"]
    for x, whole in zip((key, value), padded, strict=True):
        whole[:, :, :90] = x
    seen = [whole[:, :, :90] for whole in padded]
    if is_causal:  # nobody sees keys 70 to 89 either
        for x in seen:
            x[:, :, 70:] = 1e30
    found = kernel.attention(query, *seen, is_causal=is_causal)
    if is_causal:
        key, value = key[:, :, :70], value[:, :, :70]
    assert_right(found, query, key, value, is_causal=is_causal)


def test_a_tile_whose_scores_are_all_minus_infinity():
    # As many queries as a block has: the interpreter warns of 0 · inf in empty rows.
    query, key = torch.ones(1, 1, 16, 16), torch.ones(1, 1, 300, 16)
    value = torch.arange(300.0)[:, None].expand(1, 1, 300, 16)
    for hidden in (slice(0, 200), slice(200, 300)):
        infinite = key.clone()
        infinite[:, :, hidden] = -math.inf
        arguments = [x.to(DEVICE) for x in (query, infinite, value)]
        found = kernel.attention(*arguments)
        mean = value[torch.isfinite(infinite)].mean()
        # Sums of up to 200 whole numbers, divided once, in float32.
        torch.testing.assert_close(
            found.cpu(), mean.expand(1, 1, 16, 16), rtol=1e-5, atol=0
        )


def test_a_negative_scale_is_that_of_the_opposite_query():
    query, key, value = on_device(1, 2, 2, 5, 70, 16, torch.float32)
    options = {"is_causal": True}
    found = kernel.attention(query, key, value, scale=-0.3, **options)
    opposite = kernel.attention(-query, key, value, scale=0.3, **options)
    assert torch.equal(found, opposite)


def test_strided_inputs_are_read_where_they_lie():
    rows = torch.randn(2, 21, 3 * 4 * 16, generator=torch.Generator().manual_seed(2))
    rows = rows.to(DEVICE)
    arguments = [x.unflatten(2, (4, 16)).transpose(1, 2) for x in rows.chunk(3, 2)]
    before = rows.clone()
    found = kernel.attention(*arguments, is_causal=True)
    assert found.is_contiguous()
    assert_right(found, *arguments, is_causal=True)
    assert torch.equal(rows, before)
    # Components that are not neighbours are copied first.
    spread = [x.repeat_interleave(2, 3)[..., ::2] for x in arguments]
    assert spread[0].stride(3) == 2
    assert torch.equal(kernel.attention(*spread, is_causal=True), found)


@pytest.mark.parametrize("shape", [(0, 2, 2, 3, 3), (2, 2, 2, 0, 3), (2, 2, 2, 3, 0)])
def test_nothing_to_attend_to(shape):
    arguments = on_device(*shape, 16, torch.float32)
    found = kernel.attention(*arguments)
    assert found.shape == arguments[0].shape
    assert not found.any()


def test_the_launch_uses_the_first_axis_alone(monkeypatch):
    """CUDA allows 65,535 programs on the others: too few for all heads and blocks."""
    grids = []

    class Recorder:
        def __getitem__(self, grid):
            grids.append(grid)
            return lambda *_, **__: None

    monkeypatch.setattr(kernel, "_attend", Recorder())
    query = torch.zeros((), device=DEVICE).expand(1000, 100, 1, 16)
    kernel.attention(query, query, query)
    assert grids == [(100_000,)]


X = torch.zeros(1, 2, 3, 16, device=DEVICE)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[..., :8],) * 3, ValueError, "the width is 8: this kernel takes 16 to 256"),
        ((X.repeat(1, 1, 1, 17),) * 3, ValueError, "the width is 272"),
        (
            (X, X, X[..., :8]),
            ValueError,
            "value has width 8: this kernel takes query's",
        ),
        ((X.double(),) * 3, TypeError, r"query has dtype torch\.float64"),
        ((X, X[:, :1], X[:, :1]), ValueError, "unless enable_gqa is set"),
        ((X, X, X.clone().requires_grad_()), ValueError, "has no backward pass"),
        ((X.to("meta"),) * 3, RuntimeError, "a tensor is on meta: the kernels of"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        kernel.attention(*arguments)


def test_inputs_that_could_ask_for_a_gradient_may_do_without():
    with torch.no_grad():
        found = kernel.attention(X, X, X.clone().requires_grad_())
    assert not found.requires_grad


@pytest.mark.host
def test_a_cpu_tensor_outside_the_interpreter_is_refused():
    program = (
        "import torch; from tensorfleet.attention import kernel\n"
        "try: kernel.attention(*[torch.zeros(1, 1, 1, 16)] * 3)\n"
        "except RuntimeError as error: print(error)\n"
    )
    result = without_interpreter(program)
    assert "set TRITON_INTERPRET=1" in result.stdout, result.stderr


@pytest.mark.slow
@pytest.mark.host
@pytest.mark.parametrize("width", [64, 128, 256])
def test_the_kernel_compiles_for_hopper_without_spilling(width):
    """No GPU is needed to compile.

    It must use the tensor cores of Hopper and copies that run beside them, keep all in
    registers, and fit into shared memory.
    """
    program = f"""
import subprocess, tempfile
from pathlib import Path
import torch, triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from tensorfleet.attention import kernel

names = kernel._attend.arg_names
pointers = names[:4]
strides = [name for name in names if name.endswith("stride")]
sizes = kernel._sizes(4096, {width}, torch.bfloat16)
options = {{name: sizes.pop(name) for name in ("num_warps", "num_stages")}}
constants = {{"WIDTH": {width}, "CAUSAL": True, "WIDEN": False, **sizes}}
signature = dict.fromkeys(names, "i32") | dict.fromkeys(pointers, "*bf16")
signature |= {{"scale": "fp32"}} | dict.fromkeys(constants, "constexpr")
# As at a launch with tensors whose rows are multiples of 16 bytes.
aligned = {{(names.index(n),): [["tt.divisibility", 16]] for n in pointers + strides}}
source = ASTSource(kernel._attend, signature=signature, constexprs=constants,
                   attrs=aligned)
found = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
code = found.asm["ptx"]
assembler = Path(triton.__file__).parent / "backends/nvidia/bin/ptxas"
with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
    file.write(code)
    file.flush()
    said = subprocess.run(
        [assembler, "-v", "-arch=sm_90a", file.name, "-o", file.name + ".cubin"],
        capture_output=True, text=True, check=True,
    ).stderr
    Path(file.name + ".cubin").unlink()
print(code.count("wgmma.mma_async"), code.count("cp.async.cg"))
print(found.metadata.shared)
print("0 bytes spill stores" in said)
"""
    result = without_interpreter(program)
    assert result.returncode == 0, result.stderr
    multiplied, copied, shared, unspilled = result.stdout.split()
    assert int(multiplied) > 0
    assert int(copied) > 0
    from tensorfleet.hardware import H200

    assert int(shared) <= H200.program_memory
    assert unspilled == "True"
