"""The adapter store, its caches and wires, against models of a few lines."""

from collections import OrderedDict
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.fleet.adapters import AdapterStore
from tensorfleet.fleet.config import HubConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.host import HostCache
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.links import Link
from tensorfleet.fleet.memory import Memory
from tensorfleet.fleet.revisions import READY
from tensorfleet.router.messages import Revision
from tests.fleet.fleets import INSTANCE, key

ROOMY = replace(
    INSTANCE, pool_bytes=10**6, adapter_pool_bytes=10**5, host_bytes=10**6, slots=3
)


class Desk:
    """An instance that only notes who became ready."""

    def __init__(self, config=ROOMY, hub=None):
        self.queue = EventQueue()
        self.hub = Hub(hub or HubConfig(egress_bytes_per_s=10**9, latency_ns=0))
        self.memory = Memory(config.pool_bytes, 1)
        self.store = self.memory.store = AdapterStore(
            config,
            self.memory,
            HostCache(config.host_bytes),
            self.hub,
            lambda key: 1,
            self.queue,
            self,
        )
        self.arrived = []

    def settle(self, now):
        pass

    def ready(self, flights, now):
        self.arrived += [(flight, now) for flight in flights]

    def replan(self, now):
        pass

    def ask(self, name, who, now):
        """A request `who` comes for an adapter; True when it is there."""
        adapter = self.store.enter(key(name), now)
        if adapter.serving.state == READY:
            return True
        adapter.line.append(who)
        return False

    def serve(self, name, now):
        """The request enters a batch and ends at once."""
        weights = self.store.adapters[key(name)].serving
        self.store.bind(weights, now)
        self.store.leave(weights, now)
        self.store.grant(now)
        return weights.generation

    def run(self, until=10**12):
        while len(self.queue) and self.queue.heap[0][0] <= until:
            time, _, action, *details = self.queue.pop()
            action(time, *details)


def test_a_cold_load_takes_both_wires_one_after_the_other():
    desk = Desk()
    assert not desk.ask("x", "first", now=100)
    desk.run()
    assert desk.arrived == [("first", 100 + 10 + 10)]  # 10 bytes at a byte a ns
    assert desk.ask("x", "second", now=200)


def test_loads_are_coalesced():
    desk = Desk()
    desk.ask("x", "first", now=0)
    desk.run(until=5)
    desk.ask("x", "second", now=5)
    desk.run()
    assert desk.arrived == [("first", 20), ("second", 20)]
    assert desk.hub.egress.free_at == 10  # it was sent once
    assert desk.store.slots_used == 1


def test_a_prefetch_is_a_load_without_a_request():
    desk = Desk()
    desk.store.prefetch(key("x"), 0)
    desk.store.prefetch(key("x"), 1)
    desk.run()
    assert desk.ask("x", "first", now=50)
    assert desk.hub.egress.free_at == 10


def test_transfers_queue_on_a_shared_wire():
    """Two instances fetch at once: the hub sends one after the other."""
    hub = Hub(HubConfig(egress_bytes_per_s=10**9, latency_ns=7))
    networks = Link(10**9), Link(10**9)
    assert hub.fetch(10, 0, networks[0]) == 10 + 7
    assert hub.fetch(10, 0, networks[1]) == 20 + 7
    # A slow network sets the time, and takes bytes from when the hub sends them.
    assert hub.fetch(10, 100, Link(10**8)) == 100 + 100 + 7


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1))
def test_a_link_is_a_fifo_server(transfers):
    """Lindley: each starts when it is there and the one before has ended."""
    link, now, free = Link(3 * 10**8), 0, 0
    for gap, size in transfers:
        now += gap
        duration = 0
        while duration * 3 < size * 10:  # the first nanosecond that is enough
            duration += 1
        free = max(now, free) + duration
        assert link.send(size, now) == free


