"""The replica table against its state diagram, while instances come and go."""

from itertools import product

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tensorfleet.hashing import BoundedRing
from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.policy import Pool
from tensorfleet.router.replicas import ReplicaTable, State
from tensorfleet.router.router import Router
from tests.router.beliefs import KEY, OTHER, belief, report

PREFETCHING, READY, STALE, DRAINING = State
GONE = None
# The steps that are allowed, in words: a replica enters by loading the adapter or with
# it; what serves drains before it is taken away, unless nobody would notice; what
# drains may be called back, but has nothing to prefetch.
STEPS = {
    GONE: "prefetching ready",
    PREFETCHING: "ready stale draining gone",
    READY: "stale draining gone",
    STALE: "ready draining gone",
    DRAINING: "ready stale gone",
}


def allowed(old, new):
    return old == new or (new or "gone") in STEPS[old].split()


def table_of(*names, homes=1, holding=()):
    pool = Pool("m", BoundedRing())
    for name in names:
        resident = {KEY: 1} if name in holding else {}
        pool.add(belief(name, resident=resident))
    return ReplicaTable(pool, homes)


@pytest.mark.parametrize(("old", "new"), list(product([GONE, *State], repeat=2)))
def test_only_the_steps_of_the_diagram_can_be_made(old, new):
    table = table_of("w", "x", "y")
    row = table.row(KEY, 0)
    name = next(name for name in table.pool.names if name not in row.states)
    for state in {
        GONE: [],
        STALE: [READY, STALE],
        DRAINING: [READY, DRAINING],
    }.get(old, [old]):
        table.move(row, name, state, 5)
    before = dict(row.states), dict(row.since)
    if allowed(old, new):
        table.move(row, name, new, 7)
        assert row.states.get(name) == new
        since = 5 if old == new else 7
        assert row.since.get(name) == (since if new else None)
    else:
        with pytest.raises(ValueError, match=f"it cannot become {new or 'absent'}"):
            table.move(row, name, new, 7)
        assert (row.states, row.since) == before
    assert (name in table.serving(KEY, 7)) == (row.states.get(name) in (READY, STALE))


def test_no_replica_is_placed_outside_of_the_pool():
    table = table_of("w", "x")
    with pytest.raises(KeyError, match="'stranger' is not in the pool"):
        table.move(table.row(KEY, 0), "stranger", READY, 0)


def test_an_adapter_without_a_row_is_served_at_its_homes_on_the_ring():
    table = table_of("w", "x", "y", "z", homes=2)
    homes = tuple(table.pool.ring.successors("a/m", 2))
    assert table.serving(KEY, 0) == homes
    assert not table.rows


def test_a_new_home_prefetches_while_the_former_one_serves():
    table = table_of("w", "x", "y")
    (former,) = table.serving(KEY, 0)
    table.pool.instances[former].observe(
        report(former, 1, resident={KEY: 1}), "router", 1
    )
    new = 0
    while table.home(KEY) == (former,):
        new += 1
        table.pool.add(belief(f"new {new}"))
    (home,) = table.home(KEY)
    assert table.serving(KEY, 2) == (former,)
    assert table.wanted == [(KEY, home)]
    row = table.row(KEY, 2)
    assert row.states == {former: READY, home: PREFETCHING}
    table.move(row, home, READY, 3)
    assert set(table.serving(KEY, 3)) == {former, home}


def test_a_new_home_serves_at_once_when_nobody_holds_the_adapter():
    table = table_of("w", "x", "y")
    (former,) = table.serving(KEY, 0)
    table.pool.remove(former)
    assert table.serving(KEY, 1) == table.home(KEY)
    assert not table.wanted


