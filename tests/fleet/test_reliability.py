"""Thousands of small fleets in trouble; see `tensorfleet.fleet.chaos` for what holds.

The environment variable CHAOS_SEEDS says how many seeds to run (1000), CHAOS_START the
first of them (0):

    CHAOS_SEEDS=100000 python -m pytest tests/fleet/test_reliability.py

What fails prints a line for each seed, with the command that repeats it. That the net
catches fish is shown by tools/mutants.py.
"""

import os
from collections import Counter
from dataclasses import replace

import pytest

from tensorfleet.fleet import chaos
from tensorfleet.fleet.chaos_plan import draw_plan
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import Prefetch, Publish, Push
from tests.fleet.fleets import ScriptedRouter, fleet, request

SEEDS = int(os.environ.get("CHAOS_SEEDS", "1000"))
START = int(os.environ.get("CHAOS_START", "0"))
CHUNK = 100


def complaints(seeds):
    return [line for seed in seeds if (line := chaos.complaint(seed)) is not None]


def test_some_fleets_in_trouble_keep_their_promises():
    broken = complaints(range(START, START + min(SEEDS, 20)))
    assert not broken, "\n".join(broken)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(START, START + SEEDS, CHUNK))
def test_fleets_in_trouble_keep_their_promises(first):
    broken = complaints(range(first, min(first + CHUNK, START + SEEDS)))
    assert not broken, "\n".join(broken)


@pytest.mark.slow
def test_the_trouble_is_real():
    """What the promises are about does happen, or they would be kept by accident."""
    seen = Counter()
    for seed in range(5000, 5060):
        world = chaos.check(seed)
        for flight in world.flights:
            seen[flight.status] += 1
            seen["retried"] += flight.retries
            seen["preempted"] += flight.preemptions
            seen["from the prefix cache"] += flight.cached_tokens > 0
            seen["moved to a decode instance"] += flight.transferred
            seen["of a revision"] += flight.generation > 0
            seen["overflow"] += flight.decision is not None and flight.decision.overflow
        diaries = [router.diary for router in world.watched()]
        for entry in (entry for diary in world.diaries + diaries for entry in diary):
            seen[type(entry[1])] += 1
        seen["halted"] += bool(world.halted())
        seen["restarted"] += len(world.diaries)
    assert min(seen[kind] for kind in (Prefetch, Push, Publish)) > 0
    rare = {"halted", "restarted"}
    assert all(
        number > (0 if kind in rare else 5)
        for kind, number in seen.items()
        if isinstance(kind, str)
    ), seen


def test_every_kind_of_fault_is_drawn():
    methods = Counter(
        name for seed in range(300) for _, name, _ in draw_plan(seed).events
    )
    assert set(methods) == {
        "add_instance",
        "crash",
        "deliver_messages",
        "fail_fast",
        "hub_outage",
        "lose_messages",
        "publish",
        "remove_instance",
        "restart_router",
        "restore",
        "restore_empty",
        "resume",
        "set_clock",
        "set_slowdown",
        "stall",
    }
    assert min(methods.values()) > 20


def test_a_plan_is_a_function_of_its_seed():
    one, other = draw_plan(7), draw_plan(7)
    assert one.events == other.events
    assert one.arrivals == other.arrivals
    assert one.events != draw_plan(8).events


def test_a_broken_promise_is_one_line_that_says_how_to_see_it_again(
    monkeypatch, capsys
):
    def returned(self, sent):
        self.recent.pop(sent[0], None)  # and nothing is subtracted

    assert chaos.main(["--seeds", "2", "--start", "40"]) == 0
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(Instance, "returned", returned)
    assert chaos.main(["--seeds", "2", "--start", "40"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for seed, line in zip((40, 41), lines, strict=True):
        assert line.startswith(f"seed {seed}: Broken: ")
        assert line.endswith(
            f"repeat: python -m tensorfleet.fleet.chaos --start {seed} --seeds 1"
        )


def test_the_first_broken_promise_may_be_the_last(monkeypatch, capsys):
    monkeypatch.setattr(chaos, "check", lambda seed: 1 // 0)
    assert chaos.main(["--seeds", "5", "--stop-at-first"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("seed 0: ZeroDivisionError")


def test_bad_numbers_of_seeds_are_refused(capsys):
    with pytest.raises(SystemExit) as error:
        chaos.main(["--seeds", "0"])
    assert error.value.code == 2
    assert "--seeds is 0: it must be 1 or more" in capsys.readouterr().err


def test_an_idle_fleet_can_be_shown_for_as_long_as_one_likes():
    """It used to say that no requests can never end."""
    simulation = Simulation(fleet(), [ScriptedRouter()], [(0, request(0), 5)])
    simulation.advance(10**11)
    assert [flight.status for flight in simulation.flights] == ["served"]
    assert simulation.now == 10**11


def test_a_world_repeats_its_plan_with_requests_of_its_own():
    """A run marks its requests (their stage), so two runs must not share them."""
    plan = draw_plan(3)
    before = [replace(asked) for _, asked, _ in plan.arrivals]
    chaos.run(plan)
    assert [asked for _, asked, _ in plan.arrivals] == before
