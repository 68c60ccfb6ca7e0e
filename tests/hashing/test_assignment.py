"""The placement against its definition, and the moves against the theorem."""

from collections import Counter
from fractions import Fraction
from math import ceil
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tensorfleet.hashing import BoundedAssignment, HashRing, stable_hash
from tests.hashing.brute import CIRCLE, assignment

EPSILONS = [0.01, 0.1, Fraction(1, 3), 0.5, 1, 3]


def one_spot(key):
    """A hash that sends every key to one spot: as unfriendly as it gets."""
    return stable_hash(key) if "#" in key else CIRCLE // 2


class AssignmentMachine(RuleBasedStateMachine):
    """Keys and nodes come and go; each step is compared with placing all keys anew."""

    hash = staticmethod(stable_hash)

    @initialize(epsilon=st.sampled_from(EPSILONS), virtual_nodes=st.integers(1, 3))
    def start(self, epsilon, virtual_nodes):
        self.epsilon, self.virtual_nodes = epsilon, virtual_nodes
        self.tested = BoundedAssignment(
            epsilon, ["n0"], virtual_nodes=virtual_nodes, hash=self.hash
        )
        self.keys, self.nodes = {}, {"n0"}

    @rule(number=st.integers(0, 40))
    def place(self, number):
        key = f"key-{number}"
        if key in self.keys:
            with pytest.raises(ValueError, match="is placed already"):
                self.tested.place(key)
            return
        node, moved = self.moved_by(lambda: self.tested.place(key), {*self.keys, key})
        assert node == self.keys[key]
        assert moved == self.expected_moves

    @rule(number=st.integers(0, 40))
    def remove(self, number):
        key = f"key-{number}"
        if key not in self.keys:
            with pytest.raises(KeyError, match="is not placed"):
                self.tested.remove(key)
            return
        _, moved = self.moved_by(
            lambda: self.tested.remove(key), self.keys.keys() - {key}
        )
        assert moved == self.expected_moves

    @rule(number=st.integers(0, 7))
    def add_node(self, number):
        node = f"n{number}"
        if node in self.nodes:
            with pytest.raises(ValueError, match="on the ring already"):
                self.tested.add_node(node)
            return
        self.nodes.add(node)
        _, moved = self.moved_by(lambda: self.tested.add_node(node), set(self.keys))
        assert moved == self.expected_moves

    @rule(number=st.integers(0, 7))
    def remove_node(self, number):
        node = f"n{number}"
        if node not in self.nodes:
            with pytest.raises(KeyError, match="is not on the ring"):
                self.tested.remove_node(node)
        elif self.nodes == {node} and self.keys:
            with pytest.raises(ValueError, match="is the last node"):
                self.tested.remove_node(node)
        else:
            self.nodes.remove(node)
            _, moved = self.moved_by(
                lambda: self.tested.remove_node(node), set(self.keys)
            )
            assert moved == self.expected_moves
            if not self.nodes:
                with pytest.raises(ValueError, match="there is no node"):
                    self.tested.place("key-0")
                self.add_node(0)

    def moved_by(self, operation, keys):
        """Run `operation`, find what it should lead to, and count what should move."""
        moves = self.tested.moves
        result = operation()
        before, self.keys = (
            self.keys,
            assignment(self.epsilon, keys, self.nodes, self.virtual_nodes, self.hash),
        )
        self.expected_moves = sum(
            before[key] != node for key, node in self.keys.items() if key in before
        )
        return result, self.tested.moves - moves

    @invariant()
    def every_key_is_where_the_definition_puts_it(self):
        assert {key: self.tested.node_of(key) for key in self.keys} == self.keys

    @invariant()
    def no_node_holds_more_than_the_cap(self):
        cap = ceil((1 + Fraction(str(self.epsilon))) * len(self.keys) / len(self.nodes))
        assert self.tested.cap() == cap
        counts = Counter(self.keys.values())
        for node in self.nodes:
            assert self.tested.load(node) == counts[node] <= cap


class CrowdedAssignmentMachine(AssignmentMachine):
    hash = staticmethod(one_spot)


