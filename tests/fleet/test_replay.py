"""A replay differs from what happened in one decision, and in nothing else."""

from dataclasses import replace
from itertools import islice

import pytest

from tensorfleet.fleet import replay
from tensorfleet.fleet.deeds import Deed
from tensorfleet.fleet.live import LiveArrivals, Recording, Tables
from tensorfleet.fleet.replay import Past, Replay, dump, load, overrule
from tensorfleet.fleet.running import build, resolve
from tensorfleet.router.policies import POLICIES

SECOND = 10**9
TABLES = Tables.conversations()
SIZES = {"instances": 3, "adapters": 90, "rate": 36.0, "requests": 1}


def start(policy, seconds=1.0, **sizes):
    """A run with its past, a snapshot every three seconds."""
    recording = Recording(LiveArrivals(TABLES, adapters=90, seed=1, rate=36))
    scenario = resolve("steady", SIZES | sizes)
    machine = replace(scenario.machine, slots=24, max_adapters_per_batch=24)
    scenario = replace(scenario, machine=machine)
    run = build(scenario, policy, 0, arrivals=recording.reader())
    past = Past(run, recording, 3 * SECOND)
    return run, past, go_on(run, past, seconds)


def go_on(run, past, seconds):
    """All that ends meanwhile, in the steps of a page."""
    ended = []
    end = run.now + round(seconds * SECOND)
    while run.now < end:
        run.advance(min(run.now + SECOND // 20, end))
        ended += run.forget_ended()
        past.keep()
        past.recording.forget(past.needed)
    return ended


def record(flight):
    return (
        flight.request.id,
        flight.status,
        flight.arrival,
        flight.instance,
        flight.submitted,
        flight.started,
        flight.first_token,
        flight.end,
        flight.cold,
        flight.adapter_wait,
        flight.retries,
    )


def replayed(past, flight, names):
    again = Replay(past, flight, names)
    while not again.is_over:
        again.work(20)
    return again.ended


@pytest.mark.parametrize("routers", [1, 2])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_decision_has_the_same_outcome(policy, routers):
    run, past, ended = start(policy, 4, routers=routers)
    past.do(Deed("set_slowdown", "gpu-1", 2000))
    ended += go_on(run, past, 2.03)
    past.do(Deed("set_slowdown", "gpu-1", 1000))
    ended += go_on(run, past, 0.5)
    old = past.snapshots[0].time
    chosen = [flight for flight in ended if flight.arrival > old and flight.instance]
    assert len(chosen) >= 4
    for flight in chosen[:: max(len(chosen) // 4, 1)]:
        again = replayed(past, flight, [flight.instance])
        assert record(again[flight.instance]) == record(flight)


@pytest.mark.parametrize("policy", ["tensorfleet", "notes", "bounded_hash"])
def test_elsewhere_is_elsewhere_at_the_same_time(policy):
    run, past, _ = start(policy, 5)
    flight = run.flights[-3]
    names = list(run.instances)
    ended = replayed(past, flight, names)
    assert list(ended) == names
    for name, other in ended.items():
        assert (other.instance, other.status) == (name, "served")
        assert other.arrival == flight.arrival == other.submitted
        assert other.request == flight.request
        rule = other.decision.rule
        assert (rule == "the reader") == (name != flight.instance)
    # What happens then to the flight itself is what the replay foresaw.
    go_on(run, past, 25)
    assert record(flight) == record(ended[flight.instance])


def test_a_replay_changes_nothing_in_what_goes_on():
    seen = []
    for looks in (False, True):
        run, past, ended = start("tensorfleet", 4)
        if looks:
            replayed(past, run.flights[-1], list(run.instances))
        ended += go_on(run, past, 3)
        seen.append(sorted(map(record, ended)))
    assert seen[0] == seen[1]


def test_the_books_balance_after_a_decision_is_overruled():
    """The ring's load of every instance is what the router believes of it."""
    for policy in ("tensorfleet", "notes", "bounded_hash", "bounded_work"):
        run, past, _ = start(policy, 3)
        for name in run.instances:
            twin = load(dump(run), past.recording)
            request = next(past.recording.branch(run.num_arrived))[1]
            router = twin.routers[0]
            assert overrule(router, request, name)
            before = router.members.instances[name].num_requests
            decision = router.route(request, twin.now)
            assert decision.instance == name
            assert router.members.instances[name].num_requests == before + 1
            for chosen in router.members.policies():
                counts = chosen.counts_requests
                for other, belief in chosen.pool.instances.items():
                    load_there = belief.num_requests if counts else belief.load
                    if other == name or other in decision.considered:
                        assert chosen.pool.loads[other] == load_there


def test_what_is_out_of_the_pool_is_left_out():
    run, past, _ = start("tensorfleet", 3)
    past.do(Deed("crash", "gpu-0"))
    go_on(run, past, 5)
    flight = run.flights[-1]
    assert list(replayed(past, flight, ["gpu-0", "gpu-1"])) == ["gpu-1"]


def test_a_deed_at_the_time_of_a_snapshot_is_done_once_in_a_replay():
    for deed_first in (True, False):
        run, past, _ = start("tensorfleet", 1)
        past.interval_ns = 0
        crash = Deed("crash", "gpu-2")
        for step in (past.do, None) if deed_first else (None, past.do):
            past.keep() if step is None else step(crash)
        past.interval_ns = 100 * SECOND
        ended = go_on(run, past, 4)
        assert not run.instances["gpu-2"].is_up
        for flight in [f for f in ended if f.arrival > past.snapshots[-1].time][:3]:
            again = replayed(past, flight, [flight.instance])
            assert record(again[flight.instance]) == record(flight)


def test_only_three_snapshots_and_what_they_need_are_kept():
    run, past, ended = start("tensorfleet", 4)
    old = ended[0]
    for _ in range(30):
        past.do(lambda simulation: None)
        go_on(run, past, 1)
    assert len(past.snapshots) == 3
    assert len(past.deeds) <= 10
    assert len(past.recording) < 10 * 36 * 2
    with pytest.raises(ValueError, match="came before the oldest snapshot"):
        Replay(past, old, ["gpu-0"])


def test_no_snapshot_is_taken_of_a_fleet_that_is_overrun(monkeypatch):
    run, past, _ = start("tensorfleet", 4)
    monkeypatch.setattr(replay, "MOST_FLYING", 0)
    sizes = []
    for _ in range(8):
        past.do(lambda simulation: None)
        go_on(run, past, 3)
        sizes.append((len(past.snapshots), len(past.deeds), len(past.recording)))
    assert [size[0] for size in sizes[-3:]] == [0, 0, 0]
    assert max(size[1] for size in sizes[-3:]) <= 1
    assert max(size[2] for size in sizes[-3:]) <= 4 * 36
    with pytest.raises(ValueError, match="too much is under way"):
        Replay(past, run.flights[-1], ["gpu-0"])
    monkeypatch.setattr(replay, "MOST_FLYING", 1000)
    ended = go_on(run, past, 9)
    flight = next(f for f in ended if f.arrival > past.snapshots[0].time)
    again = replayed(past, flight, [flight.instance])
    assert record(again[flight.instance]) == record(flight)


def test_only_a_router_can_be_overruled():
    request = next(islice(LiveArrivals(TABLES, adapters=5, seed=0), 1))[1]
    with pytest.raises(TypeError, match="must be a Router"):
        overrule(object(), request, "gpu-0")