def test_an_outage_holds_transfers_back():
    desk = Desk()
    desk.hub.outage_until = 1000
    desk.ask("x", "first", now=0)
    desk.run()
    assert desk.arrived == [("first", 1020)]


def test_what_was_evicted_comes_back_from_host_memory():
    desk = Desk(replace(ROOMY, slots=1))
    for number, name in enumerate("xyx"):
        desk.ask(name, number, now=100 * number)
        desk.run(until=100 * number + 99)
        desk.serve(name, 100 * number + 99)
    # Twice both wires, then PCIe alone.
    assert desk.arrived == [(0, 20), (1, 120), (2, 210)]


@given(
    st.lists(st.integers(0, 6), max_size=60),
    st.integers(1, 4),
    st.integers(0, 5),
)
def test_both_caches_are_lru(names, slots, host_size):
    """One request after the other, against two ordered dictionaries."""
    desk = Desk(replace(ROOMY, slots=slots, host_bytes=10 * host_size))
    gpu, host = OrderedDict(), OrderedDict()
    for number, name in enumerate(names):
        now = 100 * number
        expected = None
        if name in gpu:
            gpu.move_to_end(name)
        else:
            expected = now + 20
            if name in host:
                expected = now + 10
                host.move_to_end(name)
            elif host_size:
                host[name] = True
                if len(host) > host_size:
                    host.popitem(last=False)
            gpu[name] = True
            if len(gpu) > slots:
                gpu.popitem(last=False)
        desk.arrived.clear()
        assert desk.ask(name, number, now) == (expected is None)
        desk.run(until=now + 50)
        assert desk.arrived == ([] if expected is None else [(number, expected)])
        desk.serve(name, now + 50)
        resident, loading = desk.store.contents()
        assert set(resident) == {key(name) for name in gpu}
        assert not loading
        assert desk.store.available_slots() == slots


def test_loads_wait_for_a_slot_in_their_order():
    desk = Desk(replace(ROOMY, slots=1))
    desk.ask("x", "x", now=0)
    desk.run()
    assert not desk.ask("y", "y", now=50)
    assert not desk.ask("z", "z", now=60)
    assert desk.store.available_slots() == 0
    desk.run()
    assert desk.arrived == [("x", 20)]
    desk.serve("x", now=100)
    desk.run()
    assert desk.arrived[1:] == [("y", 120)]
    desk.serve("y", now=200)
    desk.run()
    assert desk.arrived[2:] == [("z", 220)]


def test_the_adapters_share_of_memory_bounds_loads_too():
    desk = Desk(replace(ROOMY, adapter_pool_bytes=25))
    for name in "xyz":
        desk.ask(name, name, now=0)
    desk.run()
    assert [who for who, _ in desk.arrived] == ["x", "y"]
    desk.serve("x", now=100)  # idle now, and evicted for z
    desk.run()
    assert desk.arrived[2:] == [("z", 120)]
    assert desk.memory.adapter_bytes == 20


def test_room_is_made_by_what_was_used_longest_ago():
    desk = Desk(replace(ROOMY, pool_bytes=100, adapter_pool_bytes=50))
    desk.ask("x", "x", now=0)
    desk.run()
    desk.memory.prefixes.put(("s", key("x"), 0), 30, 60)
    desk.serve("x", now=70)
    desk.memory.prefixes.put(("t", key("x"), 0), 30, 80)
    assert desk.memory.free() == 30
    assert desk.memory.reclaim(31)  # s was used first
    assert set(desk.memory.prefixes.entries) == {("t", key("x"), 0)}
    assert desk.memory.reclaim(61)  # then the adapter
    assert not desk.store.adapters
    assert desk.memory.reclaim(100)
    assert not desk.memory.reclaim(101)
    assert not desk.memory.fits(101)


