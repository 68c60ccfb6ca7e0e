"""What breaks each rung of the ladder, and that the next one, or a repair, mends it.

Each test is a small situation in which a rung does badly at something that can be
counted. A rung that seems idle on an ordinary day is here for the day that is not.
"""

from dataclasses import replace

import pytest

from tensorfleet.fleet import SCENARIOS, simulate
from tensorfleet.fleet.deeds import Deed
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.fleet.workloads import Crowd
from tensorfleet.router import AdapterKey, Revision, Router, RouterConfig
from tensorfleet.router.ladder import RUNGS, rung
from tensorfleet.router.tensorfleet_policy import TensorFleet

SECOND = 1_000_000_000
STEADY = SCENARIOS["steady"].scaled(instances=4)


def at(utilisation, seconds, **more):
    """The steady scenario on four instances at a share of what they sustain."""
    rate = utilisation * STEADY.sustained * STEADY.instances
    return STEADY.scaled(rate=rate, requests=round(seconds * rate), **more)


def run(scenario, name):
    return simulate(scenario, RUNGS[name].policy, 1, config=RUNGS[name]).metrics


def compared(scenario, name):
    """The share of decisions that the cheap rules did not settle."""
    flights = simulate(scenario, RUNGS[name].policy, 1, config=RUNGS[name]).flights
    costly = sum(flight.decision.rule == "least cost" for flight in flights)
    return costly / len(flights)


def with_crowd(share, seconds=60):
    """Half of capacity, and on top of it one adapter for two thirds of the run."""
    scenario = at(0.4, seconds)
    workload = replace(
        scenario.workload,
        crowd=Crowd(0.3, 0.6, share),
        requests=round(scenario.workload.requests * (1 + 0.6 * share)),
    )
    return replace(scenario, workload=workload)


def test_rungs_are_tried_with_one_epsilon_and_one_floor():
    config = RouterConfig(epsilon=0.1, floor_ns=7)
    for name in RUNGS:
        assert rung(name, config).epsilon == 0.1
        assert rung(name, config).floor_ns == 7
        assert rung(name, config).policy == RUNGS[name].policy
    with pytest.raises(ValueError, match="'harsh': it must be one of hash, bound"):
        rung("harsh", config)


def test_hash_breaks_on_one_hot_adapter():
    # Its home gets more than an instance can do; the others have room for it.
    scenario = with_crowd(1.5)
    alone, bounded = run(scenario, "hash"), run(scenario, "bound")
    assert alone.imbalance > 1.1 > bounded.imbalance
    assert alone.ttft.p99 > 10 * bounded.ttft.p99
    assert alone.goodput_share < bounded.goodput_share - 0.2


def test_a_bound_breaks_when_hardly_anything_is_in_flight():
    # With an average below two requests, two that meet make their home "full".
    scenario = at(0.05, 240)
    bounded, floored = run(scenario, "bound"), run(scenario, "floor")
    assert bounded.steps_per_request > 2 * floored.steps_per_request
    assert bounded.hit_rate < floored.hit_rate
    assert run(scenario, "hash").cold_loads < bounded.cold_loads


def test_a_floor_breaks_where_the_next_with_room_lacks_the_adapter():
    # It is as blind to adapters as the bound was, and sees no batches of long answers.
    scenario = at(0.95, 60)
    blind, aware = run(scenario, "floor"), run(scenario, "residency")
    assert blind.ttft.p99 > 1.3 * aware.ttft.p99
    assert blind.hit_rate < aware.hit_rate


def test_residency_breaks_when_reports_are_old():
    # The longest interval at which a silent instance is not yet taken for dead.
    scenario = at(0.9, 60)
    late = replace(scenario, report_interval_ns=5 * SECOND // 2)
    fresh, old = run(scenario, "residency"), run(late, "residency")
    assert old.hit_rate < fresh.hit_rate - 0.02
    assert old.ttft.p99 > 1.5 * fresh.ttft.p99


def test_two_choices_need_two_replicas():
    # With one there is nothing to choose: it is the rung below.
    lone = replace(RUNGS["two choices"], replicas=1, max_replicas=1)
    assert lone == RUNGS["residency"]
    # With two, one of them is mostly far from full.
    crowd = with_crowd(1.5)
    assert compared(crowd, "residency") > 1.3 * compared(crowd, "two choices")


def test_two_choices_break_on_an_adapter_that_needs_more_than_two():
    scenario = with_crowd(1.5)
    two = compared(scenario, "two choices")
    assert two > 1.5 * compared(scenario, "replication")


def test_replication_breaks_on_a_crowd_if_the_loop_is_all_there_is(monkeypatch):
    # The crowd is over before a loop of 30 s has looked at it twice.
    scenario = with_crowd(1.5)
    grown = compared(scenario, "replication")
    monkeypatch.setattr(TensorFleet, "_grow_at_once", lambda *_: None)
    assert compared(scenario, "replication") > 1.5 * grown


def seconds_to_swap(rate, deadline_ns):
    """From the publication until both of two instances serve the new revision."""
    fleet = STEADY.scaled(instances=2, adapters=1, rate=rate, requests=30 * rate)
    config = RouterConfig(
        replicas=2,
        canary_ns=2 * SECOND,
        swap_deadline_ns=deadline_ns,
        costs=fleet.machine.costs.work_costs(fleet.machine.pcie_bytes_per_s),
    )
    key = AdapterKey("adapter-0", fleet.workload.model)
    publish = Deed("publish", key, Revision("new", 1))
    simulation = Simulation(
        fleet.fleet("tensorfleet"),
        [Router(config)],
        fleet.workload.arrivals(0),
        events=[(8 * SECOND, publish)],
    )
    simulation.run()
    generations = [[], []]
    for flight in simulation.flights:
        assert flight.status == "served"
        generations[int(flight.instance[-1])].append(
            (flight.first_token, flight.generation)
        )
    return (
        max(
            min((time for time, number in served if number == 1), default=100 * SECOND)
            for served in generations
        )
        / SECOND
        - 8
    )


def test_revisions_break_on_an_adapter_that_never_idles_without_a_deadline():
    # Until the arrivals end, 22 s after the publication, somebody always waits.
    assert seconds_to_swap(60, 10**6 * SECOND) > 22
    assert seconds_to_swap(60, 5 * SECOND) < 15
    # Below capacity something is idle often enough, and the deadline has no part in it.
    assert seconds_to_swap(36, 10**6 * SECOND) == seconds_to_swap(36, 5 * SECOND) < 10
