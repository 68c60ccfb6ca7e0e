"""The event loop: order, faults, roles, and a queue whose theory is known."""

from dataclasses import replace
from functools import partial
from math import factorial
from random import Random

import pytest

from tensorfleet.fleet.config import FleetConfig, HubConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.fleet import ERROR_NS
from tensorfleet.fleet.message_faults import MessageFaults
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.router.messages import Decision, Report, Revision
from tests.fleet.fleets import INSTANCE, ScriptedRouter, fleet, key, random_run, request


def simulate(arrivals, *instances, routers=None, events=(), **settings):
    simulation = Simulation(
        fleet(*instances, **settings),
        routers or [ScriptedRouter()],
        arrivals,
        events=events,
    )
    simulation.run()
    return simulation


def call(name, *details, **named):
    return lambda simulation: getattr(simulation, name)(*details, **named)


# --- the event queue ---------------------------------------------------------------


def test_events_at_one_time_keep_their_order_and_ends_come_last():
    queue = EventQueue()
    queue.push_last(5, 1)
    queue.push_last(5, 0)
    for name in ("a", "b", "c"):
        queue.push(5, name)
    queue.push(4, "early")
    order = [queue.pop()[2:] for _ in range(len(queue))]
    assert order == [("early",), ("a",), ("b",), ("c",), (), ()]


def test_ends_at_one_time_are_in_order_of_rank():
    queue = EventQueue()
    for rank in (7, 3, 5):
        queue.push_last(1, rank)
    ranks = [queue.pop()[1] for _ in range(3)]
    assert ranks == sorted(ranks)
    with pytest.raises(IndexError):
        queue.pop()


def test_mmc_queue():
    """Mean wait by Erlang's C formula, with c = 3 servers at rho = 0.6.

    100,000 customers: the standard deviation of the mean wait is 3.4% (over 20 seeds of
    a loop that keeps only the times at which servers are free); 4 of those are allowed.
    """
    servers, arrival, service = 3, 1.8e-6, 1e-6
    random, queue, busy, waiting, waits = Random(5), EventQueue(), 0, [], []
    time = 0
    for _ in range(100_000):
        time += round(random.expovariate(arrival))
        queue.push(time, True)
    while len(queue):
        now, _, is_arrival = queue.pop()
        if is_arrival:
            waiting.append(now)
        else:
            busy -= 1
        if waiting and busy < servers:
            busy += 1
            waits.append(now - waiting.pop(0))
            queue.push(now + round(random.expovariate(service)), False)
    load = arrival / service
    last = load**servers / factorial(servers) / (1 - load / servers)
    first = sum(load**k / factorial(k) for k in range(servers))
    expected = last / (first + last) / (servers * service - arrival)
    assert sum(waits) / len(waits) == pytest.approx(expected, rel=0.14)


# --- running -----------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes():
    first, second = (random_run(7, 50)(reference=False) for _ in range(2))
    first.run()
    second.run()
    assert repr(first.flights) == repr(second.flights)
    assert first.routers[0].diary == second.routers[0].diary


def test_advancing_in_pieces_changes_nothing():
    whole, pieces = (random_run(11, 40)(reference=False) for _ in range(2))
    whole.run()
    for moment in range(0, whole.now + 1, 7919):
        pieces.advance(moment)
    pieces.advance(whole.now)
    assert repr(whole.flights) == repr(pieces.flights)


def test_every_request_ends_once():
    simulation = random_run(3, 60)(reference=False)
    calls = []
    flights = simulation.run(progress=calls.append)
    assert len(flights) == 60
    assert {flight.status for flight in flights} <= {"served", "failed", "shed"}
    assert all(flight.end >= flight.arrival for flight in flights)
    served = {flight.request.id for flight in flights if flight.status == "served"}
    finished = [
        entry[2]
        for router in simulation.routers
        for entry in router.diary
        if entry[1] == "finish" and entry[4]
    ]
    assert sorted(finished) == sorted(served)


def test_requests_go_to_the_routers_in_turn():
    routers = [ScriptedRouter(name=name) for name in ("one", "two", "three")]
    simulation = simulate([(i, request(i), 1) for i in range(7)], routers=routers)
    assert [flight.router for flight in simulation.flights] == [0, 1, 2, 0, 1, 2, 0]
    for number, router in enumerate(routers):
        routed = [entry[2] for entry in router.diary if entry[1] == "route"]
        assert routed == list(range(number, 7, 3))


def test_reports_come_to_every_router_and_late():
    routers = [ScriptedRouter(name=name) for name in ("one", "two")]
    simulate(
        [(0, request(0), 1), (1, request(1), 1), (100_000, request(2), 1)],
        INSTANCE,
        replace(INSTANCE, name="b"),
        routers=routers,
        report_interval_ns=8000,
        report_delay_ns=300,
    )
    for number, router in enumerate(routers):
        reports = [entry for entry in router.diary if isinstance(entry[1], Report)]
        assert all(now == report.time + 300 for now, report in reports)
        for turn, name in enumerate("ab", start=1):
            times = [report.time for _, report in reports if report.instance == name]
            first = 8000 * (2 * number + turn) // 4
            assert times == list(range(first, first + 8000 * len(times), 8000))


