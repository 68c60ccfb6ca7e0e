"""What a router believes of an instance, recomputed from all that has happened.

The belief is kept up incrementally; the test keeps a list of everything that was sent
and sums it up anew, by the formula in the module, after each event.
"""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tensorfleet.router.config import RouterConfig, WorkCosts
from tensorfleet.router.messages import AdapterKey, Request
from tensorfleet.router.router import Router
from tests.router.beliefs import KEY, OTHER, report

DAY = 86_400 * 10**9
CONFIG = RouterConfig(
    costs=WorkCosts(prefill_ns_per_token=1, decode_ns_per_token=0),
    suspect_after_ns=DAY,
    shed_wait_ns=DAY,
)
KEYS = [KEY, OTHER, AdapterKey("c", "m")]


def router_of_one():
    """A router with one instance, for which a request is as much work as its prompt."""
    router = Router(CONFIG, name="me")
    router.join("x", 0, model="m")
    return router, router.members.instances["x"]


def test_reported_work_shrinks_as_requests_come_back():
    router, x = router_of_one()
    requests = [Request(id=n, key=KEY, prompt_tokens=100) for n in range(4)]
    for request in requests:
        router.route(request, 10)
    assert x.load == 400
    # Of my 400 the instance has 200 left, and 50 of somebody else's.
    router.observe(report("x", 20, work=250, by_router={"me": 200, "you": 50}), 30)
    assert x.load == 250
    router.finish(requests[0], 40)
    assert x.load == 50 + 150
    router.route(Request(id=9, key=KEY, prompt_tokens=30), 50)
    assert x.load == 50 + 150 + 30


def test_reports_that_are_doubled_or_late_or_of_a_former_life_change_nothing():
    router, x = router_of_one()
    router.observe(report("x", 20, incarnation=1, work=5), 20)
    for said in (
        report("x", 20, incarnation=1, work=7),
        report("x", 19, incarnation=1, work=7),
        report("x", 50, incarnation=0, work=7),
    ):
        assert not x.observe(said, "me", 60)
        assert (x.load, x.heard_at) == (5, 20)


def test_an_adapter_is_held_when_it_is_asked_for_loading_or_resident():
    router, x = router_of_one()
    router.observe(report("x", 5, free_slots=3), 5)
    assert router.route(Request(id=1, key=KEY, prompt_tokens=1), 10).cold
    assert x.holds(KEY)
    assert x.free_slots == 2
    assert not router.route(Request(id=2, key=KEY, prompt_tokens=1), 11).cold
    router.observe(report("x", 12, free_slots=2, loading={KEY: 1}), 12)
    assert x.holds(KEY)
    assert x.free_slots == 2
    router.observe(report("x", 13, free_slots=2, resident={KEY: 1}), 13)
    assert x.holds(KEY)
    router.observe(report("x", 14, free_slots=3), 14)
    assert not x.holds(KEY)
    assert router.route(Request(id=3, key=KEY, prompt_tokens=1), 15).cold


def test_a_clock_that_is_set_back_leaves_no_work_behind():
    router, x = router_of_one()
    router.observe(report("x", 1_000), 1_000)
    request = Request(id=1, key=KEY, prompt_tokens=100)
    router.route(request, 500)
    assert x.load == 100
    router.finish(request, 600)
    assert x.load == 0
    router.observe(report("x", 2_000), 700)
    assert x.load == 0


class Beliefs(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.router, self.x = router_of_one()
        self.now = self.incarnation = self.number = 0
        self.out = {}  # request → its work and when it was sent
        self.asked = {}  # adapter → when it was last sent for without being held
        self.reports = []
        self.latest = None
        self.told_of = set()
        self.base = 0

    @rule(pause=st.integers(0, 3))
    def wait(self, pause):
        self.now += pause

    @rule(key=st.sampled_from(KEYS), prompt=st.integers(1, 50))
    def route(self, key, prompt):
        held = self.holds(key)
        self.number += 1
        request = Request(id=self.number, key=key, prompt_tokens=prompt)
        decision = self.router.route(request, self.now)
        assert decision.instance == "x"
        assert decision.cold == (not held)
        assert decision.predicted_wait_ns == self.load()
        if not held:
            self.asked[key] = self.now
        self.out[request.id] = (request, prompt, self.now)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), ok=st.booleans())
    def finish(self, data, ok):
        number = data.draw(st.sampled_from(list(self.out)))
        request = self.out.pop(number)[0]
        self.router.finish(request, self.now, ok=ok)
        self.router.finish(request, self.now, ok=ok)  # a doubled notice

    @rule()
    def restart(self):
        self.incarnation += 1

    @rule(
        mine=st.integers(0, 200),
        others=st.integers(0, 200),
        resident=st.sets(st.sampled_from(KEYS)),
        loading=st.sets(st.sampled_from(KEYS)),
        free_slots=st.integers(0, 4),
    )
    def write_report(self, mine, others, resident, loading, free_slots):
        said = report(
            "x",
            self.now,
            incarnation=self.incarnation,
            work=mine + others,
            by_router={"me": mine, "you": others},
            resident=dict.fromkeys(sorted(resident), 1),
            loading=dict.fromkeys(sorted(loading), 1),
            free_slots=free_slots,
        )
        self.reports.append(said)

    @precondition(lambda self: self.reports)
    @rule(data=st.data(), remains=st.booleans())
    def carry_report(self, data, remains):
        said = data.draw(st.sampled_from(self.reports))
        if not remains:
            self.reports.remove(said)
        self.router.observe(said, self.now)
        age = (said.incarnation, said.time)
        if not self.latest or age > (self.latest.incarnation, self.latest.time):
            self.latest = said
            # What was sent at the report's time or before is in it, unless it is sent
            # after the report has arrived.
            self.told_of = {n for n, sent in self.out.items() if sent[2] <= said.time}
            self.base = self.work_of(self.told_of)
            self.asked = {key: t for key, t in self.asked.items() if t > said.time}

    # --- by the definitions ------------------------------------------------------

    def work_of(self, numbers):
        return sum(self.out[number][1] for number in numbers)

    def load(self):
        included = self.work_of(self.told_of & self.out.keys())
        recent = self.work_of(self.out.keys() - self.told_of)
        if self.latest is None:
            return recent
        mine, foreign = (self.latest.work_by_router[name] for name in ("me", "you"))
        return foreign + recent + (included * mine // self.base if self.base else 0)

    def holds(self, key):
        told = {*self.latest.resident, *self.latest.loading} if self.latest else set()
        return key in told or key in self.asked

    @invariant()
    def the_belief_is_what_the_definitions_say(self):
        if not hasattr(self, "router"):
            return
        assert self.x.load == self.load()
        assert self.router.members.pool_of(self.x).loads["x"] == self.load()
        assert self.x.num_requests == len(self.out)
        assert [self.x.holds(key) for key in KEYS] == [self.holds(k) for k in KEYS]
        free = self.latest.free_slots - len(self.asked) if self.latest else 0
        assert self.x.free_slots == free


Beliefs.TestCase.settings = settings(max_examples=100, stateful_step_count=40)
TestBeliefs = pytest.mark.slow(Beliefs.TestCase)
