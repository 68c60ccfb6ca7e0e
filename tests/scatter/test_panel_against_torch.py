"""The scatter explorable ends at PyTorch's result, whatever a reader does to it."""

import json

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.scatter.panel import ScatterPanel
from tensorfleet.scatter.reference import full, scatter_add
from tests.driving import do
from tests.scatter.panels import (
    ACTIONS,
    groups_in_time,
    result,
    shown_index,
    to_the_end,
)


def expected(panel):
    """The result by brute force: one lane after the other, in the order shown."""
    index, dim = shown_index(panel), panel.state["dim"]
    out = full((panel.num_rows, 4), 0)
    for group in groups_in_time(panel):
        read = [list(row) for row in out]
        for element in group:
            row, column = divmod(element, 4)
            r, c = (
                (index[row][column], column) if dim == 0 else (row, index[row][column])
            )
            match panel.state["reduction"]:
                case "sum":
                    out[r][c] += element + 1
                case "amax":
                    out[r][c] = max(out[r][c], element + 1)
                case "assignment":
                    out[r][c] = element + 1
                case _:
                    out[r][c] = read[r][c] + element + 1
    return out


@given(st.lists(ACTIONS, max_size=7))
@settings(max_examples=50, deadline=None)
def test_every_run_ends_at_the_right_result(actions):
    panel = ScatterPanel()
    for action in actions:
        do(panel, *action)
        scene = panel.frame()
        json.dumps(scene.to_dict(), allow_nan=False)
        scene.to_svg()
    before = panel.frame().figures
    to_the_end(panel)
    index, dim = shown_index(panel), panel.state["dim"]
    source = [[4 * row + n for n in (1, 2, 3, 4)] for row in range(len(index))]
    zeros = full((panel.num_rows, 4), 0)
    found, figures = result(panel), panel.frame().figures
    assert found == expected(panel)
    assert figures["sum of the result"] == sum(map(sum, found))
    tensors = [torch.tensor(matrix) for matrix in (zeros, index, source)]
    if panel.state["reduction"] == "sum":
        assert found == scatter_add(zeros, dim, index, source)
        assert found == tensors[0].scatter_add(dim, *tensors[1:]).tolist()
    if panel.state["reduction"] == "amax":
        found_by_torch = tensors[0].scatter_reduce(dim, *tensors[1:], "amax")
        assert found == found_by_torch.tolist()
    if figures["places named twice or more"] == 0:
        assert found == tensors[0].scatter(dim, *tensors[1:]).tolist()
    # Settings and time change what is past, never what is planned.
    for name in ("steps without collisions", "places named twice or more"):
        assert before[name] == figures[name]
