"""Control loop 1 alone: a pool, a table, and demand that the test decides on."""

import pytest

from tensorfleet.hashing import BoundedRing
from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.messages import Prefetch, Unload
from tensorfleet.router.policy import Pool, ring_key
from tensorfleet.router.replicas import ReplicaTable, State
from tensorfleet.router.scaling import ScalingLoop
from tests.router.beliefs import KEY, belief, report

PERIOD = 30 * SECOND
COOLDOWN = 60 * SECOND
# Demand is what was counted, from the first period on, and not an average.
CONFIG = RouterConfig(
    replica_share=0.25,
    max_replicas=4,
    heat_half_life_ns=0,
    scaling_period_ns=PERIOD,
    cooldown_ns=COOLDOWN,
)


class Loop:
    """The loop with eight idle instances, stepped a period at a time."""

    def __init__(self, *, hysteresis=True, free_slots=4):
        self.pool = Pool("m", BoundedRing())
        for name in "abcdefgh":
            self.pool.add(belief(name, free_slots=free_slots))
        self.table = ReplicaTable(self.pool, 1)
        self.loop = ScalingLoop(self.table, self.pool, CONFIG, hysteresis)
        self.now = 0
        self.loop.step(0, lambda key: 7)

    def period(self, share, length=PERIOD):
        """A period in which the adapter's requests take so much of an instance."""
        self.now += length
        if share:
            self.table.ask(KEY, round(share * length), self.now)
        return self.loop.step(self.now, lambda key: 7)

    def say(self, name, **said):
        """The instance reports."""
        self.pool.instances[name].observe(
            report(name, self.now + 1, **said), "router", self.now
        )

    def states(self):
        row = self.table.rows.get(KEY)
        return dict(row.states) if row else {}

    def arrive(self, actions):
        for action in actions:
            self.say(action.instance, resident={KEY: 7})
        self.loop.step(self.now, lambda key: 7)

    def order(self):
        return self.pool.ring.successors(ring_key(KEY), 8)


@pytest.mark.parametrize(
    ("share", "replicas"),
    [(0.1, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.9, 4), (5.0, 4)],
)
def test_a_replica_for_every_quarter_of_an_instance(share, replicas):
    loop = Loop()
    actions = loop.period(share)
    assert len(loop.states()) == replicas
    assert len(actions) == replicas - 1
    assert all(type(action) is Prefetch for action in actions)
    assert all(action.generation == 7 for action in actions)


def test_replicas_are_where_the_ring_looks_for_them():
    loop = Loop()
    loop.period(0.9)
    assert set(loop.states()) == set(loop.order()[:4])


def test_a_replica_serves_when_it_has_reported_the_adapter_and_not_while_it_loads():
    loop = Loop()
    (action,) = loop.period(0.5)
    name = action.instance
    for said, state in [
        ({}, State.PREFETCHING),
        ({"loading": {KEY: 7}}, State.PREFETCHING),
        ({"resident": {KEY: 7}}, State.READY),
    ]:
        loop.now += SECOND
        loop.say(name, **said)
        loop.loop.step(loop.now, lambda key: 7)
        assert loop.states()[name] == state
        assert (name in loop.table.serving(KEY, loop.now)) == (state == State.READY)


def test_a_prefetch_that_never_arrives_is_given_up_after_two_periods():
    loop = Loop()
    (action,) = loop.period(0.5)
    for _ in range(2):
        loop.period(0.25)
        assert loop.states()[action.instance] == State.PREFETCHING
    loop.period(0.25, length=PERIOD + 1)
    assert action.instance not in loop.states()


def test_what_cools_down_drains_after_the_cooldown_the_farthest_first():
    loop = Loop()
    loop.arrive(loop.period(0.9))
    order = loop.order()
    serving = set(order[:4])
    for _ in range(2):  # cool at the end of these two, for 0 and for 30 seconds
        loop.period(0.25)
        assert set(loop.table.serving(KEY, loop.now)) == serving
    loop.period(0.25)
    assert loop.table.serving(KEY, loop.now) == (order[0],)
    assert set(loop.states()) == serving


def test_demand_that_comes_back_ends_the_cooling():
    loop = Loop()
    loop.arrive(loop.period(0.9))
    for share in (0.25, 0.25, 0.9, 0.25, 0.25):
        loop.period(share)
        assert len(loop.table.serving(KEY, loop.now)) == 4


def test_between_the_thresholds_nothing_changes():
    """Four replicas are wanted above 0.75; three would do below 70% of that, 0.525."""
    loop = Loop()
    loop.arrive(loop.period(0.76))
    for share in (0.74, 0.53, 0.76, 0.53, 0.74, 0.53, 0.53, 0.53):
        assert loop.period(share) == []
        assert len(loop.table.serving(KEY, loop.now)) == 4


def test_without_hysteresis_it_shrinks_at_once():
    loop = Loop(hysteresis=False)
    loop.arrive(loop.period(0.9))
    loop.period(0.74)
    assert len(loop.table.serving(KEY, loop.now)) == 3


@pytest.mark.parametrize("free_slots", [0, 1])
def test_what_has_drained_is_unloaded_where_slots_are_scarce(free_slots):
    loop = Loop(hysteresis=False)
    loop.arrive(loop.period(0.5))
    loop.period(0.25)
    (name,) = [n for n, state in loop.states().items() if state == State.DRAINING]
    loop.now += 1
    loop.say(name, resident={KEY: 7}, free_slots=free_slots)
    actions = loop.period(0.25)
    assert actions == ([] if free_slots else [Unload(name, KEY)])
    assert name not in loop.states()


def test_the_loop_goes_on_when_the_clock_is_set_back():
    loop = Loop()
    loop.now = 3600 * SECOND
    loop.loop.step(loop.now, lambda key: 7)
    (action,) = loop.period(0.5)
    loop.now = 10 * SECOND  # an hour back, in which the prefetch got lost
    loop.period(0.5)
    assert action.instance not in loop.states()
    assert len(loop.period(0.5)) == 1


def test_a_new_home_is_asked_to_load_unless_it_serves_meanwhile():
    loop = Loop()
    for name in "ab":
        row = loop.table.row(KEY, 0)
        if name not in row.states:
            loop.table.move(row, name, State.PREFETCHING, 0)
        loop.table.wanted.append((KEY, name))
    loop.table.move(row, "a", State.READY, 0)
    asked = {action.instance for action in loop.loop.step(0, lambda key: 7)}
    prefetching = {n for n, state in row.states.items() if state == State.PREFETCHING}
    assert asked == prefetching == {"b"} - set(loop.table.home(KEY))
    assert loop.table.wanted == []
