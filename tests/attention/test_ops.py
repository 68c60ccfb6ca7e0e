"""The PyTorch functions, against the definition and against PyTorch's own."""

import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from tensorfleet.attention import ops, reference
from tensorfleet.attention.meter import PeakMemory
from tests.attention.tensors import LENGTHS, assert_right, bound, exact, tensors

DTYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
FUNCTIONS = [ops.attention, ops.tiled_attention]
SMALL = st.integers(1, 4)


@given(SMALL, st.integers(1, 3), st.integers(1, 5), st.integers(1, 5), SMALL,
       st.booleans())  # fmt: skip
def test_the_functions_are_the_definition(
    key_heads, share, queries, keys, width, is_causal
):
    heads = key_heads * share
    query, key, value = tensors(
        2, heads, key_heads, queries, keys, width, torch.float64, value_width=3
    )
    head = partial(reference.attention, is_causal=is_causal)
    expected = [
        reference.grouped(head, *(x[item].tolist() for x in (query, key, value)))
        for item in range(2)
    ]
    for function in FUNCTIONS:
        found = function(query, key, value, is_causal=is_causal, enable_gqa=True)
        # Both sides compute in doubles; the bound is that of rounding in these.
        difference = (found - torch.tensor(expected, dtype=torch.float64)).abs()
        allowed = bound(query, key, value, is_causal=is_causal, rounded_scores=True)
        assert (difference <= allowed).all()


@given(
    SMALL,
    SMALL,
    LENGTHS,
    LENGTHS,
    st.integers(1, 70),
    st.integers(1, 140),
    st.sampled_from(DTYPES),
    st.booleans(),
    st.sampled_from([None, 1.0]),
)
def test_the_functions_are_torch(
    key_heads, share, queries, keys, width, tile, dtype, is_causal, scale
):
    arguments = tensors(1, key_heads * share, key_heads, queries, keys, width, dtype)
    options = {"is_causal": is_causal, "scale": scale}
    tiled = partial(ops.tiled_attention, tile=tile)
    for function in (ops.attention, tiled):
        found = function(*arguments, enable_gqa=True, **options)
        rounded = function is ops.attention
        assert_right(found, *arguments, rounded_scores=rounded, **options)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("is_causal", [False, True])
def test_what_is_wrong_is_found_to_be_wrong(dtype, is_causal):
    """In every dtype: the right result passes, zeros and half of the keys do not."""
    query, key, value = tensors(1, 2, 1, 130, 130, 64, dtype)
    options = {"is_causal": is_causal, "enable_gqa": True}
    whole = ops.tiled_attention(query, key, value, **options)
    half = ops.tiled_attention(query, key[:, :, :65], value[:, :, :65], **options)
    assert_right(whole, query, key, value, is_causal=is_causal)
    for wrong in (torch.zeros_like(whole), half):
        with pytest.raises(AssertionError, match="times what rounding may do"):
            assert_right(wrong, query, key, value, is_causal=is_causal)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize(
    ("batch", "heads", "queries", "keys"),
    [(0, 2, 3, 3), (2, 0, 3, 3), (2, 2, 0, 3), (2, 2, 3, 0), (0, 0, 0, 0)],
)
@pytest.mark.parametrize("is_causal", [False, True])
def test_nothing_to_attend_to(function, batch, heads, queries, keys, is_causal):
    arguments = tensors(batch, heads, heads, queries, keys, 4, torch.float32)
    found = function(*arguments, is_causal=is_causal)
    assert found.shape == (batch, heads, queries, 4)
    assert not found.any()  # without keys, zeros, as PyTorch has it
    if heads:
        assert torch.equal(found.double(), exact(*arguments, is_causal=is_causal))


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_scores_too_large_for_exp(function, dtype):
    """One key wins by far: its value comes out, not inf or nan."""
    query = torch.full((1, 1, 3, 4), 60.0, dtype=dtype)
    key = torch.tensor([[-1.0], [3.0], [1.0]], dtype=dtype).expand(1, 1, 3, 4)
    value = torch.tensor([[5.0], [7.0], [9.0]], dtype=dtype)[None, None]
    assert function(query, key, value).flatten().tolist() == [7.0] * 3
    causal = function(query, key, value, is_causal=True)
    assert causal.flatten().tolist() == [5.0, 7.0, 7.0]


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("tile", [2, 3, 256])
def test_scores_of_minus_infinity(tile, is_causal):
    """In the first tile, in the last, in both, as PyTorch has it."""
    query, value = torch.ones(1, 1, 9, 1), torch.arange(9.0).reshape(1, 1, 9, 1)
    for hidden in ([1, 2, 3], [6, 7, 8], [0, 1, 2, 8]):
        key = torch.ones(1, 1, 9, 1)
        key[:, :, hidden] = -math.inf
        rows = slice(3, None)  # those before see no finite score in the last case
        found = ops.tiled_attention(query, key, value, tile=tile, is_causal=is_causal)
        expected = exact(query, key, value, is_causal=is_causal)
        # Sums of up to 9 whole numbers, divided once, in float32.
        torch.testing.assert_close(
            found[:, :, rows].double(), expected[:, :, rows], rtol=1e-6, atol=0
        )


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("is_causal", [False, True])
def test_scales_below_and_at_zero(function, is_causal):
    """Not compared with PyTorch, which gives nan for some causal shapes.

    A negative scale is that of the opposite query, and 0 gives the plain mean.
    """
    query, key, value = tensors(1, 2, 2, 5, 7, 8, torch.float32)
    found = function(query, key, value, scale=-0.3, is_causal=is_causal)
    opposite = function(-query, key, value, scale=0.3, is_causal=is_causal)
    assert torch.equal(found, opposite)
    mean = function(query, key, value, scale=0.0, is_causal=is_causal)
    for i in range(5):
        seen = value[:, :, : i + 1] if is_causal else value
        # Sums of at most 7 numbers of size 1 in float32.
        torch.testing.assert_close(mean[:, :, i], seen.mean(2), rtol=0, atol=1e-6)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_strided_inputs(function):
    """As projections give them: heads cut out of one row for each position."""
    rows = torch.randn(2, 7, 3 * 4 * 8, generator=torch.Generator().manual_seed(2))
    arguments = [x.unflatten(2, (4, 8)).transpose(1, 2) for x in rows.chunk(3, 2)]
    assert not arguments[0].is_contiguous()
    before = rows.clone()
    rounded = function is ops.attention
    found = function(*arguments, is_causal=True)
    assert_right(found, *arguments, rounded_scores=rounded, is_causal=True)
    assert torch.equal(rows, before)


