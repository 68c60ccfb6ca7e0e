"""The bench writes down what the instance did, told by another instance and by sums."""

from dataclasses import replace
from functools import partial
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.fleet.config import HubConfig
from tensorfleet.fleet.instance_bench import KEPT, Bench
from tensorfleet.fleet.simulation import Simulation
from tests.fleet.fleets import INSTANCE, ScriptedRouter, fleet, key, request

HUB = HubConfig(egress_bytes_per_s=10**9, latency_ns=0)


def arrivals(seed, count):
    """(time, request, output tokens), some of them of the same time."""
    random = Random(seed)
    now, found = 0, []
    for number in range(count):
        now += random.choice([0, 500, 3000, 20_000])
        prompt = random.choice([1, 40, 700, 3000])
        asked = request(number, random.choice("xyz"), prompt)
        found.append((now, asked, random.randrange(1, 60)))
    return found


def run(config, incoming):
    """Entries in order of arrival, and the instance's iterations, as told by parts."""
    ended, entries, iterations = [], [], set()
    bench = Bench(config, HUB, lambda key: 1, lambda entry, now: ended.append(entry))
    for time, asked, written in incoming:
        come = partial(bench.submit, replace(asked), written)
        bench.later(time, lambda come=come: entries.append(come()))
    while len(ended) < len(incoming):
        bench.advance(bench.now + 300)
        iterations.add((bench.begin, bench.end, bench.computed))
    assert len(ended) == len(entries)
    assert set(ended) == set(entries)
    return entries, sorted(iterations - {(-1, -1, 0)})


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(1, 12),
    budget=st.sampled_from([8, 100, 512, 20_000]),
)
def test_what_is_written_down_is_what_happened(seed, count, budget):
    config = replace(INSTANCE, token_budget=budget, expected_output_tokens=1)
    incoming = arrivals(seed, count)
    entries, iterations = run(config, incoming)
    # The fast instance, in a fleet of one, steps through nothing and agrees.
    fast = Simulation(fleet(config, hub=HUB), [ScriptedRouter()], incoming).run()
    for entry, flight in zip(entries, fast, strict=True):
        assert entry.flight.first_token == flight.first_token
        assert (entry.flight.end, entry.flight.status) == (flight.end, "served")
        # A token at each end, the first where the last chunk ends.
        assert entry.written == flight.output_tokens
        ends = [end for end, _ in entry.tokens]
        assert (ends[0], ends[-1]) == (flight.first_token, flight.end)
        gaps = [gap for _, gap in entry.tokens]
        assert gaps == [0, *(later - sooner for sooner, later in pairwise(ends))]
        if len(entry.chunks) < KEPT:
            read = sum(tokens for _, _, tokens in entry.chunks)
            assert read == flight.request.prompt_tokens
            assert entry.chunks[0][0] == entry.flight.started
        assert entry.chunks[-1][1] == flight.first_token
        assert entry.stall == max(
            (
                gap
                for other in entries
                for end, gap in other.tokens
                if flight.arrival < end - gap < flight.first_token
            ),
            default=0,
        )
    # Every token of a prompt and of an answer is in one iteration.
    total = sum(e.flight.request.prompt_tokens + e.written - 1 for e in entries)
    assert sum(computed for _, _, computed in iterations) == total
    assert max(computed for _, _, computed in iterations) <= budget
    for (_, end, _), (begin, _, _) in pairwise(iterations):
        assert end <= begin


def test_the_budget_holds_from_the_next_iteration_on():
    bench = Bench(INSTANCE, HUB, lambda key: 1, lambda entry, now: None)
    entry = bench.submit(request(0, prompt=1000), 2)
    bench.advance(100)  # its adapter has come, and the first iteration is under way
    bench.set_token_budget(100)
    bench.advance(10**6)
    assert [tokens for _, _, tokens in entry.chunks] == [512, 100, 100, 100, 100, 88]


def test_who_can_never_be_served_is_told_at_once():
    ended = []
    bench = Bench(INSTANCE, HUB, lambda key: 1, lambda *told: ended.append(told))
    entry = bench.submit(request(0, prompt=10**6), 5)
    assert ended == [(entry, 0)]
    assert entry.flight.status == "failed"
    assert "do not fit" in entry.flight.reason
    assert not bench.entries


def test_a_prefill_instance_has_nobody_to_hand_on_to():
    config = replace(INSTANCE, role="prefill")
    bench = Bench(config, HUB, lambda key: 1, lambda entry, now: None)
    bench.submit(request(0), 5)
    with pytest.raises(ValueError, match="nobody on a bench"):
        bench.advance(10**6)


def test_what_is_unloaded_is_cold_again():
    bench = Bench(
        replace(INSTANCE, host_bytes=0), HUB, lambda key: 1, lambda entry, now: None
    )
    calls = []
    for number, unloads in enumerate((False, True, False)):
        entry = bench.submit(request(number, prompt=10), 2)
        bench.later(bench.now + 7, lambda: calls.append(bench.now))
        bench.advance(bench.now + 10**6)
        assert entry.flight.cold == (number != 1)
        if unloads:
            bench.unload(key("x"))
    assert calls == [7, 10**6 + 7, 2 * 10**6 + 7]
