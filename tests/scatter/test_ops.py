"""The PyTorch functions, against the definition and the errors that they promise."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.scatter import ops, reference
from tests.scatter import notes
from tests.scatter.strategies import rows_and_bins, scatter_arguments

DTYPES = [torch.float32, torch.float64, torch.int8, torch.int32, torch.int64]


@pytest.mark.parametrize("name", notes.EXAMPLES)
def test_notes_examples_exactly(name):
    shape, dim, index, src, printed = notes.EXAMPLES[name]
    result = ops.scatter_add(
        torch.zeros(shape), dim, torch.tensor(index), torch.tensor(src)
    )
    assert torch.equal(result, torch.tensor(printed))


def test_notes_batched_bincount_exactly():
    counts = ops.batched_bincount(
        torch.tensor(notes.BINCOUNT_ROWS), notes.BINCOUNT_BINS
    )
    assert torch.equal(counts, torch.tensor(notes.BINCOUNT_PRINTED))


# The values are small integers, so that sums are exact in every dtype and order does
# not matter.
@given(
    scatter_arguments(),
    st.sampled_from(DTYPES),
    st.sampled_from([torch.int32, torch.int64]),
)
def test_scatter_add_is_the_definition(arguments, dtype, index_dtype):
    dst, dim, index, src = arguments
    expected = reference.scatter_add(dst.tolist(), dim, index.tolist(), src.tolist())
    result = ops.scatter_add(
        torch.from_numpy(dst).to(dtype),
        dim,
        torch.from_numpy(index).to(index_dtype),
        torch.from_numpy(src).to(dtype),
    )
    wrapped = torch.tensor(expected).to(dtype)  # int8 wraps at 128 in both
    assert result.dtype == dtype
    assert torch.equal(result, wrapped.reshape(dst.shape))


@given(scatter_arguments(max_dims=1), st.integers(1, 5))
def test_scatter_add_rows_is_scatter_add_with_a_repeated_index(arguments, width):
    dst, _, index, src = (
        torch.from_numpy(a) if not isinstance(a, int) else a for a in arguments
    )
    dst, src = (
        dst[:, None] * torch.arange(1, width + 1),
        src[: len(index), None] - torch.arange(width),
    )
    expected = ops.scatter_add(dst, 0, index[:, None].expand(-1, width), src)
    assert torch.equal(ops.scatter_add_rows(dst, index, src), expected)


@given(rows_and_bins(), st.sampled_from([torch.int32, torch.int64]))
def test_batched_bincount_is_the_definition(arguments, dtype):
    rows, num_bins = arguments
    counts = ops.batched_bincount(torch.from_numpy(rows).to(dtype), num_bins)
    assert counts.dtype == torch.int64
    assert counts.tolist() == reference.batched_bincount(rows.tolist(), num_bins)


@pytest.mark.parametrize("num_bins", [100, 20_000])
@pytest.mark.parametrize("rows", [1, 2])
def test_long_rows_are_counted_in_pieces(rows, num_bins):
    """A length that no number of pieces divides, so that pieces and a rest count."""
    length = 3 * max(ops.PIECE_LENGTH, ops.BINS_SHARE * num_bins) + 7
    draws = torch.rand(rows, length, generator=torch.Generator().manual_seed(0))
    x = (draws**3 * num_bins).long()
    assert ops._num_pieces(x, num_bins) == 3
    expected = torch.stack([torch.bincount(row, minlength=num_bins) for row in x])
    assert torch.equal(ops.batched_bincount(x, num_bins), expected)


@pytest.mark.parametrize("shape", [(0,), (0, 5), (3, 0), (2, 0, 4), (0, 10**6)])
def test_batched_bincount_of_nothing(shape):
    assert torch.equal(
        ops.batched_bincount(torch.zeros(shape, dtype=torch.int64), 6),
        torch.zeros((*shape[:-1], 6), dtype=torch.int64),
    )


def test_batched_bincount_against_torch_bincount_on_a_large_skewed_input():
    x = (
        torch.rand(3, 200_000, generator=torch.Generator().manual_seed(0)) ** 8 * 1000
    ).long()
    expected = torch.stack([torch.bincount(row, minlength=1000) for row in x])
    assert torch.equal(ops.batched_bincount(x, 1000), expected)


def test_strided_inputs():
    x = torch.arange(12).reshape(3, 4).T
    assert torch.equal(
        ops.batched_bincount(x, 12), ops.batched_bincount(x.contiguous(), 12)
    )


def test_counts_do_not_overflow_in_a_narrow_dtype():
    """The notes count in the dtype of their input; 300 ones do not fit into int8."""
    x = torch.zeros(1, 300, dtype=torch.int64)
    narrow = torch.zeros(1, 1, dtype=torch.int8).scatter_add(
        1, x, torch.ones(1, 300, dtype=torch.int8)
    )
    assert narrow.item() == 300 - 256
    assert ops.batched_bincount(x.int(), 1).item() == 300


ZEROS, ROW = torch.zeros(3, 4), torch.ones(1, 4)
INDEX = torch.zeros(1, 4, dtype=torch.int64)


@pytest.mark.parametrize(
    ("dst", "dim", "index", "src", "error", "message"),
    [
        (
            ZEROS,
            2,
            INDEX,
            ROW,
            IndexError,
            "dim is 2: for 2 dimensions it must be -2 to 1",
        ),
        (ZEROS, 2, INDEX[:, :0], ROW, IndexError, "dim is 2"),
        (
            ZEROS,
            0,
            INDEX + 3,
            ROW,
            IndexError,
            r"index holds 3 at \(0, 0\): allowed is 0 to 2",
        ),
        (ZEROS, 0, INDEX - 1, ROW, IndexError, "index holds -1"),
        (torch.zeros(0, 4), 0, INDEX, ROW, IndexError, "allowed is nothing"),
        (ZEROS, 0, INDEX.float(), ROW, TypeError, "index has dtype torch.float32"),
        (ZEROS, 0, INDEX.to(torch.int8), ROW, TypeError, "index has dtype torch.int8"),
        (
            ZEROS,
            0,
            INDEX,
            ROW.double(),
            TypeError,
            "src has dtype torch.float64: it must be dst's",
        ),
        (ZEROS, 0, INDEX[0], ROW, ValueError, "dimensions must agree"),
        (
            ZEROS,
            0,
            INDEX.expand(2, 4),
            ROW,
            ValueError,
            "index has size 2 along dimension 0: src allows",
        ),
        (
            ZEROS,
            0,
            INDEX.repeat(1, 2),
            ROW.repeat(1, 2),
            ValueError,
            "along dimension 1: dst allows at most 4",
        ),
        (
            ZEROS,
            0,
            INDEX.to("meta"),
            ROW,
            ValueError,
            "index is on meta: it must be on dst's device, cpu",
        ),
    ],
)
def test_bad_arguments(dst, dim, index, src, error, message):
    with pytest.raises(error, match=message):
        ops.scatter_add(dst, dim, index, src)


@pytest.mark.parametrize(
    ("dst", "index", "src", "error", "message"),
    [
        (
            ZEROS,
            torch.tensor([3]),
            ROW,
            IndexError,
            r"index holds 3 at \(0,\): allowed is 0 to 2",
        ),
        (
            ZEROS,
            torch.tensor([0, 1]),
            ROW,
            ValueError,
            r"src has shape \(1, 4\): it must be \(2, 4\)",
        ),
        (ZEROS, INDEX, ROW, ValueError, "have 2, 2 and 2 dimensions"),
        (ZEROS, torch.tensor([0.5]), ROW, TypeError, "index has dtype torch.float32"),
    ],
)
def test_bad_rows_arguments(dst, index, src, error, message):
    with pytest.raises(error, match=message):
        ops.scatter_add_rows(dst, index, src)


def test_bad_bincount_arguments():
    with pytest.raises(ValueError, match="num_bins is -2"):
        ops.batched_bincount(INDEX, -2)
    with pytest.raises(ValueError, match="single number"):
        ops.batched_bincount(torch.tensor(3), 5)
    with pytest.raises(TypeError, match=r"x has dtype torch\.float32"):
        ops.batched_bincount(ROW, 5)
    with pytest.raises(IndexError, match=r"x holds 9 at \(1, 2\): allowed is 0 to 4"):
        ops.batched_bincount(torch.tensor([[0, 1, 2], [3, 4, 9]]), 5)


def test_an_empty_index_may_have_any_dtype():
    nothing = torch.tensor([])
    expected = torch.zeros(3).scatter_add(0, nothing, nothing)
    assert torch.equal(ops.scatter_add(torch.zeros(3), 0, nothing, nothing), expected)


def test_check_false_leaves_the_checks_to_torch():
    with pytest.raises(RuntimeError, match="out of bounds"):
        ops.scatter_add(ZEROS, 0, INDEX + 3, ROW, check=False)


def test_gradient_reaches_the_source():
    src = torch.ones(1, 4, requires_grad=True)
    (
        ops.scatter_add(ZEROS, 0, INDEX, src) * torch.arange(12.0).reshape(3, 4)
    ).sum().backward()
    assert torch.equal(src.grad, torch.arange(12.0).reshape(3, 4)[:1])
