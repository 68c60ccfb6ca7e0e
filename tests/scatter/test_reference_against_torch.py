"""The definition against PyTorch, and its counts, on random tensors."""

from collections import Counter

import pytest
import torch
from hypothesis import given

from tensorfleet.scatter import batched_bincount, scatter_add
from tests.scatter.strategies import rows_and_bins, scatter_arguments


@given(scatter_arguments())
def test_scatter_add_is_torch(arguments):
    dst, dim, index, src = arguments
    expected = torch.from_numpy(dst).scatter_add(
        dim, torch.from_numpy(index), torch.from_numpy(src)
    )
    assert (
        scatter_add(dst.tolist(), dim, index.tolist(), src.tolist())
        == expected.tolist()
    )


@pytest.mark.parametrize(
    ("dst", "index", "src"), [(1, 0, 2), (1, [0, 0], [2, 3]), ([4, 5, 6], 1, [2, 3])]
)
def test_a_number_counts_as_a_list_of_one(dst, index, src):
    expected = torch.tensor(dst).scatter_add(0, torch.tensor(index), torch.tensor(src))
    assert scatter_add(dst, 0, index, src) == expected.tolist()


@given(rows_and_bins())
def test_batched_bincount_counts(arguments):
    rows, num_bins = arguments
    counts = torch.tensor(batched_bincount(rows.tolist(), num_bins)).reshape(
        -1, num_bins
    )
    for row, row_counts in zip(
        rows.reshape(len(counts), -1).tolist(), counts.tolist(), strict=True
    ):
        occurrences = Counter(row)
        assert row_counts == [occurrences[v] for v in range(num_bins)]
