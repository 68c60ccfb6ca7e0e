"""The router's ring against a scan of all nodes, whatever loads it is told."""

from fractions import Fraction
from itertools import pairwise
from math import ceil, exp
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tensorfleet.hashing import BoundedRing, HashRing, Walk
from tests.hashing.brute import order_from

KEYS = [f"key-{i}" for i in range(6)]
WEIGHTS = {"n0": 1, "n1": 1, "n2": 0.5, "n3": 2.5, "n4": 1, "n5": 0.1, "n6": 1}


class BoundedMachine(RuleBasedStateMachine):
    """Loads and nodes come and go; every answer is compared with a scan."""

    weighted = True

    @initialize(
        epsilon=st.sampled_from([0.1, 0.25, 1, 3]),
        floor=st.sampled_from([0, 1, 5]),
        max_steps=st.sampled_from([1, 2, 3, 64]),
    )
    def start(self, epsilon, floor, max_steps):
        self.ring = BoundedRing(
            epsilon=epsilon, floor=floor, max_steps=max_steps, virtual_nodes=2
        )
        self.growth = 1 + Fraction(str(epsilon))
        self.floor, self.max_steps = floor, max_steps
        self.loads = {}

    def weight(self, node):
        return Fraction(str(WEIGHTS[node])) if self.weighted else Fraction(1)

    def limit(self, amount):
        weight = sum(map(self.weight, self.loads))
        average = Fraction(sum(self.loads.values()) + amount) / weight
        return max(self.floor, ceil(self.growth * average))

    def cap(self, node, amount):
        return ceil(self.limit(amount) * self.weight(node))

    def order(self, key):
        weights = WEIGHTS if self.weighted else None
        return order_from(key, self.loads, 2, weights=weights)

    @rule(node=st.sampled_from(sorted(WEIGHTS)))
    def add_or_remove(self, node):
        if node in self.loads:
            self.ring.remove(node)
            del self.loads[node]
        else:
            self.ring.add(node, WEIGHTS[node] if self.weighted else 1.0)
            self.loads[node] = 0

    @rule(data=st.data(), amount=st.integers(0, 9), overflow=st.booleans())
    def admit(self, data, amount, overflow):
        if not self.loads:
            return
        node = data.draw(st.sampled_from(sorted(self.loads)))
        if not overflow and self.loads[node] >= self.cap(node, amount):
            with pytest.raises(ValueError, match=f"'{node}' has the load"):
                self.ring.admit(node, amount, now=0)
        else:
            self.ring.admit(node, amount, now=0, overflow=overflow)
            self.loads[node] += amount

    @rule(data=st.data(), amount=st.integers(0, 9))
    def release(self, data, amount):
        if not self.loads:
            return
        node = data.draw(st.sampled_from(sorted(self.loads)))
        if amount > self.loads[node]:
            with pytest.raises(ValueError, match=f"cannot be released from '{node}'"):
                self.ring.release(node, amount)
        else:
            self.ring.release(node, amount)
            self.loads[node] -= amount

    @rule(data=st.data(), amount=st.integers(1, 9))
    def offer_light(self, data, amount):
        if not self.loads:
            return
        node = data.draw(st.sampled_from(sorted(self.loads)))
        weights = {name: self.weight(name) for name in self.loads}
        share = Fraction(weights[node], sum(weights.values()))
        middle = (1 + self.growth) / 2 * sum(self.loads.values()) * share
        is_light = self.loads[node] <= middle
        is_light |= self.loads[node] < ceil(self.floor * weights[node])
        # It never admits what `admit` would refuse.
        assert not is_light or self.loads[node] < self.cap(node, amount)
        assert self.ring.offer_light(node, amount) == is_light
        self.loads[node] += amount * is_light

    @rule(data=st.data(), load=st.integers(0, 30))
    def set_load(self, data, load):
        if self.loads:
            node = data.draw(st.sampled_from(sorted(self.loads)))
            self.ring.set_load(node, load)
            self.loads[node] = load

    @rule(key=st.sampled_from(KEYS), count=st.integers(1, 5), amount=st.integers(0, 9))
    def walk(self, key, count, amount):
        if not self.loads:
            with pytest.raises(ValueError, match="the ring is empty"):
                self.ring.walk(key, count, 0, amount)
            return
        looked_at = self.order(key)[: self.max_steps]
        limit = self.limit(amount)
        has_room = [self.loads[node] < self.cap(node, amount) for node in looked_at]
        roomy = [node for node, room in zip(looked_at, has_room, strict=True) if room]
        walk = self.ring.walk(key, count, 0, amount)
        if roomy:
            assert walk == Walk(roomy[:count], has_room.index(True), False)
        else:
            assert walk == Walk([self.least()], len(looked_at), True)
        assert self.ring.limit(0, amount) == limit
        for node in looked_at:
            assert self.ring.cap(node, 0, amount) == self.cap(node, amount)
        assert self.ring.with_room(looked_at, limit) == roomy

    @rule(key=st.sampled_from(KEYS), count=st.integers(1, 9))
    def successors(self, key, count):
        if self.loads:
            assert self.ring.successors(key, count) == self.order(key)[:count]

    def least(self):
        return min(self.loads, key=lambda n: (self.loads[n] / self.weight(n), n))

    @rule()
    def least_loaded_is_the_least_of_all(self):
        # a rule and not an invariant, so that many changes come between two queries
        if self.loads:
            assert self.ring.least_loaded() == self.least()

    @invariant()
    def loads_are_what_was_done_to_them(self):
        assert self.ring.loads == self.loads
        assert self.ring.total == sum(self.loads.values())
        assert self.ring.weights.keys() == self.loads.keys()

    @invariant()
    def no_load_is_below_the_bound(self):
        if self.loads:
            assert self.ring.least_bound() <= min(self.loads.values())

    @invariant()
    def the_index_stays_small(self):
        assert len(self.ring._index._heap) <= 2 * len(self.loads) + 8


