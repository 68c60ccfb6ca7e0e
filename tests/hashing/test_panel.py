"""The hashing explorable shows what the library computes, whatever is done to it."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Circle, Rect
from tensorfleet.hashing import BoundedAssignment, HashRing
from tensorfleet.hashing.panel import NAMES, HashingPanel
from tests.driving import marks_of

ACTIONS = st.one_of(
    st.sampled_from([("add", None), ("drop", None)]),
    st.tuples(st.just("bounded"), st.booleans()),
    st.tuples(st.just("percent"), st.sampled_from([5, 25, 100])),
    st.tuples(st.just("virtual_nodes"), st.sampled_from([1, 8])),
    st.tuples(st.just("num_keys"), st.sampled_from([10, 60])),
)


def colours(panel):
    """The node of each key, by the colours that are shown."""
    return {
        mark.key: NAMES[int(mark.role.removeprefix("series-"))]
        for mark in marks_of(panel, Circle).values()
    }


def expected(panel):
    """The same from the library, all keys placed anew."""
    keys = [f"key-{number}" for number in range(panel.state["num_keys"])]
    points = {"virtual_nodes": panel.state["virtual_nodes"]}
    if not panel.state["bounded"]:
        ring = HashRing(panel.nodes, **points)
        return {key: ring.owner(key) for key in keys}
    placed = BoundedAssignment(panel.state["percent"] / 100, panel.nodes, **points)
    for key in keys:
        placed.place(key)
    return {key: placed.node_of(key) for key in keys}


@given(st.lists(ACTIONS, max_size=6))
@settings(max_examples=40)
def test_every_frame_shows_the_librarys_placement(actions):
    panel = HashingPanel()
    for name, value in actions:
        before = colours(panel)
        panel.act(name, value)
        shown, figures = colours(panel), panel.frame().figures
        assert shown == expected(panel)
        loads = Counter(shown.values())
        assert figures["fullest"] == max(loads.values())
        assert figures["nodes"] == len(panel.nodes)
        if name in ("add", "drop"):
            assert figures["moved"] == sum(before[k] != shown[k] for k in before)
        if panel.state["bounded"]:
            slack = panel.state["percent"]
            assert figures["cap"] == ceil(
                (100 + slack) * len(shown) / 100 / figures["nodes"]
            )
            assert figures["fullest"] <= figures["cap"]


def test_a_newcomer_takes_keys_and_nobody_else_gets_any():
    panel = HashingPanel(num_keys=200, virtual_nodes=64)
    before = colours(panel)
    panel.act("add")
    after = colours(panel)
    moved = {key for key in before if before[key] != after[key]}
    assert {after[key] for key in moved} == {"e"}
    assert 0 < len(moved) < 2 * 200 / 5
    # And what it leaves goes back to where it was.
    panel.act("drop")
    assert colours(panel) == before


def test_a_click_on_a_bar_drops_its_node():
    panel = HashingPanel()
    assert [bar.pick for bar in marks_of(panel, Rect).values()] == panel.nodes
    panel.pick("b")
    assert panel.nodes == ["a", "c", "d"]
    with pytest.raises(ValueError, match="there is no node 'b': there are a, c, d"):
        panel.pick("b")


def test_there_is_always_a_node_and_never_more_than_colours():
    panel = HashingPanel()
    for _ in range(9):
        panel.act("drop")
    assert panel.nodes == ["a"]
    assert panel.frame().log == ("one node must stay",)
    for _ in range(9):
        panel.act("add")
    assert sorted(panel.nodes) == list(NAMES)
    assert "no colour" in panel.frame().log[0]


def test_another_rule_moves_keys_between_the_nodes_that_are_there():
    panel = HashingPanel(percent=5)
    panel.act("add")
    before = colours(panel)
    panel.act("bounded", True)
    after = colours(panel)
    assert panel.nodes == list(NAMES[:5])
    assert panel.moved == {key for key in before if before[key] != after[key]} != set()
    for key, mark in marks_of(panel, Circle).items():
        around = HashRing(panel.nodes, virtual_nodes=8).first(key, 5)
        passed = around[: around.index(after[key])]
        assert ("past" in mark.hint) == bool(passed)
        assert all(name in mark.hint.partition("past")[2] for name in passed)
    panel.act("num_keys", 100)
    assert len(panel.owners) == 100


# --- what the page says to try ----------------------------------------------------


def test_try_1_only_the_newcomer_gets_keys_and_gives_them_back():
    panel = HashingPanel()
    before = colours(panel)
    panel.act("add")
    after = colours(panel)
    large = {mark.key for mark in marks_of(panel, Circle).values() if mark.radius > 5}
    assert large == {key for key in before if before[key] != after[key]}
    assert large
    assert {after[key] for key in large} == {"e"}
    panel.act("drop")
    assert colours(panel) == before


def test_try_2_virtual_nodes_even_out_the_shares():
    panel = HashingPanel()
    panel.act("virtual_nodes", 1)
    assert panel.frame().figures["fullest"] == 30
    assert panel.frame().figures["keys"] == 60
    panel.act("virtual_nodes", 64)
    assert panel.frame().figures["fullest"] == 19
    assert panel.frame().figures["keys per node"] == 15


def test_try_3_a_tight_bound_costs_steps_and_moves_between_old_nodes():
    panel = HashingPanel()
    panel.act("bounded", True)
    panel.act("percent", 5)
    figures = panel.frame().figures
    assert figures["fullest"] <= figures["cap"]
    assert figures["full nodes passed"] > 0
    before = colours(panel)
    panel.act("add")
    after = colours(panel)
    assert {after[key] for key in before if before[key] != after[key]} - {"e"}


def test_full_nodes_passed_are_those_before_the_owner_on_the_ring():
    panel = HashingPanel(bounded=True, percent=5)
    ring = HashRing(panel.nodes, virtual_nodes=8)
    passed = 0
    for key, owner in colours(panel).items():
        for node in ring.successors(key):
            if node == owner:
                break
            passed += 1
    assert panel.frame().figures["full nodes passed"] == passed
