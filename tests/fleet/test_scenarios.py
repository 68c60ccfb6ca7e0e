"""The scenarios: what was fixed beforehand, scaling, faults, and that each one runs."""

from dataclasses import replace

import pytest

from tensorfleet.fleet import SCENARIOS, simulate
from tensorfleet.fleet.faults import (
    BlackHole,
    Crash,
    Join,
    Leave,
    Revisions,
    Slow,
)
from tensorfleet.fleet.popularity import RANKS, adapter_keys, rank_of
from tensorfleet.fleet.scenario import ALL_RESIDENT
from tensorfleet.fleet.scenarios import scenario_by_name
from tensorfleet.fleet.traces import Row, Trace, TraceWorkload
from tensorfleet.fleet.workloads import Lengths, Workload

SECOND = 1_000_000_000
STEADY = SCENARIOS["steady"]
WANTED = {
    "steady",
    "long_tail",
    "flash_crowd",
    "diurnal",
    "burst",
    "scale_out",
    "scale_in",
    "crash",
    "slow_node",
    "black_hole",
    "revision_storm",
    "sessions",
    "many_routers",
    "trace",
}


def test_the_registry_holds_what_the_book_names():
    assert set(SCENARIOS) == WANTED
    assert all(name == scenario.name for name, scenario in SCENARIOS.items())


@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=SCENARIOS)
def test_what_is_fixed_beforehand(scenario):
    assert 0.6 <= round(scenario.utilisation, 3) <= 0.9
    assert scenario.adapters_per_slot > 1
    assert scenario.fetch_to_prefill > 1
    assert scenario.shows
    workload = scenario.workload
    sizes = [
        scenario.machine.costs.adapter_bytes(rank_of(key))
        for key in adapter_keys(workload.adapters, workload.model)
    ]
    # A host holds its share of the adapters, but not all of them.
    assert sum(sizes) / scenario.instances < scenario.machine.host_bytes < sum(sizes)
    # As many of the largest adapters as there are slots fit on a GPU, beside KV for
    # dozens of long prompts.
    machine = scenario.machine
    assert machine.slots * max(sizes) <= machine.adapter_pool_bytes
    room = machine.pool_bytes - machine.adapter_pool_bytes
    assert room > 40 * 8192 * machine.costs.kv_bytes_per_token


def test_scaling_keeps_load_duration_and_pressure():
    small = STEADY.scaled(instances=4)
    assert small.instances == 4
    assert small.utilisation == pytest.approx(STEADY.utilisation)
    assert small.adapters_per_slot == pytest.approx(STEADY.adapters_per_slot)
    assert small.workload.duration_ns == pytest.approx(
        STEADY.workload.duration_ns, rel=1e-3
    )
    assert small.hub.egress_bytes_per_s * 4 == STEADY.hub.egress_bytes_per_s


def test_what_is_given_is_taken():
    sizes = {"instances": 3, "adapters": 70, "rate": 9.5, "requests": 33, "routers": 2}
    scenario = STEADY.scaled(**sizes)
    assert (scenario.instances, scenario.routers) == (3, 2)
    workload = scenario.workload
    assert (workload.adapters, workload.rate, workload.requests) == (70, 9.5, 33)
    assert STEADY.scaled() == STEADY


def test_a_trace_takes_the_place_of_the_arrivals():
    rows = tuple(Row(k * SECOND, 50, 5, None, 0) for k in range(100))
    usual = SCENARIOS["trace"]
    scenario = usual.scaled(trace=Trace("made up", rows))
    assert isinstance(scenario.workload, TraceWorkload)
    assert scenario.workload.requests == 100
    assert scenario.workload.rate == usual.workload.rate
    assert scenario.workload.adapters == usual.workload.adapters
    assert usual.scaled(trace=Trace("made up", rows), requests=7).workload.requests == 7
    assert scenario.mean_prompt == 50
    with pytest.raises(ValueError, match="steady makes its own arrivals"):
        STEADY.scaled(trace=Trace("made up", rows))
    with pytest.raises(ValueError, match="requests is 101: made up has 100"):
        usual.scaled(trace=Trace("made up", rows), requests=101)