class EqualMachine(BoundedMachine):
    weighted = False


BoundedMachine.TestCase.settings = settings(
    max_examples=70, stateful_step_count=40, deadline=None
)
EqualMachine.TestCase.settings = settings(max_examples=50, deadline=None)
TestBoundedRing = BoundedMachine.TestCase
TestBoundedRingOfEqualNodes = EqualMachine.TestCase


def ring_of(num_nodes, **options):
    ring = BoundedRing(**options)
    for i in range(num_nodes):
        ring.add(f"node-{i}")
    return ring


@given(
    st.lists(st.text(max_size=3), max_size=60),
    st.integers(1, 7),
    st.sampled_from([0.1, 0.25, 1]),
)
@settings(max_examples=60, deadline=None)
def test_unit_loads_stay_within_the_cap_of_the_theorem(keys, num_nodes, epsilon):
    """Some node always has room, so nothing overflows, and the cap ⌈(1+ε)m/n⌉ holds
    for every node, since it never falls while keys only arrive.
    """
    ring = ring_of(num_nodes, epsilon=epsilon)
    for number, key in enumerate(keys, start=1):
        walk = ring.walk(key, 1, now=0, amount=1)
        assert not walk.overflow
        ring.admit(walk.nodes[0], 1, now=0)
        cap = ceil((1 + Fraction(str(epsilon))) * number / num_nodes)
        assert max(ring.loads.values()) <= cap


def test_one_key_fills_the_nodes_that_its_share_needs():
    """A key with all the load fills n/(1+ε) nodes, in the order of the ring."""
    ring = ring_of(10, epsilon=0.25)
    for _ in range(800):
        ring.admit(ring.walk("hot", 1, now=0, amount=1).nodes[0], 1, now=0)
    full = [node for node in ring.successors("hot", 10) if ring.loads[node] == 100]
    assert full == ring.successors("hot", 8)


def test_a_known_key_is_not_hashed_again_until_membership_changes():
    hashed = []

    def counting(key):
        hashed.append(key)
        return HashRing().hash(key)

    ring = ring_of(5, hash=counting)
    hashed.clear()
    for _ in range(3):
        ring.walk("k", 2, now=0)
        ring.successors("k", 2)
    assert hashed == ["k"]
    ring.remove("node-0")
    hashed.clear()
    assert "node-0" not in ring.successors("k", 5)
    assert hashed == ["k"]


def test_the_memory_of_walks_is_bounded(monkeypatch):
    monkeypatch.setattr("tensorfleet.hashing.bounded.MAX_KNOWN_KEYS", 10)
    ring = ring_of(3)
    for i in range(100):
        ring.walk(f"key-{i}", 1, now=0)
        assert len(ring._known) <= 10


TAU = 1_000_000_000


