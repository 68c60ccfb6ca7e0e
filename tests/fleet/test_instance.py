"""The fast instance against the plain one, and timelines worked out by hand."""

from collections import Counter
from dataclasses import replace
from random import Random
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.fleet.revisions import LOADING, READY
from tensorfleet.fleet.simulation import Simulation
from tests.fleet.fleets import (
    COSTS,
    INSTANCE,
    ScriptedRouter,
    fleet,
    random_run,
    request,
)

RECORD = (
    "status",
    "reason",
    "started",
    "first_token",
    "end",
    "instance",
    "cold",
    "adapter_wait",
    "generation",
    "retries",
    "preemptions",
    "cached_tokens",
    "written",
)


def record(flight):
    return (flight.request.id, *(getattr(flight, name) for name in RECORD))


def agree(seed, count):
    """On every request's record, and on all that the routers are told on the way."""
    build = random_run(seed, count)
    fast, plain = build(reference=False), build(reference=True)
    fast.run()
    plain.run()
    for one, other in zip(fast.flights, plain.flights, strict=True):
        assert record(one) == record(other)
    for one, other in zip(fast.routers, plain.routers, strict=True):
        assert one.diary == other.diary
    assert fast.now == plain.now
    for name in fast.instances:
        assert fast.busy_ns(name) == plain.busy_ns(name)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
def test_fast_and_reference_agree(seed, count):
    agree(seed, count)


@pytest.mark.slow
def test_fast_and_reference_agree_on_many_runs():
    """Of which some preempt, retry, swap revisions, move KV or find prefixes cached."""
    seen = Counter()
    for seed in range(150):
        agree(seed, count=40)
        simulation = random_run(seed, count=40)(reference=False)
        for flight in simulation.run():
            seen["preempted"] += flight.preemptions > 0
            seen["retried"] += flight.retries > 0
            seen["cold"] += flight.adapter_wait > 0
            seen["cached"] += flight.cached_tokens > 0
            seen["moved"] += flight.transferred
            seen["newer"] += flight.generation > 1
            seen[flight.status] += 1
    kinds = ("preempted", "retried", "cold", "cached", "moved", "newer", "failed")
    assert min(seen[kind] for kind in kinds) >= 20, seen


def run(arrivals, instance=INSTANCE, events=(), **settings):
    """The flights of one instance, in both implementations, which must agree."""
    results = []
    for reference in (False, True):
        simulation = Simulation(
            fleet(instance, **settings),
            [ScriptedRouter()],
            [(time, replace(asked), written) for time, asked, written in arrivals],
            events=events,
            reference=reference,
        )
        results.append(simulation.run())
    fast, plain = results
    assert [record(flight) for flight in fast] == [record(flight) for flight in plain]
    return fast


# With COSTS a load of rank 1 (10 bytes at a byte a nanosecond, over two wires) takes
# 20 ns, a step 1000 ns and 1 ns for each token of context that it reads.


def test_one_request_by_hand():
    """Prompt of 10: load 20; prefill reads 10; decode steps read 11, 12 tokens."""
    (flight,) = run([(5, request(0, prompt=10), 3)])
    assert flight.cold
    assert flight.adapter_wait == 20
    assert flight.first_token == 5 + 20 + 1010
    assert flight.end == flight.first_token + 1011 + 1012
    assert flight.status == "served"


def test_a_newcomer_waits_for_the_iteration_under_way():
    """The second comes while the first decodes; its prefill shares the next step."""
    first, second = run(
        [
            (0, request(0, prompt=10), 5),  # 20, 1030 | 2041, 3053, ...
            (1500, request(1, prompt=30), 1),
        ]
    )
    assert first.first_token == 1030
    # From 2041: one step for a context of 12 and a prefill that ends at 30.
    assert second.first_token == 2041 + 1000 + 12 + 30
    assert second.end == second.first_token
    assert not second.cold
    # Then the first goes on with contexts 13 and 14.
    assert first.end == second.end + 1013 + 1014


def test_an_arrival_at_a_boundary_joins_the_next_iteration():
    first, second = run(
        [(0, request(0, prompt=10), 3), (1030, request(1, prompt=1), 1)]
    )
    assert first.first_token == 1030
    assert second.first_token == 1030 + 1000 + 11 + 1


def test_long_prompts_are_prefilled_in_chunks():
    """512 tokens fit into one iteration; each chunk reads what lies before it."""
    (flight,) = run([(0, request(0, prompt=1200), 1)])
    assert flight.first_token == 20 + (1000 + 512) + (1000 + 1024) + (1000 + 1200)


def test_a_session_pays_only_for_what_is_new():
    first, second = run(
        [
            (0, request(0, prompt=100, session="s"), 5),
            (10_000, request(1, prompt=150, session="s", prefix_tokens=104), 1),
        ]
    )
    assert first.cached_tokens == 0
    assert second.cached_tokens == 104  # 100 of the prompt, 4 of the 5 written
    # Attention reads the whole context all the same.
    assert second.first_token == 10_000 + 1000 + 150