def test_work_is_counted_across_changes_of_membership(monkeypatch):
    table = table_of("w", "x", "y")
    asked = {KEY: 0, OTHER: 0}
    for number, (key, work) in enumerate([(KEY, 5), (OTHER, 3), (OTHER, 2), (KEY, 1)]):
        table.ask(key, work, number)
        asked[key] += work
        table.pool.add(belief(f"new-{number}"))
    # Nor is it lost when too many adapters are remembered.
    monkeypatch.setattr("tensorfleet.router.replicas.MAX_KNOWN_KEYS", 1)
    for key, work in ((KEY, 7), (OTHER, 8), (KEY, 9)):
        table.ask(key, work, 9)
        asked[key] += work
    assert table.take_asked() == asked
    assert table.take_asked() == {}


def test_the_first_home_is_in_front_whoever_was_there_before():
    """All routers must agree on it, the one that saw it return and the one that not."""
    pool = Pool("m", BoundedRing())
    for name in "vwxyz":
        pool.add(belief(name, resident={KEY: 1}))
    table = ReplicaTable(pool, 2, 3)
    order = pool.ring.successors("a/m", 5)
    row = table.row(KEY, 0)
    pool.remove(order[0])
    assert table.serving(KEY, 1) == tuple(order[1:3])
    pool.add(belief(order[0], resident={KEY: 1}))
    assert table.serving(KEY, 2) == tuple(order[:3])
    assert list(row.states) != order[:3]


def test_a_draining_replica_that_becomes_a_home_serves_at_once():
    table = table_of("w", "x", "y", "z")
    home, draining, holder = table.pool.ring.successors("a/m", 3)
    table.pool.instances[holder].observe(
        report(holder, 1, resident={KEY: 1}), "router", 1
    )
    row = table.row(KEY, 1)
    for name in (draining, holder):
        table.move(row, name, READY, 1)
    table.move(row, draining, DRAINING, 1)
    table.pool.remove(home)
    assert set(table.serving(KEY, 2)) == {draining, holder}
    assert not table.wanted


def test_a_follower_serves_where_the_leader_says_and_at_home_where_it_says_nothing():
    table = table_of("w", "x", "y", "z")
    table.row(OTHER, 0)
    (home,) = table.home(KEY)
    elsewhere = next(name for name in table.pool.names if name != home)
    table.adopt({KEY: (elsewhere, "unknown here")}, 1)
    assert table.serving(KEY, 1) == (elsewhere,)
    assert list(table.rows) == [KEY]
    table.adopt({KEY: ("unknown here",)}, 2)
    assert table.serving(KEY, 2) == (home,)


def test_a_follower_adopts_although_an_instance_or_all_of_them_have_left():
    table = table_of("w", "x", "y", "z")
    row = table.row(KEY, 0)
    (home,) = table.home(KEY)
    for name in table.pool.names:
        table.move(row, name, READY, 0)
    table.pool.remove(next(name for name in table.pool.names if name != home))
    table.adopt({KEY: (home,)}, 1)
    assert table.serving(KEY, 1) == (home,)
    for name in list(table.pool.names):
        table.pool.remove(name)
    table.adopt({KEY: (home,)}, 2)


def test_the_scaling_loop_goes_on_when_a_draining_replica_leaves():
    router = Router(RouterConfig(scaling_period_ns=SECOND))
    for name in "wxyz":
        router.join(name, 0, model="m")
    table = router.members.policies()[0].table
    row = table.row(KEY, 0)
    leaver = next(name for name in "wxyz" if name not in row.states)
    table.move(row, leaver, READY, 0)
    table.move(row, leaver, DRAINING, 0)
    router.step(0)
    router.leave(leaver, 1)
    router.step(SECOND)
    assert leaver not in row.states


KEYS = st.sampled_from([KEY, OTHER])
NAMES = st.sampled_from("tuvwxyz")