@pytest.mark.parametrize("is_causal", [False, True])
def test_gradients_are_those_of_torch(is_causal):
    arguments = tensors(2, 4, 2, 9, 11, 5, torch.float64)
    weights = torch.randn(2, 4, 9, 5, generator=torch.Generator().manual_seed(3))
    found = []
    torch_attention = torch.nn.functional.scaled_dot_product_attention
    for function in (
        torch_attention,
        ops.attention,
        partial(ops.tiled_attention, tile=4),
    ):
        inputs = [x.clone().requires_grad_() for x in arguments]
        result = function(*inputs, is_causal=is_causal, enable_gqa=True)
        found.append(torch.autograd.grad((result * weights).sum(), inputs))
    for ours in found[1:]:
        for gradient, expected in zip(ours, found[0], strict=True):
            # Sums of up to 36 products in doubles.
            torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


def peak(function, length):
    arguments = tensors(1, 2, 2, length, length, 8, torch.float32)
    with PeakMemory() as memory:
        function(*arguments)
    return memory.peak


def test_memory_is_quadratic_with_all_scores_and_linear_with_tiles():
    tiled = partial(ops.tiled_attention, tile=64)
    scores = 2 * 4 * 1024**2  # bytes: two heads of float32
    assert peak(ops.attention, 1024) >= 2 * scores  # scores and weights at once
    assert peak(ops.attention, 2048) > 3.9 * peak(ops.attention, 1024)
    assert peak(tiled, 1024) < scores / 2
    assert peak(tiled, 2048) <= 2 * peak(tiled, 1024)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_tiles_hidden_as_a_whole_are_left_out(queries, keys, tile):
    """PyTorch's count of operations, against the pairs of all tiles that count."""
    arguments = tensors(1, 1, 1, queries, keys, 8, torch.float32)
    with FlopCounterMode(display=False) as counter:
        ops.tiled_attention(*arguments, tile=tile, is_causal=True)
    pairs = 0
    for i in range(queries):
        last = min((i // tile + 1) * tile, queries) - 1  # query of the tile that has i
        pairs += sum(j <= last for j in range(keys))
    assert counter.get_total_flops() == pairs * 4 * 8


def test_shared_keys_are_not_copied():
    """With 16 heads on one of keys, copies would take 16 times its size."""
    query, key, value = tensors(1, 16, 1, 1, 4096, 64, torch.float32)
    with PeakMemory() as memory:
        ops.attention(query, key, value, enable_gqa=True)
    assert memory.peak < key.nbytes


X = torch.zeros(2, 4, 3, 8)


@pytest.mark.parametrize(
    ("query", "key", "value", "gqa", "error", "message"),
    [
        ([[1]], X, X, False, TypeError, "query is a list: it must be a tensor"),
        (
            *(X.to(torch.float8_e4m3fn),) * 3,
            False,
            TypeError,
            "query has dtype torch.float8_e4m3fn: it must be one of torch.float64",
        ),
        (X[0], X, X, False, ValueError, "query has 3 dimensions: it must have 4"),
        (X, X, X.double(), False, TypeError, "value has dtype torch.float64: it must"),
        (X.long(), X, X, False, TypeError, "query has dtype torch.int64"),
        (
            X,
            X.to("meta"),
            X,
            False,
            ValueError,
            "key is on meta: it must be on query's",
        ),
        (X, X[:1], X, False, ValueError, "key has batch size 1: it must be query's, 2"),
        (X, X[..., :0], X, False, ValueError, "key has width 0"),
        (X, X[..., :5], X, False, ValueError, "queries have width 8 and keys 5"),
        (X, X[:, :, :2], X, False, ValueError, "there are 2 keys and 3 values"),
        (X, X[:, :2], X[:, :2], False, ValueError, "unless enable_gqa is set"),
        (X, X[:, :3], X[:, :3], True, ValueError, "4 heads of queries and 3 of keys"),
        (X, X[:, :2], X, True, ValueError, "2 heads of keys and 4 of values"),
    ],
)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_bad_arguments(function, query, key, value, gqa, error, message):
    with pytest.raises(error, match=message):
        function(query, key, value, enable_gqa=gqa)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_bad_scales(function):
    for scale in (math.nan, math.inf):
        with pytest.raises(ValueError, match=f"scale is {scale}: it must be finite"):
            function(X, X, X, scale=scale)
    with pytest.raises(TypeError, match="scale is 'x': it must be a number"):
        function(X, X, X, scale="x")


def test_bad_tiles():
    with pytest.raises(ValueError, match="tile is -1: it must be 1 or more keys"):
        ops.tiled_attention(X, X, X, tile=-1)
    with pytest.raises(TypeError, match=r"tile is 2\.5: it must be an integer"):
        ops.tiled_attention(X, X, X, tile=2.5)
