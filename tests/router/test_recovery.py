"""What a router must not believe for ever: lost notices, and times to come."""

import pytest

from tensorfleet.router import Request, Router, RouterConfig, policy
from tensorfleet.router.replicas import State
from tests.router.beliefs import KEY, report
from tests.router.fleets import COSTS, SECOND

CONFIG = RouterConfig(
    costs=COSTS, eject_after_errors=1, ejection_ns=10 * SECOND, suspect_after_ns=SECOND
)


def router_of(*names):
    router = Router(CONFIG, name="me")
    for name in names:
        router.join(name, 0, model=KEY.model)
        router.observe(report(name, 0), 0)
    return router


def request(number, tokens=1000):
    return Request(id=number, key=KEY, prompt_tokens=tokens)


def outstanding(router, name="x"):
    return router.members.instances[name].num_requests, sorted(router.sent)


def test_a_request_is_written_off_when_two_reports_know_nothing_of_it():
    router = router_of("x")
    router.route(request(1), 10)
    router.observe(report("x", 5), 20)  # taken before it was sent
    router.observe(report("x", 6), 21)
    assert outstanding(router) == (1, [1])
    router.observe(report("x", 30, work=9, by_router={"me": 9}), 40)
    router.observe(report("x", 50), 60)  # perhaps its notice is under way
    assert outstanding(router) == (1, [1])
    router.route(request(2), 65)
    router.observe(report("x", 70), 80)
    assert outstanding(router) == (1, [2])
    assert router.members.instances["x"].load == 0
    router.finish(request(1), 90, output_tokens=3)  # it was late, not lost
    assert outstanding(router) == (1, [2])
    router.finish(request(2), 95, output_tokens=3)
    assert outstanding(router) == (0, [])


def test_nothing_is_written_off_while_a_report_has_work_of_ours_or_is_old():
    router = router_of("x")
    router.route(request(1), 10)
    router.observe(report("x", 30), 40)
    router.observe(report("x", 30), 41)  # doubled
    router.observe(report("x", 29), 42)  # late
    assert outstanding(router) == (1, [1])
    router.observe(report("x", 50, work=9, by_router={"me": 9}), 60)
    router.observe(report("x", 70), 80)
    assert outstanding(router) == (1, [1])


def test_an_ejection_ends_when_the_clock_is_set_back_to_before_it():
    router = router_of("x", "y")
    hour = 3600 * SECOND
    for name in "xy":
        router.observe(report(name, 1), hour)
    sent_to = router.route(request(1), hour).instance
    router.retry(request(1), hour + 1)
    router.step(hour + 2)
    pool = router.members.policies()[0].pool
    assert sent_to not in pool.names
    router.step(SECOND)
    assert set(pool.names) == {"x", "y"}


def test_who_was_heard_in_the_future_is_suspected_in_time():
    router = router_of("x", "y")
    for name in "xy":
        router.observe(report(name, 1), 3600 * SECOND)
    router.step(5 * SECOND)  # an hour back: both may be alive
    pool = router.members.policies()[0].pool
    assert set(pool.names) == {"x", "y"}
    router.observe(report("y", 2), 6 * SECOND)
    router.step(6 * SECOND + 1)
    assert pool.names == ["y"]


def test_adapters_asked_for_in_the_future_take_no_slot():
    router = router_of("x")
    router.observe(report("x", 1, free_slots=1), 3600 * SECOND)
    router.route(request(1), 3600 * SECOND)
    x = router.members.instances["x"]
    assert x.free_slots == 0
    router.observe(report("x", 2, free_slots=1), 10)
    assert x.free_slots == 1


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("ok", [False, True])
def test_what_was_sent_to_an_instance_that_left_concerns_no_other(comes_back, ok):
    """Not even one that joins later under its name."""
    router = router_of("x", "y")
    gone = router.route(request(1), 10).instance
    router.leave(gone, 20)
    if comes_back:
        router.join(gone, 21, model=KEY.model)
    pool = router.members.policies()[0].pool
    loads = (
        {"x": 0, "y": 0} if comes_back else {name: 0 for name in "xy" if name != gone}
    )
    assert pool.loads == loads
    if ok:
        router.finish(request(1), 30, output_tokens=1)
    else:
        assert router.retry(request(1), 30, tokens_sent=1) is None
    assert pool.loads == loads
    assert sorted(pool.names) == sorted(router.members.instances) == sorted(loads)
    assert all(outstanding(router, name) == (0, []) for name in loads)


def test_sessions_are_not_remembered_without_end(monkeypatch):
    monkeypatch.setattr(policy, "MAX_SESSIONS", 3)
    router = router_of("x", "y")
    pool = router.members.policies()[0].pool
    for number in range(20):
        asked = Request(number, KEY, 10, session=f"s{number}", prefix_tokens=5)
        router.route(asked, number)
        assert pool.sessions[asked.session] in "xy"
        assert len(pool.sessions) <= 3


def test_a_follower_adopts_the_replicas_of_both_pools_each_in_its_own():
    """One adapter has replicas that prefill and others that decode."""
    roles = {"a": "prefill", "b": "prefill", "c": "decode", "d": "decode"}
    leader, follower = Router(CONFIG, name="me"), Router(CONFIG, name="you")
    for router in (leader, follower):
        for name, role in roles.items():
            router.join(name, 0, model=KEY.model, role=role)
    for policy_of_pool in leader.members.policies():
        row = policy_of_pool.table.row(KEY, 0)
        for name in set(policy_of_pool.pool.names) - set(row.states):
            policy_of_pool.table.move(row, name, State.READY, 0)
    assert set(leader.replicas()[KEY]) == set(roles)
    follower.adopt(leader.replicas(), 0)
    for policy_of_pool in follower.members.policies():
        serving = policy_of_pool.table.serving(KEY, 0)
        assert sorted(serving) == sorted(policy_of_pool.pool.names)


def test_replicas_that_a_follower_does_not_see_leave_it_the_homes():
    router = router_of("x", "y")
    router.adopt({KEY: ("z",)}, 0)
    (table,) = (p.table for p in router.members.policies())
    assert table.serving(KEY, 0) == table.home(KEY)
    assert table.rows == {}
