"""The scatter explorable takes the steps that it must, and shows what the page says."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Circle, Rect
from tensorfleet.scatter.costs import serial_steps
from tensorfleet.scatter.panel import REDUCTIONS, UNPROTECTED, ScatterPanel
from tests.driving import do
from tests.scatter import notes
from tests.scatter.panels import (
    ACTIONS,
    groups_in_time,
    marks_of,
    result,
    shown_index,
    to_the_end,
)


@given(
    st.sampled_from(["notes", "crowded", "equal"]), st.integers(0, 1),
    st.sampled_from(list(REDUCTIONS)), st.integers(1, 16), st.integers(0, 20),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_the_timetable_lets_each_place_be_written_once_a_step(
    index, dim, reduction, lanes, order
):
    panel = ScatterPanel(
        index=index, dim=dim, reduction=reduction, lanes=lanes, order=order
    )
    cells, figures = marks_of(panel, 1, Rect, "write "), panel.frame().figures
    places = [cell.hint.split("to ")[1].split(" in ")[0] for cell in cells]
    columns = [round(cell.x, 3) for cell in cells]
    steps = int(figures["steps"].split()[2])
    assert len(set(columns)) == steps
    if reduction == UNPROTECTED:
        assert steps == figures["steps without collisions"] == -(-len(cells) // lanes)
    else:
        assert len(set(zip(columns, places, strict=True))) == len(cells)
        assert steps == figures["steps if writes take turns"]
        # The theorem of the chapter: a group takes as long as its longest line.
        numbers = {place: number for number, place in enumerate(places)}
        in_order = [element for group in groups_in_time(panel) for element in group]
        where = {int(c.key.split()[1]): p for c, p in zip(cells, places, strict=True)}
        assert steps == serial_steps([numbers[where[e]] for e in in_order], lanes)
    waits = marks_of(panel, 1, Rect, "wait ")
    fate = figures.get("writes that wait", figures.get("additions that get lost"))
    assert len(waits) == (0 if reduction == UNPROTECTED else fate)


def test_the_additions_that_get_lost_are_missing():
    panel = ScatterPanel(index="equal", dim=1, reduction=UNPROTECTED, lanes=4)
    to_the_end(panel)
    assert panel.frame().figures["additions that get lost"] == 12
    assert [row[0] for row in result(panel)] == [4, 8, 12, 16]
    faded = [m for m in marks_of(panel, 0, Circle, "element ") if m.opacity < 1]
    assert len(faded) == 12
    panel.act("lanes", 1)  # who writes alone loses nothing
    to_the_end(panel)
    assert panel.frame().figures["sum of the result"] == 136


@given(st.lists(ACTIONS, max_size=6))
@settings(max_examples=15, deadline=None)
def test_the_same_actions_give_the_same_frames(actions):
    first, second = ScatterPanel(order=3), ScatterPanel(order=3)
    for action in actions:
        do(first, *action)
        do(second, *action)
    assert first.frame().to_dict() == second.frame().to_dict()


@pytest.mark.parametrize("dim", [0, 1])
def test_elements_fly_straight_along_the_dimension_and_wait_in_line(dim):
    panel = ScatterPanel(index="crowded", dim=dim, lanes=16, pace=1)
    lined, placed = set(), []
    for _ in range(100):
        panel.advance(0.05)
        discs = marks_of(panel, 0, Circle, "element ")
        elements = [m for m in discs if "inside" not in m.key]
        assert len({m.key for m in elements}) == 16
        lined |= {m.key for m in elements if m.role == "bad"}
        placed.append(int(panel.frame().figures["elements placed"].split()[0]))
        assert all(0 < m.x < 340 and 0 < m.y < 420 for m in elements)
    assert placed == sorted(placed)
    assert placed[-1] == 16
    assert len(lined) == panel.frame().figures["writes that wait"] > 0


def test_a_click_sends_an_element_to_the_next_place():
    panel = ScatterPanel()
    cells = marks_of(panel, 0, Rect, "cell ")
    assert [cell.pick for cell in cells] == [f"{n}" for n in range(8)]
    for wanted in (1, 2, 0):
        panel.pick("3")
        assert shown_index(panel) == [[0, 1, 2, wanted], [1, 2, 0, 1]]
    for wrong in ("8", "x", "-1", ""):
        with pytest.raises(ValueError, match=f"there is no element '{wrong}': there"):
            panel.pick(wrong)
    panel.pick("0")
    panel.act("again")
    assert shown_index(panel)[0][0] == 1
    panel.reset()
    assert shown_index(panel)[0][0] == 0


def test_shuffle_gives_another_order_and_says_which():
    panel, orders = ScatterPanel(index="crowded"), set()
    for number in range(1, 21):
        panel.act("shuffle")
        assert panel.state["order"] == number
        orders.add(str(groups_in_time(panel)))
    assert len(orders) == 20
    panel.act("shuffle")
    assert panel.state["order"] == 1


# --- the three things to try that the page names -------------------------------------


def test_along_dimension_1_the_second_row_arrives_reversed():
    panel = ScatterPanel()
    panel.advance(0.4)
    for dim in (0, 1):
        panel.act("dim", dim)
        to_the_end(panel)
        shape, _, index, source, printed = notes.EXAMPLES[f"2-D, dim {dim}"]
        assert shown_index(panel) == index
        assert source == notes.FIRST_EIGHT
        assert result(panel) == printed
        assert len(printed) == shape[0]
    assert result(panel)[:2] == [[1, 2, 3, 4], [8, 7, 6, 5]]


def test_equal_indices_collide_along_one_dimension_only():
    panel = ScatterPanel()
    panel.act("index", "equal")
    figures = panel.frame().figures
    assert (figures["steps"], figures["writes that wait"]) == ("0 of 4", 0)
    panel.act("dim", 1)
    figures = panel.frame().figures
    assert (figures["steps"], figures["writes that wait"]) == ("0 of 16", 12)
    to_the_end(panel)
    assert panel.frame().figures["sum of the result"] == 136
    panel.act("reduction", "sum without atomics")
    assert panel.frame().figures["steps"] == "0 of 4"
    to_the_end(panel)
    assert panel.frame().figures["sum of the result"] == 40


@pytest.mark.parametrize("dim", [0, 1])
def test_the_order_decides_who_stays_but_no_sum(dim):
    ends = {}
    for reduction in ("assignment", "sum", "amax"):
        panel = ScatterPanel(index="crowded", dim=dim, reduction=reduction)
        ends[reduction] = []
        for _ in range(3):
            to_the_end(panel)
            ends[reduction].append(str(result(panel)))
            panel.act("shuffle")
    assert len(set(ends["assignment"])) == 3
    assert len(set(ends["sum"])) == len(set(ends["amax"])) == 1