def test_a_report_says_what_is_left():
    router = ScriptedRouter()
    simulate(
        [(0, request(0, prompt=10), 40), (0, request(1, "y", prompt=600), 5)],
        routers=[router],
        report_interval_ns=2000,
        report_delay_ns=0,
    )
    reports = [entry[1] for entry in router.diary if isinstance(entry[1], Report)]
    first = reports[0]  # one is prefilled, of the other 502 + 88 or so are left
    costs = INSTANCE.costs.work_costs(INSTANCE.pcie_bytes_per_s)
    # At 2000: x came at 20 and has its first token at 1030; y, which came at 30, has
    # had nothing before that. Its first chunk, of 511 tokens, is under way.
    expected = 600 * costs.prefill_ns_per_token
    expected += (256 + 256 - 1) * costs.decode_ns_per_token
    assert first.work_ns == first.work_by_router["router-0"] == expected
    assert (first.waiting, first.running) == (0, 2)
    assert first.resident == {key("x"): 0, key("y"): 0}
    assert first.free_slots == 2
    assert first.gpu_util == (2000 - 20) / 2000
    assert first.kv_used == (11 + 600) / (100_000 - 20)


# --- faults ------------------------------------------------------------------------


def test_a_crash_sends_requests_elsewhere_if_no_token_was_sent():
    """The instance a crashes when request 0 has a token and request 1 has none."""

    class Nearest(ScriptedRouter):
        def route(self, request, now):
            name = "b" if request.id in self.retried else "a"
            return Decision(name, (), 0, False, False, 0, "script")

    router = Nearest()
    simulation = simulate(
        [(0, request(0), 100), (5000, request(1), 3)],
        INSTANCE,
        replace(INSTANCE, name="b"),
        routers=[router],
        events=[(5500, call("crash", "a"))],
    )
    lost, moved = simulation.flights
    assert (lost.status, lost.reason, lost.end) == ("failed", "a crashed", 5500)
    assert (moved.status, moved.instance, moved.retries) == ("served", "b", 1)
    assert moved.first_token == 5500 + 20 + 1010
    tokens = [entry[3] for entry in router.diary if entry[1] == "retry"]
    # Tokens at 1030, 2041, 3053, 4066, 5080; the second came during that step.
    assert tokens == [5, 0]


def test_a_restored_instance_is_a_new_incarnation():
    router = ScriptedRouter()
    simulation = simulate(
        [(0, request(0), 1), (50_000, request(1), 1), (99_000, request(2), 1)],
        routers=[router],
        events=[
            (10_000, call("crash", "a")),
            (20_000, call("restore", "a")),
            (60_000, call("crash", "a")),
            (70_000, call("restore", "a", keep_host=False)),
        ],
        report_interval_ns=15_000,
        report_delay_ns=0,
    )
    waits = [flight.adapter_wait for flight in simulation.flights]
    assert waits == [20, 10, 20]  # from the hub, from host memory, from the hub
    reports = [entry[1] for entry in router.diary if isinstance(entry[1], Report)]
    seen = [(report.time, report.incarnation) for report in reports]
    assert seen == [(30_000, 1), (45_000, 1), (75_000, 2), (90_000, 2)]


def test_who_is_down_or_fails_fast_says_so_a_millisecond_later():
    for events in (
        [(0, call("crash", "a"))],
        [(0, call("fail_fast", "a", True))],
    ):
        simulation = simulate([(10, request(0), 1)], events=events)
        (flight,) = simulation.flights
        assert flight.status == "failed"
        assert flight.end == 10 + 2 * ERROR_NS  # tried again on the same instance


def test_a_black_hole_looks_idle():
    router = ScriptedRouter()
    simulate(
        [(0, request(0), 500), (2_000_000, request(1), 1)],
        routers=[router],
        events=[(5000, call("fail_fast", "a", True))],
        report_interval_ns=10_000,
        report_delay_ns=0,
    )
    reports = [entry[1] for entry in router.diary if isinstance(entry[1], Report)]
    assert all(report.work_ns == report.running == 0 for report in reports)


def test_a_leaving_instance_finishes_what_it_has():
    simulation = simulate(
        [(0, request(0), 100), (2000, request(1), 1)],
        events=[(1000, call("remove_instance", "a"))],
    )
    served, late = simulation.flights
    assert served.status == "served"
    assert (late.status, late.reason) == ("shed", "nobody")


def test_a_new_instance_joins():
    simulation = simulate(
        [(0, request(0), 1), (2000, request(1), 1)],
        events=[
            (1000, call("add_instance", replace(INSTANCE, name="b"))),
            (1000, call("remove_instance", "a")),
        ],
    )
    assert [flight.instance for flight in simulation.flights] == ["a", "b"]


def test_a_stall_that_never_ends_is_an_error():
    with pytest.raises(RuntimeError, match="1 requests can never end"):
        simulate([(0, request(0), 9)], events=[(10, call("stall", "a"))])


