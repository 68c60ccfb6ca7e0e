"""The counts of bytes, atomics and serial steps, against counting by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.scatter import costs


@pytest.mark.parametrize(
    ("indices", "lanes", "steps"),
    [
        ([], 4, 0),
        ([0, 1, 2, 3], 4, 1),  # all different: one step
        ([7, 7, 7, 7], 4, 4),  # all equal: one after the other
        ([7, 7, 1, 2, 3, 3], 4, 2 + 2),  # two groups, each with a pair
    ],
)
def test_serial_steps_by_hand(indices, lanes, steps):
    assert costs.serial_steps(indices, lanes) == steps


@given(st.lists(st.integers(0, 9)), st.integers(1, 8))
def test_serial_steps_by_playing_the_lanes(indices, lanes):
    steps = 0
    for start in range(0, len(indices), lanes):
        waiting = indices[start : start + lanes]
        while waiting:  # in each step, the first lane of every distinct index adds
            for index in set(waiting):
                waiting.remove(index)
            steps += 1
    assert costs.serial_steps(indices, lanes) == steps


def test_global_atomics_by_hand():
    indices = [0, 0, 1, 5, 5, 5, 5]
    assert costs.global_atomics(indices, block=4, private=False) == 7
    assert costs.global_atomics(indices, block=4, private=True) == 3 + 1


def test_groups_need_at_least_one_index():
    with pytest.raises(ValueError, match="a group has 0 indices"):
        costs.serial_steps([1], lanes=0)


def test_bytes_of_the_notes_examples():
    # 5 indices of 8 bytes, 5 floats of 4 bytes read; 5 floats read and written
    assert (
        costs.scatter_add_bytes(num_indices=5, num_places=5, element_bytes=4)
        == 40 + 20 + 40
    )
    # 2 rows of 4 indices read, 2 rows of 5 counts written
    assert costs.bincount_bytes(num_rows=2, row_length=4, num_bins=5) == 64 + 80
    # a row of width 1 is an element
    assert costs.scatter_add_rows_bytes(7, 3, 1, 4) == costs.scatter_add_bytes(7, 3, 4)