def test_fetch_to_prefill_is_what_a_lone_request_waits():
    """One request for an adapter of rank 32 on an idle fleet: wait over prefill."""
    keys = adapter_keys(50, "llama-3.1-8b")
    place = next(place for place, key in enumerate(keys) if rank_of(key) == 32)
    prompt = Lengths(1149, 0.1, 1149, 1149)
    lone = Workload(rate=1, requests=1, adapters=50, zipf=0, prompt=prompt)
    seed = next(
        seed for seed in range(1000) if next(lone.arrivals(seed))[1].key == keys[place]
    )
    (flight,) = simulate(replace(STEADY, workload=lone), "random", seed).flights
    prefill = flight.first_token - flight.arrival - flight.adapter_wait
    # The average rank is 30, and the scenario's own mean prompt is 1,149 tokens.
    assert sum(RANKS) / len(RANKS) == 30
    assert round(STEADY.mean_prompt) == 1149
    size = STEADY.machine.costs.adapter_bytes(1)
    per_rank = size / STEADY.machine.pcie_bytes_per_s
    per_rank += size / STEADY.hub.egress_bytes_per_s
    wait = flight.adapter_wait - 2 * per_rank * SECOND
    # LoRA's own share of the step is not in it.
    assert wait / prefill == pytest.approx(STEADY.fetch_to_prefill, rel=0.02)


def test_the_oracle_never_waits_for_an_adapter():
    result = simulate("long_tail", ALL_RESIDENT, requests=2000)
    assert max(flight.adapter_wait for flight in result.flights) < 1000
    assert result.metrics.hit_rate == 1
    assert result.metrics.cold_loads == 0
    assert simulate("long_tail", "random", requests=2000).metrics.hit_rate < 0.5


def events(fault, instances=16, duration=1000):
    """(time, method, arguments) of what happens to a fleet."""
    fleet = STEADY.scaled(instances=instances).fleet("random")
    seen = []

    class Recorder:
        def __getattr__(self, name):
            return lambda *given, **named: seen.append((name, *given, *named.values()))

    recorder, result = Recorder(), []
    for time, function in fault.events(fleet, adapter_keys(30, "m"), duration):
        function(recorder)
        result.append((time, *seen.pop()))
        assert not seen
    return result


def test_faults():
    assert events(Crash(1 / 8, 0.25, 0.5)) == [
        (250, "crash", "gpu-0"),
        (500, "restore", "gpu-0", False),
        (250, "crash", "gpu-1"),
        (500, "restore", "gpu-1", False),
    ]
    assert events(Slow(1 / 16, 0.1, 0.2, 2000)) == [
        (100, "set_slowdown", "gpu-0", 2000),
        (200, "set_slowdown", "gpu-0", 1000),
    ]
    assert events(BlackHole(0.01, 0, 1)) == [
        (0, "fail_fast", "gpu-0", True),
        (1000, "fail_fast", "gpu-0", False),
    ]
    assert events(Leave(1 / 2, 0.3), instances=2) == [(300, "remove_instance", "gpu-0")]


def test_new_instances_are_like_the_old():
    first, second = events(Join(2 / 3, 0.5), instances=3)
    assert (first[0], first[1]) == (500, "add_instance")
    names = [made[2].name for made in (first, second)]
    assert len({*names, "gpu-0", "gpu-1", "gpu-2"}) == 5
    old = STEADY.scaled(instances=3).fleet("random").instances[0]
    assert replace(first[2], name="gpu-0") == old


def test_revisions_have_growing_generations_and_some_are_rolled_back():
    happened = events(Revisions(10, 0.2, 0.6))
    assert all(method == "publish" for _, method, *_ in happened)
    by_key = {}
    for time, _, key, revision in sorted(happened, key=lambda event: event[0]):
        by_key.setdefault(key, []).append((time, revision))
    assert list(by_key) == adapter_keys(10, "m")
    for published in by_key.values():
        generations = [revision.generation for _, revision in published]
        assert generations == list(range(1, len(published) + 1))
        hashes = [revision.hash for _, revision in published]
        assert len(set(hashes)) == len(hashes)
    assert sum(len(published) == 2 for published in by_key.values()) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: scenario_by_name("nowhere"), "'nowhere': it must be one of steady,"),
        (lambda: STEADY.scaled(instances=0), "instances is 0"),
        (lambda: STEADY.scaled(routers=0), "routers is 0"),
        (lambda: STEADY.scaled(requests=0), "requests is 0"),
        (lambda: replace(STEADY, sustained=0), "sustained is 0"),
        (lambda: replace(STEADY, unmeasured=1), "unmeasured is 1"),
        (lambda: Crash(0, 0.1, 0.2), "share is 0"),
        (lambda: Leave(0.5, 1.5), "from 1.5 to 1"),
        (lambda: Crash(0.5, 0.2, 0.2), "from 0.2 to 0.2"),
        (lambda: Slow(0.5, 0.1, 0.2, 0), "per_mille is 0"),
        (lambda: Revisions(0, 0.1, 0.2), "adapters is 0"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
