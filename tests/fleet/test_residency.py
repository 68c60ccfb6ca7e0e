"""What an instance holds on to: the order of eviction, and when revisions swap."""

from dataclasses import replace

import pytest

from tensorfleet.fleet.revisions import READY, Adapter
from tensorfleet.fleet.simulation import Simulation
from tests.fleet.fleets import INSTANCE, ScriptedRouter, fleet, key, request

GAP = 10**7  # enough for a load and an answer


def held_after(adapters, slots):
    """What an instance holds after one request for each, one after the other."""
    arrivals = [
        (number * GAP, request(number, adapter), 1)
        for number, adapter in enumerate(adapters)
    ]
    config = replace(INSTANCE, slots=slots, max_adapters_per_batch=slots)
    simulation = Simulation(fleet(config), [ScriptedRouter()], arrivals)
    simulation.run()
    return set(simulation.instances["a"].store.adapters)


@pytest.mark.parametrize(
    ("adapters", "slots", "held"),
    [
        ("xy", 2, "xy"),
        ("xyz", 2, "yz"),
        ("xyxz", 2, "xz"),
        ("xyzyxw", 3, "yxw"),
        ("xyzxyzw", 3, "yzw"),
    ],
)
def test_the_least_recently_used_adapter_makes_room(adapters, slots, held):
    assert held_after(adapters, slots) == {key(name) for name in held}


def adapter_with(serving, incoming, *, waiting, deadline):
    """An adapter whose revisions 1 and 2 are in these states (None: not there)."""
    adapter = Adapter(key("x"))
    if serving is not None:
        adapter.serving = adapter.hold(1, 1, 1)
        adapter.serving.state = serving
    if incoming is not None:
        adapter.incoming = adapter.hold(2, 1, 1)
        adapter.incoming.state = incoming
    adapter.waiting, adapter.deadline = waiting, deadline
    return adapter


@pytest.mark.parametrize(
    ("serving", "incoming", "waiting", "now", "is_due"),
    [
        (READY, READY, 0, 0, True),  # nothing waits
        (READY, READY, 1, 9, False),
        (READY, READY, 1, 10, True),  # a hot adapter, at the deadline
        (READY, READY - 1, 0, 99, False),  # not loaded, whatever the time
        (READY, None, 0, 99, False),
        (READY - 1, READY, 1, 0, True),  # what serves is not even loaded
        (None, READY, 0, 0, True),
    ],
)
def test_a_revision_swaps_when_nothing_waits_or_at_the_deadline(
    serving, incoming, waiting, now, is_due
):
    adapter = adapter_with(serving, incoming, waiting=waiting, deadline=10)
    assert adapter.is_due(now) == is_due


@pytest.mark.parametrize(
    ("serving", "incoming", "news"),
    [(READY, None, [2, 3]), (READY, READY, [3]), (None, None, [])],
)
def test_only_a_newer_generation_is_news(serving, incoming, news):
    adapter = adapter_with(serving, incoming, waiting=0, deadline=0)
    assert [number for number in range(4) if adapter.accepts(number)] == news
