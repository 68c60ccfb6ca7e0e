"""The router around its policy: counting, health, retries, shedding, leadership."""

import pytest

from tensorfleet.router import Request, Revision, Router, RouterConfig
from tensorfleet.router.leader import LeaseStore
from tensorfleet.router.messages import AdapterKey, Publish
from tests.router.beliefs import report
from tests.router.fleets import COSTS, MILLISECOND, MODEL, SECOND, Requests, key
from tests.router.fleets import make_router as make


def load_of(router, name):
    return router.members.instances[name].load


def test_work_is_counted_at_route_and_let_go_at_finish():
    router, request = make("tensorfleet", "n"), Requests()
    first, second = request(tokens=5), request(tokens=7)
    router.route(first, 0)
    router.route(second, 0)
    assert load_of(router, "n") == 12_000
    router.finish(first, 1)
    assert load_of(router, "n") == 7_000
    router.finish(first, 1)  # doubled messages do no harm
    router.finish(second, 2)
    assert load_of(router, "n") == 0


def test_a_doubled_notice_does_not_move_the_mean_output_twice():
    routers = [make("tensorfleet", "n") for _ in range(2)]
    for notices, router in enumerate(routers, 1):
        asked = Requests()()
        router.route(asked, 0)
        for _ in range(notices):
            router.finish(asked, 1, output_tokens=5000)
    assert routers[0].mean_output == routers[1].mean_output > 200 << 10


def test_the_wait_that_a_decision_predicts_is_the_work_ahead():
    router, request = make("tensorfleet", "n"), Requests()
    router.observe(report("n", 1, work=3 * MILLISECOND), 1)
    assert router.route(request(tokens=1), 1).predicted_wait_ns == 3 * MILLISECOND
    assert router.route(request(tokens=1), 1).predicted_wait_ns == 3_001_000


def test_an_adapter_is_cold_until_it_was_asked_for_or_reported():
    router, request = make("tensorfleet", "n"), Requests()
    assert router.route(request("a"), 0).cold
    assert not router.route(request("a"), 1).cold
    router.observe(report("n", 2, resident={key("b"): 0}), 2)
    assert router.route(request("a"), 3).cold  # it came, and has gone again
    assert not router.route(request("b"), 3).cold


def test_a_failure_is_tried_again_elsewhere_once():
    router, request = make("tensorfleet"), Requests()
    asked = request()
    first = router.route(asked, 0).instance
    second = router.retry(asked, 1)
    assert second is not None
    assert second.instance not in (None, first)
    assert router.retry(asked, 2) is None
    assert router.sent == {}


def test_what_has_begun_to_answer_is_not_tried_again():
    router, request = make("tensorfleet"), Requests()
    asked = request()
    router.route(asked, 0)
    assert router.retry(asked, 1, tokens_sent=1) is None
    assert all(load_of(router, name) == 0 for name in "nopqr")


def test_a_black_hole_is_ejected_and_comes_back_on_probation():
    """Five failures in a row, however idle it looks; then one is enough."""
    router = make("least_outstanding", "no", eject_after_errors=5)
    router.observe(report("o", 1, work=SECOND), 1)
    request, refused = Requests(), 0
    while True:
        asked = request()
        if router.route(asked, 2).instance != "n":
            break
        router.finish(asked, 2, ok=False)
        refused += 1
    assert refused == 5
    back = 2 + router.config.ejection_ns
    for name in "no":
        router.observe(report(name, back), back)
    asked = request()
    assert router.route(asked, back).instance == "n"
    router.finish(asked, back, ok=False)
    assert router.route(request(), back).instance == "o"


def test_never_more_than_half_are_ejected():
    router, request = make("round_robin", "nopq"), Requests()
    for _ in range(200):
        asked = request()
        router.route(asked, 1)
        router.finish(asked, 1, ok=False)
    assert len(router.members.policies()[0].pool.names) == 2


def test_who_does_not_report_gets_nothing_until_it_does():
    router = make("round_robin", "no", suspect_after_ns=SECOND)
    request = Requests()
    late = SECOND + 1
    router.observe(report("n", late), late)
    router.step(late)
    assert {router.route(request(), late).instance for _ in range(4)} == {"n"}
    router.observe(report("o", late), late)
    assert {router.route(request(), late).instance for _ in range(4)} == {"n", "o"}


def test_too_long_a_wait_is_shed_with_a_reason():
    router = make("tensorfleet", "n", shed_wait_ns=SECOND)
    request = Requests()
    router.observe(report("n", 1, work=2 * SECOND), 1)
    decision = router.route(request(), 1)
    assert decision.instance is None
    assert "2000 ms of work ahead on n" in decision.why
    assert load_of(router, "n") == 2 * SECOND
    assert router.sent == {}