class Replicas(RuleBasedStateMachine):
    @initialize(homes=st.integers(1, 3), names=st.sets(NAMES, min_size=1))
    def begin(self, homes, names):
        self.table = table_of(*sorted(names), homes=homes)
        self.pool = self.table.pool
        self.now = 0
        self.seen = {}
        self.forgotten = set()
        self.sent = []  # what the loop asked to be loaded, beside what the table wants

    @precondition(lambda self: len(self.pool.names) < 7)
    @rule(data=st.data())
    def join(self, data):
        absent = [name for name in "tuvwxyz" if name not in self.pool.instances]
        self.pool.add(belief(data.draw(st.sampled_from(absent))))

    @precondition(lambda self: self.pool.names)
    @rule(data=st.data())
    def leave(self, data):
        self.pool.remove(data.draw(st.sampled_from(self.pool.names)))

    @precondition(lambda self: self.pool.names)
    @rule(data=st.data(), held=st.sets(KEYS))
    def tell(self, data, held):
        name = data.draw(st.sampled_from(self.pool.names))
        resident = dict.fromkeys(sorted(held), 1)
        said = report(name, self.now, resident=resident)
        self.pool.instances[name].observe(said, "router", self.now)

    @precondition(lambda self: self.pool.names)
    @rule(key=KEYS)
    def ask_for(self, key):
        serving = self.table.serving(key, self.now)
        assert serving
        assert len(set(serving)) == len(serving)
        assert set(serving) <= set(self.pool.names)
        row = self.table.rows.get(key)
        states = row.states if row else {}
        listed = [name for name in states if states[name] in (READY, STALE)]
        # The homes come first, in the order of the ring.
        place = {name: number for number, name in enumerate(self.table.home(key))}
        listed.sort(key=lambda name: place.get(name, len(place)))
        assert list(serving) == (listed or list(self.table.home(key)))

    @precondition(lambda self: self.pool.names)
    @rule(key=KEYS, data=st.data(), new=st.sampled_from([GONE, *State]))
    def move(self, key, data, new):
        """As a control loop may: it leaves the homes in place."""
        row = self.table.row(key, self.now)
        self.rows_follow_the_pool_by_the_steps_of_the_diagram()
        name = data.draw(st.sampled_from(self.pool.names))
        away = new in (GONE, PREFETCHING, DRAINING)
        if allowed(row.states.get(name), new) and not (
            away and name in self.table.home(key)
        ):
            self.table.move(row, name, new, self.now)
            if new == PREFETCHING:
                self.sent.append((key, name))

    @precondition(lambda self: self.table.rows and self.pool.names)
    @rule(data=st.data())
    def forget(self, data):
        self.table.follow_pool(self.now)
        key = data.draw(st.sampled_from(list(self.table.rows)))
        self.table.forget(key)
        self.forgotten.add(key)

    @rule()
    def arrive(self):
        """The control loop's prefetches have arrived."""
        self.table.follow_pool(self.now)
        for key, name in self.table.wanted + self.sent:
            row = self.table.rows.get(key)
            if row and row.states.get(name) == PREFETCHING:
                self.table.move(row, name, READY, self.now)
        self.table.wanted, self.sent = [], []

    @invariant()
    def rows_follow_the_pool_by_the_steps_of_the_diagram(self):
        if not hasattr(self, "table"):
            return
        self.now += 1
        self.table.follow_pool(self.now)
        states = {}
        for key, row in self.table.rows.items():
            assert set(row.states) <= set(self.pool.names)
            assert row.since.keys() == row.states.keys()
            states |= {(key, name): state for name, state in row.states.items()}
        for key, name in states.keys() | self.seen.keys():
            if key in self.forgotten or name not in self.pool.instances:
                continue
            old, new = self.seen.get((key, name)), states.get((key, name))
            assert allowed(old, new), (key, name, old, new)
        self.seen, self.forgotten = states, set()

    def teardown(self):
        if hasattr(self, "table") and self.pool.names:
            for key in (KEY, OTHER):
                self.table.serving(key, self.now)
            self.arrive()
            for key in (KEY, OTHER):
                assert set(self.table.home(key)) <= set(
                    self.table.serving(key, self.now)
                )


Replicas.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestReplicas = pytest.mark.slow(Replicas.TestCase)