def test_the_last_admitted_is_preempted_and_ends_all_the_same():
    """Room for 40 tokens: two prompts of 15 grow until 5 more each would be needed."""
    small = replace(INSTANCE, pool_bytes=50, adapter_pool_bytes=10)
    first, second = run(
        [(0, request(0, prompt=15), 20), (0, request(1, prompt=15), 20)], small
    )
    assert (first.preemptions, second.preemptions) == (0, 1)
    # Both are prefilled together, write 5 more tokens each in contexts 16 to 20, and
    # then the first goes on alone.
    together = 20 + 1030
    assert first.first_token == second.first_token == together
    five = sum(1000 + 2 * context for context in range(16, 21))
    fourteen = sum(1000 + context for context in range(21, 35))
    assert first.end == together + five + fourteen
    # The second computes 15 + 6 tokens again, whose step writes its 7th.
    thirteen = sum(1000 + context for context in range(22, 35))
    assert second.end == first.end + 1021 + thirteen


def test_what_can_never_fit_is_refused():
    big, right = run(
        [(0, request(0, prompt=50_000), 2), (0, request(1, prompt=50_000), 1)]
    )
    assert big.status == "failed"
    assert "50001 tokens of KV do not fit" in big.reason
    assert big.end == 0
    assert right.status == "served"


def test_an_adapter_that_can_never_fit_is_refused():
    (flight,) = run([(0, request(0), 1)], rank_of=lambda key: 5001)
    assert flight.status == "failed"
    assert "an adapter of 50010 bytes does not fit" in flight.reason


def test_the_batch_takes_so_many_adapters_and_passes_the_others_over():
    """y and z are on the GPU, too, but wait for x; x's second request does not."""
    narrow = replace(INSTANCE, max_adapters_per_batch=1)
    names = ("x", "y", "z", "x")
    warm = [(0, request(10 + i, name, prompt=1), 1) for i, name in enumerate("xyz")]
    flights = run(
        warm
        + [
            (100_000 + index, request(index, name, prompt=1), 10)
            for index, name in enumerate(names)
        ],
        narrow,
    )
    first_x, y, z, second_x = flights[3:]
    assert second_x.first_token < first_x.end < y.first_token
    assert y.end < z.first_token
    assert not any(flight.cold for flight in flights[3:])


def test_a_stall_shifts_what_is_left():
    (flight,) = run(
        [(0, request(0, prompt=10), 3)],
        events=[
            (500, lambda simulation: simulation.stall("a")),
            (9500, lambda simulation: simulation.resume("a")),
        ],
    )
    assert flight.first_token == 20 + 1010 + 9000


def test_a_slowdown_begins_with_the_next_iteration():
    (flight,) = run(
        [(0, request(0, prompt=10), 3)],
        events=[(500, lambda simulation: simulation.set_slowdown("a", 3000))],
    )
    assert flight.first_token == 1030
    assert flight.end == 1030 + 3 * 1011 + 3 * 1012


def test_one_at_a_time_is_the_md1_queue():
    """Mean wait rho·s / (2 (1 - rho)), Pollaczek-Khinchine for constant service s.

    One sequence at a time, 20 steps each of 1000 ns. At rho = 0.5 the mean of 20,000
    such waits has a standard deviation of 2.2% (over 40 seeds of the recursion
    w' = max(0, w + s - gap)); 4 of those are allowed.
    """
    costs = replace(COSTS, kv_token_ns=0, sequence_ns=0, token_ps=1)
    single = replace(INSTANCE, costs=costs, max_running=1)
    random, time, arrivals = Random(3), 0, []
    for number in range(20_000):
        time += round(random.expovariate(0.5 / 20_000))
        arrivals.append((time, request(number, prompt=1), 20))
    settings = fleet(single, report_interval_ns=10**9)
    flights = Simulation(settings, [ScriptedRouter()], arrivals).run()
    waits = [flight.end - flight.arrival - 20_000 for flight in flights]
    expected = 0.5 * 20_000 / (2 * 0.5)
    assert mean(waits) == pytest.approx(expected, rel=0.09)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
def test_memory_slots_and_sums_are_what_they_stand_for(seed, count):
    """Counted anew from the flights and the weights, at many moments of a run."""
    simulation = random_run(seed, count)(reference=False)
    horizon = simulation.fleet.report_interval_ns * 4
    for moment in range(0, horizon * 10, horizon // 3):
        simulation.advance(moment)
        for instance in simulation.instances.values():
            check(instance, moment)


def check(instance, now):
    instance.settle(now)
    config, memory, store = instance.config, instance.memory, instance.store
    in_slots = [
        weights
        for adapter in store.adapters.values()
        for weights in adapter.held.values()
        if weights.state in (LOADING, READY)
    ]
    assert store.slots_used == len(in_slots) <= config.slots
    size = sum(weights.size for weights in in_slots)
    assert memory.adapter_bytes == size <= config.adapter_pool_bytes
    assert memory.free() >= 0
    assert store.idle_bytes == sum(weights.size for weights in store.idle)
    assert len(instance.running) <= config.max_running
    decoding = [x for x in instance.running.values() if not x.left]
    kv = [
        flight.request.prompt_tokens + instance.iteration + flight.offset
        for flight in decoding
    ]
    assert instance.context == sum(kv)
    prefilling = [x.target for x in instance.running.values() if x.left]
    assert memory.running_tokens == sum(kv) + sum(prefilling)
    batch = {x.weights for x in instance.running.values()}
    assert len(batch) == instance.num_adapters <= config.max_adapters_per_batch
    assert sum(weights.rank for weights in batch) == instance.adapter_ranks
    for weights in batch:
        users = [x for x in instance.running.values() if x.weights is weights]
        assert weights.batch == len(users) <= weights.users
        assert weights not in store.idle