def test_without_an_instance_of_its_model_a_request_is_shed():
    router = make("tensorfleet", "n")
    decision = router.route(Request(1, AdapterKey("a", "other"), 5), 0)
    assert decision.instance is None
    assert "no instance" in decision.why


def test_models_and_stages_have_pools_of_their_own():
    router = Router(RouterConfig(costs=COSTS))
    router.join("p", 0, model=MODEL, role="prefill")
    router.join("d", 0, model=MODEL, role="decode")
    router.join("x", 0, model="other")
    asked = Request(1, key(), 5)
    assert router.route(asked, 0).instance == "p"
    router.finish(asked, 1)
    assert router.route(Request(1, key(), 5, stage="decode"), 1).instance == "d"
    assert router.route(Request(2, AdapterKey("a", "other"), 5), 1).instance == "x"


def test_an_old_revision_is_accepted_until_all_have_swapped():
    router = make("tensorfleet", "no")
    request = Requests()
    router.publish(key(), Revision("old", 1), 0)
    router.publish(key(), Revision("new", 2), 1)
    router.observe(report("n", 2, resident={key(): 2}), 2)
    router.observe(report("o", 2, resident={key(): 1}), 2)
    router.step(2)
    assert router.route(request(revision="old"), 3).instance == "o"
    assert router.route(request(revision="new"), 3).instance == "n"
    router.step(4)
    done = 4 + router.config.canary_ns
    for name in "no":
        router.observe(report(name, done, resident={key(): 2}), done)
    router.step(done)
    refused = router.route(request(revision="old"), done)
    assert refused.instance is None
    assert "old" in refused.why


def test_the_leaders_replicas_reach_the_others():
    """Replicas that the leader's loop adds serve at every router."""
    store = LeaseStore()
    names = "nopqr"
    routers = [
        Router(RouterConfig(costs=COSTS, scaling_period_ns=SECOND), name=n, lease=store)
        for n in ("first", "second")
    ]
    request = Requests()
    for router in routers:
        for name in names:
            router.join(name, 0, model=MODEL)
            router.observe(report(name, 0), 0)
    now, table = 0, None
    for _ in range(20):
        now += SECOND
        for router in routers:
            for name in names:
                router.observe(report(name, now, resident={key(): 0}), now)
            # 0.8 seconds of work a second: more than one instance's share
            asked = request(tokens=800_000)
            router.route(asked, now)
            router.finish(asked, now)
        for action in routers[0].step(now):
            if isinstance(action, Publish):
                table = action.table
        assert routers[1].step(now) == []
    assert table is not None
    assert len(table[key()]) > 1
    routers[1].adopt(table, now)
    assert routers[1].replicas()[key()] == table[key()]


def test_demand_grows_replicas_by_prefetch_before_they_serve():
    router = make("tensorfleet", scaling_period_ns=SECOND, floor_ns=10 * SECOND)
    request, now, asked_for, served = Requests(), 0, [], set()
    resident = {name: {} for name in "nopqr"}
    for _ in range(60):
        now += SECOND
        for name in "nopqr":
            router.observe(report(name, now, resident=dict(resident[name])), now)
        arrived = set(asked_for)
        asked_for += [action.instance for action in router.step(now)]
        asked = request(tokens=900_000)
        name = router.route(asked, now).instance
        served.add(name)
        # only who was not asked to load it, or has reported it, serves
        assert name not in asked_for or key() in resident[name]
        router.finish(asked, now)
        for holder in (name, *arrived):
            resident[holder][key()] = 0
    assert len(asked_for) == len(set(asked_for)) >= 2
    assert served >= set(asked_for)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda r: r.join("n", 0, model=MODEL), ValueError, "'n' has joined already"),
        (
            lambda r: r.join("z", 0, model=MODEL, role="any"),
            ValueError,
            "role is 'any'",
        ),
        (lambda r: r.join("z", 0, model=MODEL, weight=0), ValueError, "weight is 0"),
        (lambda r: r.leave("z", 0), KeyError, "'z' has not joined"),
    ],
)
def test_bad_input_is_named_and_changes_nothing(call, error, message):
    router = make("tensorfleet", "n")
    with pytest.raises(error, match=message):
        call(router)
    assert list(router.members.instances) == ["n"]


def test_a_request_cannot_be_routed_twice_at_once():
    router, asked = make("tensorfleet", "n"), Requests()()
    router.route(asked, 0)
    with pytest.raises(ValueError, match=f"request {asked.id} is routed"):
        router.route(asked, 0)
    assert load_of(router, "n") == 1_000_000
