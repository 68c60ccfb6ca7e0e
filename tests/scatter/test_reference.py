"""The definition, against the notes' printed results and on examples made by hand."""

import pytest

from tensorfleet.scatter import batched_bincount, scatter_add
from tensorfleet.scatter.reference import full, shape_of
from tests.scatter import notes


@pytest.mark.parametrize("name", notes.EXAMPLES)
def test_notes_examples_exactly(name):
    shape, dim, index, src, printed = notes.EXAMPLES[name]
    assert scatter_add(full(shape, 0.0), dim, index, src) == printed


def test_notes_batched_bincount_exactly():
    assert (
        batched_bincount(notes.BINCOUNT_ROWS, notes.BINCOUNT_BINS)
        == notes.BINCOUNT_PRINTED
    )


def test_dst_is_not_changed():
    dst = [[1, 2], [3, 4]]
    scatter_add(dst, 0, [[1, 1]], [[10, 10]])
    assert dst == [[1, 2], [3, 4]]


def test_rows_of_dst_that_are_one_list_are_not_one_row():
    assert scatter_add([[0] * 2] * 2, 0, [[0, 0]], [[1, 1]]) == [[1, 1], [0, 0]]


def test_empty_index_ignores_the_other_shapes():
    assert scatter_add([[1, 2]], 1, [], 7) == [[1, 2]]


@pytest.mark.parametrize(
    ("dst", "dim", "index", "src", "error", "message"),
    [
        (
            [0, 0],
            1,
            [0],
            [1],
            IndexError,
            "dim is 1: for 1 dimensions it must be -1 to 0",
        ),
        ([0, 0], 1, [], [1], IndexError, "dim is 1"),
        (
            [0, 0],
            0,
            [0, 2],
            [1, 1],
            IndexError,
            r"index holds 2 at \(1,\): along dimension 0 dst allows 0 to 1",
        ),
        ([0, 0], 0, [-1], [1], IndexError, "index holds -1"),
        ([0, 0], 0, [0.0], [1], TypeError, "index holds 0.0"),
        ([0, 0], 0, [True], [1], TypeError, "index holds True"),
        ([0, 0], 0, [[0]], [1], ValueError, "dimensions must agree"),
        (
            [0, 0],
            0,
            [0, 1, 0],
            [1, 1],
            ValueError,
            "index has size 3 along dimension 0: src allows at most 2",
        ),
        (
            [[0, 0]],
            0,
            [[0, 0, 0]],
            [[1, 1, 1]],
            ValueError,
            "along dimension 1: dst allows at most 2",
        ),
        ([[0, 0], [0]], 0, [[0]], [[1]], ValueError, "ragged"),
        ([0, 0], 0, (0, 1), [1, 1], TypeError, "neither a number nor a list"),
        ("ab", 0, [0], [1], TypeError, "'ab' is neither a number nor a list"),
    ],
)
def test_bad_arguments(dst, dim, index, src, error, message):
    with pytest.raises(error, match=message):
        scatter_add(dst, dim, index, src)


def test_bad_bincount_arguments():
    with pytest.raises(IndexError, match="dst allows nothing: there is no place"):
        batched_bincount([[1]], 0)
    with pytest.raises(ValueError, match="num_bins is -1"):
        batched_bincount([[0]], -1)
    with pytest.raises(ValueError, match="single number 3"):
        batched_bincount(3, 5)
    with pytest.raises(IndexError, match=r"holds 5 at \(0, 1\)"):
        batched_bincount([[0, 5]], 5)


def test_shape_of():
    assert shape_of([[1, 2, 3], [4, 5, 6]]) == (2, 3)
    assert shape_of([]) == (0,)
    assert shape_of(7) == ()