def test_unload_waits_until_nobody_needs_it():
    desk = Desk()
    desk.ask("x", "x", now=0)
    desk.store.unload(key("x"), 5)
    desk.run()
    assert desk.arrived == [("x", 20)]
    desk.serve("x", now=30)
    assert not desk.store.adapters
    assert desk.memory.adapter_bytes == desk.store.slots_used == 0


# --- revisions ---------------------------------------------------------------------


def holder_of(name, **changes):
    """A desk that holds generation 1 of an adapter; generation 2 is at the hub."""
    desk = Desk(replace(ROOMY, **changes))
    desk.hub.publish(key(name), Revision("one", 1))
    desk.ask(name, "old", now=0)
    desk.run()
    desk.hub.publish(key(name), Revision("two", 2))
    return desk


def test_a_push_swaps_at_once_when_nothing_waits():
    desk = holder_of("x")
    assert desk.serve("x", now=30) == 1
    desk.store.push(key("x"), 2, 1000, 40)
    assert desk.store.contents() == ({key("x"): 1}, {key("x"): 2})
    assert desk.ask("x", "meanwhile", now=50)  # no downtime
    assert desk.serve("x", now=50) == 1
    desk.run()
    assert desk.store.contents() == ({key("x"): 2}, {})
    assert desk.store.slots_used == 1


def test_a_push_waits_for_the_queue_and_no_longer_than_the_deadline():
    desk = holder_of("x")
    desk.store.push(key("x"), 2, 500, 40)
    desk.run(until=499)
    assert desk.store.contents()[0] == {key("x"): 1}  # "old" still waits
    desk.run(until=500)
    assert desk.store.contents()[0] == {key("x"): 2}
    assert desk.serve("x", now=501) == 2


def test_those_who_began_with_the_old_revision_end_with_it():
    desk = holder_of("x")
    old = desk.store.adapters[key("x")].serving
    desk.store.bind(old, 30)
    desk.store.push(key("x"), 2, 1000, 40)
    desk.run()
    assert desk.store.contents()[0] == {key("x"): 2}
    assert desk.store.slots_used == 2  # side by side
    assert desk.ask("x", "new", now=100)
    assert desk.serve("x", now=100) == 2
    desk.store.leave(old, 110)
    assert desk.store.slots_used == 1


def test_a_superseded_push_never_serves():
    desk = holder_of("x")
    desk.serve("x", now=30)
    desk.store.push(key("x"), 2, 1000, 40)
    desk.hub.publish(key("x"), Revision("one", 3))
    desk.store.push(key("x"), 3, 1000, 45)
    desk.store.push(key("x"), 2, 1000, 46)  # late
    desk.run()
    assert desk.store.contents() == ({key("x"): 3}, {})
    assert desk.store.slots_used == 1
    assert desk.memory.adapter_bytes == 10


def test_with_one_slot_the_idle_old_revision_makes_room_for_the_new():
    desk = holder_of("x", slots=1)
    desk.serve("x", now=30)
    desk.store.push(key("x"), 2, 1000, 40)
    assert not desk.ask("x", "late", now=45)
    desk.run()
    assert desk.arrived[-1] == ("late", 60)
    assert desk.serve("x", now=60) == 2


def test_a_push_for_what_is_not_here_is_ignored():
    desk = Desk()
    desk.store.push(key("x"), 1, 1000, 0)
    assert not desk.store.adapters
    assert len(desk.queue) == 0


def test_generations_only_grow():
    hub = Hub(HubConfig())
    hub.publish(key("x"), Revision("one", 1))
    with pytest.raises(ValueError, match="must be larger than 1"):
        hub.publish(key("x"), Revision("two", 1))
    hub.publish(key("x"), Revision("two", 2))
    hub.publish(key("x"), Revision("one", 3))  # a rollback
    assert hub.generation(key("x"), "one") == 3
    assert hub.generation(key("x"), "two") == 2
    assert hub.generation(key("x"), "three") is None


def test_links_need_a_rate():
    with pytest.raises(ValueError, match="rate of a link is 0"):
        Link(0)