AssignmentMachine.TestCase.settings = settings(max_examples=60, deadline=None)
CrowdedAssignmentMachine.TestCase.settings = settings(max_examples=40, deadline=None)
TestAssignment = AssignmentMachine.TestCase
TestAssignmentOfKeysAtOneSpot = CrowdedAssignmentMachine.TestCase


def mean_moves(epsilon, num_nodes=50, num_keys=500, num_rings=8, num_probes=60):
    """Moves for a key that comes or goes, and for a node, over several rings.

    One virtual node each, as in the theorem.
    """
    by_keys = by_nodes = 0
    for ring in range(num_rings):
        nodes = [f"{ring}/node-{i}" for i in range(num_nodes)]
        # in no order: the order of names is that of priority
        names = [f"{ring}/key-{i}" for i in range(num_keys + num_probes)]
        Random(ring).shuffle(names)
        held = BoundedAssignment(epsilon, nodes, virtual_nodes=1)
        for name in names[:num_keys]:
            held.place(name)
        start = held.moves
        for comes, goes in zip(names[num_keys:], names, strict=False):
            held.place(comes)
            held.remove(goes)
        by_keys, start = by_keys + held.moves - start, held.moves
        for i in range(3):
            held.add_node(f"{ring}/new-{i}")
            held.remove_node(f"{ring}/node-{i}")
        by_nodes += held.moves - start
    return by_keys / (2 * num_probes * num_rings), by_nodes / (6 * num_rings)


@pytest.mark.slow
def test_moves_grow_no_faster_than_one_over_epsilon_squared():
    """The theorem expects at most c/ε² for a key and c/ε² · m/n for a node, and names
    no c. Growth faster than that would show as a product that rises while ε falls.
    """
    moves = {epsilon: mean_moves(epsilon) for epsilon in (1, 0.4, 0.15, 0.05)}
    keys = [epsilon**2 * by_key for epsilon, (by_key, _) in moves.items()]
    nodes = [epsilon**2 * by_node for epsilon, (_, by_node) in moves.items()]
    assert keys == sorted(keys, reverse=True)
    assert nodes == sorted(nodes, reverse=True)
    # And something moves more when there is less slack, or nothing was measured.
    by_keys, by_nodes = zip(*moves.values(), strict=True)
    assert list(by_keys) == sorted(by_keys)
    assert list(by_nodes) == sorted(by_nodes)


def test_with_much_slack_the_assignment_is_the_plain_ring():
    nodes = [f"node-{i}" for i in range(5)]
    ring, held = HashRing(nodes), BoundedAssignment(50, nodes)
    for i in range(200):
        assert held.place(f"key-{i}") == ring.owner(f"key-{i}")
    assert held.moves == 0


def test_the_cap_is_computed_without_rounding():
    """(1 + 0.1) · 50 is 55; in floats it is a little more, and its ceiling 56."""
    held = BoundedAssignment(0.1, ["only"])
    for i in range(50):
        held.place(f"key-{i}")
    assert ceil((1 + 0.1) * 50) == 56
    assert held.cap() == 55


@pytest.mark.parametrize("epsilon", [0, -0.25, float("nan"), float("inf")])
def test_an_impossible_epsilon_is_named(epsilon):
    with pytest.raises(ValueError, match=f"epsilon is {epsilon}: it must be finite"):
        BoundedAssignment(epsilon)


@pytest.mark.parametrize("epsilon", ["0.25", None, True])
def test_an_epsilon_of_the_wrong_type_is_named(epsilon):
    with pytest.raises(TypeError, match="it must be a number above 0"):
        BoundedAssignment(epsilon)


def test_other_bad_input_is_named_and_changes_nothing():
    held = BoundedAssignment(0.25, ["a"])
    with pytest.raises(TypeError, match="the key 7 is no string"):
        held.place(7)
    with pytest.raises(KeyError, match="the key 'k' is not placed"):
        held.node_of("k")
    with pytest.raises(KeyError, match="the node 'b' is not on the ring"):
        held.load("b")
    assert held.cap() == held.load("a") == held.moves == 0
    assert BoundedAssignment(0.25).cap() == 0
