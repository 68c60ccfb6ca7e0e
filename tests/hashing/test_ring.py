"""The ring against the definition, and against what the theory says it costs."""

from collections import Counter
from itertools import islice, pairwise
from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from tensorfleet.hashing import HashRing, stable_hash
from tests.hashing.brute import CIRCLE, order_from

KEYS = [f"key-{i}" for i in range(40)]
NAMES = st.text("abc#0", max_size=4)


def coarse(key):
    """A hash with eight values, so that points meet all the time."""
    return stable_hash(key) % 8 * (CIRCLE // 8)


def crowded(key):
    """A hash that crowds all points into a thousandth of the circle."""
    return stable_hash(key) // 1000


class RingMachine(RuleBasedStateMachine):
    """Nodes come and go; the ring is compared with the definition all the while."""

    hash = staticmethod(stable_hash)
    added = Bundle("added")

    def __init__(self):
        super().__init__()
        self.ring = HashRing(virtual_nodes=3, hash=self.hash)
        self.weights = {}
        self.changes = 0

    @rule(target=added, node=NAMES, weight=st.sampled_from([0.1, 0.5, 1, 2.5]))
    def add(self, node, weight):
        if node in self.weights:
            with pytest.raises(ValueError, match="on the ring already"):
                self.ring.add(node, weight)
            return multiple()
        self.ring.add(node, weight)
        self.weights[node] = weight
        self.changes += 1
        return node

    @rule(node=consumes(added))
    def remove(self, node):
        self.ring.remove(node)
        del self.weights[node]
        self.changes += 1
        with pytest.raises(KeyError, match="is not on the ring"):
            self.ring.remove(node)

    @rule(key=st.text(max_size=3), count=st.integers(1, 9))
    def walks_are_those_of_the_definition(self, key, count):
        if not self.weights:
            with pytest.raises(ValueError, match="the ring is empty"):
                self.ring.first(key, count)
            return
        expected = order_from(key, self.weights, 3, self.hash, self.weights)
        assert self.ring.owner(key) == expected[0]
        assert self.ring.first(key, count) == tuple(expected[:count])
        assert list(self.ring.successors(key)) == expected

    @invariant()
    def membership_is_known(self):
        assert len(self.ring) == len(self.weights)
        assert list(self.ring) == list(self.weights)
        assert all(node in self.ring for node in self.weights)
        assert self.ring.version == self.changes

    @invariant()
    def arcs_cover_the_circle(self):
        arcs = self.ring.arcs()
        assert arcs.keys() == self.weights.keys()
        # Each share is a float with an error of at most 2**-53 of itself.
        assert sum(arcs.values()) == pytest.approx(1 if arcs else 0, abs=1e-12)


class CoarseRingMachine(RingMachine):
    hash = staticmethod(coarse)


class CrowdedRingMachine(RingMachine):
    hash = staticmethod(crowded)


RingMachine.TestCase.settings = settings(max_examples=40, deadline=None)
CoarseRingMachine.TestCase.settings = settings(max_examples=40, deadline=None)
CrowdedRingMachine.TestCase.settings = settings(max_examples=30, deadline=None)
TestRing = RingMachine.TestCase
TestRingWithCollisions = CoarseRingMachine.TestCase
TestRingWithACrowdedHash = CrowdedRingMachine.TestCase


@pytest.mark.parametrize("hash", [stable_hash, coarse, crowded])
@given(seed=st.integers(0, 2**32), num_removed=st.integers(0, 20))
@settings(max_examples=15, deadline=None)
def test_the_order_of_adding_does_not_matter(hash, seed, num_removed):
    """Nor do nodes that were there once: enough of them that buckets double."""
    random = Random(seed)
    nodes = [f"node-{i}" for i in range(40)]
    shuffled = random.sample(nodes, len(nodes))
    ring = HashRing(nodes, virtual_nodes=5, hash=hash)
    other = HashRing(shuffled, virtual_nodes=5, hash=hash)
    for node in random.sample(nodes, num_removed):
        other.remove(node)
        other.add(node)
    assert ring.arcs() == other.arcs()
    for key in KEYS:
        walk = tuple(order_from(key, nodes, 5, hash))
        assert ring.first(key, 40) == other.first(key, 40) == walk


def test_a_key_at_a_point_belongs_to_it_and_one_after_the_last_to_the_first():
    places = {"A#0": 20, "B#0": 40, "at": 40, "after": 41, "before": 0, "between": 21}
    ring = HashRing(["A", "B"], virtual_nodes=1, hash=places.__getitem__)
    owners = {key: ring.owner(key) for key in ("at", "after", "before", "between")}
    assert owners == {"at": "B", "after": "A", "before": "A", "between": "B"}
    assert ring.arcs() == {"A": (CIRCLE - 20) / CIRCLE, "B": 20 / CIRCLE}


def test_successors_are_found_only_as_far_as_they_are_asked_for():
    ring = HashRing(f"node-{i}" for i in range(1000))
    assert list(islice(ring.successors("k"), 5)) == list(ring.first("k", 5))
    walk = ring.successors("k")
    next(walk)
    ring.remove("node-7")
    with pytest.raises(RuntimeError, match="changed"):
        next(walk)


def test_a_node_that_arrives_takes_keys_and_no_other_key_moves():
    ring = HashRing(f"node-{i}" for i in range(20))
    keys = [f"key-{i}" for i in range(5000)]
    before = {key: ring.owner(key) for key in keys}
    ring.add("new")
    after = {key: ring.owner(key) for key in keys}
    moved = {key for key in keys if before[key] != after[key]}
    assert {after[key] for key in moved} == {"new"}
    ring.remove("new")
    assert {key: ring.owner(key) for key in keys} == before


def test_a_node_that_arrives_or_leaves_moves_the_fair_share_of_keys():
    """m/(n+1) keys when one joins n or one of n+1 leaves. Over 40 rings the mean share
    of the newcomer has a relative error of about 1/sqrt(40 · 64) = 2% (arcs), and less
    from the keys; 10% is five times that.
    """
    num_nodes, keys, moved = 10, [f"key-{i}" for i in range(1000)], []
    for number in range(40):
        ring = HashRing(f"{number}/node-{i}" for i in range(num_nodes))
        before = [ring.owner(key) for key in keys]
        ring.add("new")
        after = [ring.owner(key) for key in keys]
        moved.append(sum(a != b for a, b in zip(before, after, strict=True)))
        ring.remove("new")
        assert [ring.owner(key) for key in keys] == before
    assert fmean(moved) == pytest.approx(len(keys) / (num_nodes + 1), rel=0.10)


def test_the_spread_of_shares_falls_as_the_square_root_of_the_virtual_nodes():
    """Shares of v arcs each have a relative standard deviation of nearly 1/sqrt(v).

    Over 400 nodes a standard deviation is estimated to about 1/sqrt(800) = 3.5% (7% for
    v = 1, whose arcs are exponential); the tolerance is three times as wide.
    """
    for virtual_nodes in (1, 4, 16, 64):
        nodes = [f"node-{i}" for i in range(400)]
        shares = HashRing(nodes, virtual_nodes=virtual_nodes).arcs().values()
        spread = pstdev(shares) / fmean(shares)
        assert spread == pytest.approx(virtual_nodes**-0.5, rel=0.21)


def test_arcs_are_the_shares_of_keys_that_nodes_own():
    """Of 20,000 keys: a share s is counted to sqrt(s/20,000); five of these allowed."""
    ring = HashRing([f"node-{i}" for i in range(10)], virtual_nodes=8)
    counts = Counter(ring.owner(f"key-{i}") for i in range(20_000))
    for node, share in ring.arcs().items():
        allowed = 5 * (share / 20_000) ** 0.5
        assert counts[node] / 20_000 == pytest.approx(share, abs=allowed)


def test_weights_are_shares():
    """A node of weight 3 has 192 points of 64·12; a deviation of 1/sqrt(192) = 7%."""
    ring = HashRing([f"node-{i}" for i in range(9)])
    ring.add("large", weight=3)
    assert ring.arcs()["large"] == pytest.approx(3 / 12, rel=3 * 192**-0.5)


def test_buckets_stay_short_however_many_points_come():
    """So a search or an insertion looks at few points. The mean of a bucket is 6 to 12;
    of 16,384 Poisson variables with mean 12 one reaches 40 with a chance of 10**-5.
    """
    ring = HashRing((f"node-{i}" for i in range(2000)), virtual_nodes=64)
    buckets = ring._points._nodes
    assert sum(map(len, buckets)) == 2000 * 64
    assert max(map(len, buckets)) < 40
    assert all(one <= other for one, other in pairwise(ring._points))


@pytest.mark.parametrize("virtual_nodes", [0, -1, 1.5, "64"])
def test_impossible_virtual_nodes_are_named(virtual_nodes):
    with pytest.raises(ValueError, match="it must be an integer, 1 or more"):
        HashRing(virtual_nodes=virtual_nodes)


@pytest.mark.parametrize(
    ("weight", "error"),
    [(0, ValueError), (-1, ValueError), (float("nan"), ValueError),
     (float("inf"), ValueError), ("1", TypeError), (True, TypeError)],
)  # fmt: skip
def test_impossible_weights_are_named(weight, error):
    ring = HashRing(["a"])
    with pytest.raises(error, match="weight is"):
        ring.add("b", weight)
    assert list(ring) == ["a"]
    assert ring.version == 1


def test_other_bad_input_is_named_and_changes_nothing():
    ring = HashRing(["a"])
    with pytest.raises(TypeError, match="the node 7 is no string"):
        ring.add(7)
    with pytest.raises(TypeError, match="the key 7 is a int"):
        ring.owner(7)
    with pytest.raises(ValueError, match="count is 0"):
        ring.first("k", 0)
    for call in (HashRing().owner, HashRing().successors):
        with pytest.raises(ValueError, match="the ring is empty"):
            call("k")
    for outside in (-1, CIRCLE):
        bad = HashRing(hash=lambda _, outside=outside: outside)
        with pytest.raises(ValueError, match=r"it must be from 0 to 2\*\*64 - 1"):
            bad.add("a")
        assert len(bad) == 0
