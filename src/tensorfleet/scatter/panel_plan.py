"""Who writes where and when, for the scatter explorable."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tensorfleet.scatter.costs import groups
from tensorfleet.scatter.reference import full, scatter_add

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Write:
    """An element's way: its lane, the step it sets out in, and that it writes in."""

    element: int
    lane: int
    leaves: int
    writes: int


def destinations(
    shape: tuple[int, int], dim: int, index: Sequence[Sequence[int]]
) -> list[Place]:
    """The row and column to which each element goes, row by row.

    Found by a scatter of powers of two, a bit for each element: the sum at a place says
    who came there.
    """
    width = len(index[0])
    bits = [[1 << row * width + column for column in range(width)]
            for row in range(len(index))]  # fmt: skip
    came = scatter_add(full(shape, 0), dim, [list(row) for row in index], bits)
    found = {
        element: (row, column)
        for row in range(shape[0])
        for column in range(shape[1])
        for element in range(len(index) * width)
        if came[row][column] >> element & 1
    }
    return [found[element] for element in range(len(index) * width)]


def plan(
    places: Sequence[Place], order: Sequence[int], lanes: int, takes_turns: bool
) -> tuple[list[Write], list[int]]:
    """The writes of all elements in `order`, and the steps in which groups begin.

    A group is as many elements as there are lanes. All of a group set out together;
    where writes take turns, each waits for those of its group that want its place and
    come before it. A group begins when the one before is done; the last of the steps is
    the end. `costs.serial_steps` counts them.
    """
    writes: list[Write] = []
    starts = [0]
    for group in groups(order, lanes):
        before: Counter[Place] = Counter()
        for lane, element in enumerate(group):
            turn = before[places[element]] if takes_turns else 0
            writes.append(Write(element, lane, starts[-1], starts[-1] + turn))
            before[places[element]] += 1
        starts.append(max(write.writes for write in writes) + 1)
    return writes, starts