def test_a_router_that_restarts_is_told_what_there_is():
    new = ScriptedRouter(name="new")
    simulate(
        [(0, request(0), 1), (9000, request(1), 1)],
        events=[
            (10, call("publish", key("x"), Revision("one", 1))),
            (20, call("replace_router", 0, new)),
        ],
    )
    assert new.instances == {"a": "both"}
    assert new.generations == {key("x"): Revision("one", 1)}
    assert (9000, "route", 1, "prefill") in new.diary


def test_lost_and_doubled_messages_change_what_routers_hear_alone():
    def run(faults):
        router = ScriptedRouter()
        simulation = Simulation(
            fleet(report_interval_ns=1000),
            [router],
            [(i * 2000, request(i), 3) for i in range(200)],
        )
        simulation.set_message_faults(faults)
        flights = simulation.run()
        kinds = [
            "report" if isinstance(entry[1], Report) else entry[1]
            for entry in router.diary
        ]
        return repr(flights), kinds.count("report"), kinds.count("finish")

    plain = run(None)
    assert plain[2] == 200
    assert run(MessageFaults(1)) == plain
    lost = run(MessageFaults(1, drop_per_mille=1000))
    assert lost == (plain[0], 0, 0)
    doubled = run(MessageFaults(1, double_per_mille=1000, kinds=["finish"]))
    assert doubled == (plain[0], plain[1], 400)


# --- prefill and decode instances --------------------------------------------------


def test_kv_moves_from_a_prefill_to_a_decode_instance():
    router = ScriptedRouter()
    simulation = simulate(
        [(0, request(0, prompt=500), 4)],
        replace(INSTANCE, name="p", role="prefill"),
        replace(INSTANCE, name="d", role="decode"),
        routers=[router],
    )
    (flight,) = simulation.flights
    assert flight.instance == "d"
    assert flight.first_token == 20 + 1500
    # 500 bytes at a byte a nanosecond, then the adapter (it is cold there), 3 steps.
    start = flight.first_token + 500 + 20
    assert flight.end == start + 1501 + 1502 + 1503
    diary = [entry for entry in router.diary if not isinstance(entry[1], Report)]
    assert diary == [
        (0, "route", 0, "prefill"),
        (flight.first_token, "finish", 0, True, 0),
        (flight.first_token, "route", 0, "decode"),
        (flight.end, "finish", 0, True, 4),
    ]


def test_the_decode_instance_uses_the_revision_that_prefilled():
    """A newer one is published while the KV is under way."""
    simulation = simulate(
        [(0, request(0, prompt=500), 4)],
        replace(INSTANCE, name="p", role="prefill"),
        replace(INSTANCE, name="d", role="decode"),
        events=[(1600, call("publish", key("x"), Revision("one", 1)))],
    )
    assert simulation.flights[0].generation == 0


# --- bad input ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (partial(simulate, [(5, request(0), 1), (4, request(1), 1)]), ValueError, "5"),
        (partial(simulate, [(0, request(0), 0)]), ValueError, "writes 0"),
        (partial(simulate, [(0, request(0, prompt=0), 1)]), ValueError, "reads 0"),
        (partial(simulate, [], INSTANCE, INSTANCE), ValueError, "two instances"),
        (
            partial(simulate, [(9, request(0), 1)], events=[(0, call("crash", "z"))]),
            KeyError,
            "no instance 'z'",
        ),
        (
            partial(
                simulate,
                [(9, request(0), 1)],
                events=[(0, call("add_instance", INSTANCE))],
            ),
            ValueError,
            "an instance named a exists",
        ),
        (partial(Simulation, fleet(), [], []), ValueError, "no router"),
        (partial(replace, INSTANCE, slots=0), ValueError, "slots of a is 0"),
        (partial(replace, INSTANCE, role="x"), ValueError, "role of a is 'x'"),
        (partial(replace, INSTANCE, host_bytes=-1), ValueError, "host_bytes of a"),
        (partial(replace, INSTANCE, token_budget=7), ValueError, "token_budget of a"),
        (
            partial(replace, INSTANCE, adapter_pool_bytes=10**5),
            ValueError,
            "must leave some",
        ),
        (partial(HubConfig, 0), ValueError, "egress_bytes_per_s is 0"),
        (partial(HubConfig, 1, -1), ValueError, "latency_ns is -1"),
        (
            partial(FleetConfig, (), lambda key: 1, report_interval_ns=0),
            ValueError,
            "report_interval_ns is 0",
        ),
        (
            partial(FleetConfig, (), lambda key: 1, report_delay_ns=-1),
            ValueError,
            "report_delay_ns is -1",
        ),
        (partial(MessageFaults, 0, kinds=["x"]), ValueError, "kind of message is 'x'"),
        (
            partial(MessageFaults, 0, drop_per_mille=600, double_per_mille=600),
            ValueError,
            "sum at most 1000",
        ),
    ],
)
def test_bad_input_is_named(run, error, message):
    with pytest.raises(error, match=message):
        run()