def after_a_long_load(load, **options):
    """One node that has had this load for 20 τ, ending at time 0, and now has none."""
    ring = ring_of(1, smoothing_ns=TAU, **options)
    ring.set_load("node-0", load)
    for now in range(-20 * TAU, 1, TAU // 64):
        ring.limit(now)
    ring.set_load("node-0", 0)
    return ring


def test_smoothing_holds_the_limit_up_when_load_falls():
    """Against exp(-t/τ). An implicit step of dt is exact to (dt/τ)²/2 of what remains;
    64 steps of τ/64 are then within 1/128 of it, and 2% leaves room for the integers.
    """
    ring = after_a_long_load(1_000_000, epsilon=1)
    step = TAU // 64
    limits = [ring.limit(now=i * step) for i in range(129)]
    assert all(one >= other for one, other in pairwise(limits))
    for periods in (0, 1, 2):
        expected = 2_000_000 * exp(-periods)
        assert limits[64 * periods] == pytest.approx(expected, rel=0.02)


def test_smoothing_lets_the_limit_rise_at_once():
    ring = ring_of(2, epsilon=0.5, smoothing_ns=10**9)
    assert ring.limit(now=0) == 1  # the floor
    ring.set_load("node-0", 1000)
    assert ring.limit(now=1) == 750


def test_smoothing_does_not_depend_on_how_often_it_is_asked():
    """Many calls must not round each tiny step of the decay away.

    3%: 1/128 as above, and up to 1/64 since a value is kept for τ/64.
    """
    ring = after_a_long_load(1_000_000, epsilon=1)
    for now in range(0, TAU + 1, TAU // 50_000):
        ring.limit(now)
    assert ring.limit(TAU) == pytest.approx(2_000_000 * exp(-1), rel=0.03)


def test_a_clock_that_is_set_back_neither_fails_nor_freezes_the_average():
    """The limit stays until time goes on; one step of dt = τ then halves it."""
    ring = after_a_long_load(1_000_000, epsilon=1)
    before = ring.limit(now=0)
    assert ring.limit(now=-100 * TAU) == before
    assert ring.limit(now=-99 * TAU) == pytest.approx(before / 2, abs=1)


def test_amounts_are_whole():
    ring = ring_of(1)
    for call in (
        lambda: ring.admit("node-0", 1.5, now=0),
        lambda: ring.release("node-0", "1"),
        lambda: ring.set_load("node-0", True),
    ):
        with pytest.raises(TypeError, match="is no integer"):
            call()
    for call in (
        lambda: ring.admit("node-0", -1, now=0),
        lambda: ring.release("node-0", -1),
        lambda: ring.set_load("node-0", -1),
    ):
        with pytest.raises(ValueError, match="the load is -1: it must be 0 or more"):
            call()
    assert ring.loads == {"node-0": 0}


def test_unknown_nodes_are_named():
    ring = ring_of(1)
    for call in (
        lambda: ring.admit("b", 1, now=0),
        lambda: ring.release("b", 1),
        lambda: ring.set_load("b", 1),
        lambda: ring.cap("b", now=0),
        lambda: ring.remove("b"),
    ):
        with pytest.raises(KeyError, match="the node 'b' is not on the ring"):
            call()


def test_an_empty_ring_says_so():
    ring = BoundedRing()
    for call in (
        lambda: ring.limit(now=0),
        lambda: ring.walk("k", 1, now=0),
        lambda: ring.successors("k", 1),
        lambda: ring.least_loaded(),
    ):
        with pytest.raises(ValueError, match="the ring is empty"):
            call()


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"epsilon": 0}, ValueError, "epsilon is 0"),
        ({"epsilon": "1"}, TypeError, "epsilon is '1'"),
        ({"floor": -1}, ValueError, "floor is -1: it must be 0 or more"),
        ({"floor": 0.5}, TypeError, "floor is 0.5: it must be an integer"),
        ({"smoothing_ns": -1}, ValueError, "smoothing_ns is -1"),
        ({"max_steps": 0}, ValueError, "max_steps is 0: it must be 1 or more"),
        ({"virtual_nodes": 0}, ValueError, "virtual_nodes is 0"),
    ],
)
def test_impossible_parameters_are_named(options, error, said):
    with pytest.raises(error, match=said):
        BoundedRing(**options)


def test_bad_nodes_and_counts_are_named_and_change_nothing():
    ring = ring_of(1)
    with pytest.raises(ValueError, match="on the ring already"):
        ring.add("node-0")
    for weight in (0, -1, 1e-9):
        with pytest.raises(ValueError, match=f"the weight is {weight}"):
            ring.add("b", weight)
    for key in ("k", "k"):  # unknown, then known
        for call in (ring.successors, lambda key, count: ring.walk(key, count, 0)):
            with pytest.raises(ValueError, match="count is 0: it must be at least 1"):
                call(key, 0)
        ring.successors(key, 1)
    with pytest.raises(TypeError, match="the key 7"):
        ring.walk(7, 1, now=0)
    assert list(ring.ring) == list(ring.loads) == ["node-0"]


def test_the_index_forgets_what_no_longer_counts():
    """Loads that rise, are asked about and fall leave old entries; so do nodes."""
    ring = ring_of(50)
    random = Random(1)
    for _ in range(2000):
        node, amount = f"node-{random.randrange(50)}", random.randrange(100)
        kind = random.randrange(3)
        if kind == 0:
            ring.set_load(node, amount)
        elif kind == 1:
            ring.admit(node, amount, now=0, overflow=True)
        else:
            ring.release(node, random.randint(0, ring.loads[node]))
        assert ring.least_loaded() == min(ring.loads, key=lambda n: (ring.loads[n], n))
        assert len(ring._index._heap) <= 2 * 50 + 8
    for left in range(49, 0, -1):
        ring.remove(f"node-{left}")
        assert len(ring._index._heap) <= 2 * left + 8


@pytest.mark.parametrize(("amount", "is_taken"), [(6, False), (7, True)])
@pytest.mark.parametrize("weight", [1.0, 2.0])
def test_an_offer_is_taken_below_the_cap_and_not_at_it(amount, is_taken, weight):
    """1.25 · (10 + 6) / 2 is 10, and with 7 it is 11; two weights of 2 change nothing.

    The cap of weight 2 is twice ⌈1.25 · (10 + 6) / 4⌉ = 5, and with 7 twice 6.
    """
    ring = BoundedRing(epsilon=0.25)
    for node in "xy":
        ring.add(node, weight)
    ring.set_load("x", 10)
    assert ring.offer("x", amount, ring.limit(0, amount)) == is_taken
    assert ring.loads["x"] == 10 + amount * is_taken
