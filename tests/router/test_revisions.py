"""Rollouts: case by case here, and as a state machine in test_revisions_machine.py."""

from itertools import pairwise

import pytest

from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.leader import LeaseStore
from tensorfleet.router.messages import Push, Request, Revision
from tensorfleet.router.replicas import State
from tensorfleet.router.revisions import RevisionLoop
from tensorfleet.router.rollout import Phase
from tensorfleet.router.router import Router
from tests.router.beliefs import KEY, OTHER, belief, report

CONFIG = RouterConfig(
    canary_ns=10 * SECOND,
    swap_deadline_ns=30 * SECOND,
    push_retry_ns=2 * SECOND,
    push_retry_cap_ns=16 * SECOND,
    suspect_after_ns=3 * SECOND,
)
OLD, NEW = Revision("old", 6), Revision("new", 7)


class Fleet:
    """A loop, the instances as it believes them to be, and a clock."""

    def __init__(self, *names, generation=6):
        self.loop = RevisionLoop(CONFIG)
        self.now = self.reports = 0
        self.instances = {}
        for load, name in enumerate(names):
            self.instances[name] = belief(name, work=load, resident={KEY: generation})
        self.loop.publish(KEY, OLD, 0)
        self.loop.step(0, self.instances)

    def publish(self, revision, key=KEY):
        self.loop.publish(key, revision, self.now)

    def step(self, leads=True):
        """The names that are asked for KEY, in order."""
        actions = self.loop.step(self.now, self.instances, leads)
        assert all(isinstance(action, Push) for action in actions)
        self.pushes = actions
        return [push.instance for push in actions if push.key == KEY]

    def tell(self, name, generation=None, incarnation=0):
        """An instance reports, with KEY in a new generation or as before."""
        instance = self.instances[name]
        resident = dict(instance.resident)
        if generation is not None:
            resident[KEY] = generation
        self.reports += 1  # each is newer than all before, whatever the clock does
        said = report(
            name,
            self.reports,
            incarnation=incarnation,
            resident=resident,
            work=instance.load,
        )
        assert instance.observe(said, "router", self.now)

    def hear(self, **generations):
        """All instances report, those that are named with a new generation."""
        for name in self.instances:
            self.tell(name, generations.get(name))

    def pass_time(self, seconds):
        """Time passes, in which all instances go on reporting what they have."""
        self.now += round(seconds * SECOND)
        self.hear()

    @property
    def phase(self):
        return self.loop.rollouts[KEY].phase


def published(*names):
    fleet = Fleet(*names)
    fleet.publish(NEW)
    return fleet


def beyond_the_canary(*names):
    """A fleet in which the first of `names` has passed its time as the canary."""
    fleet = published(*names)
    fleet.step()
    fleet.hear(**{names[0]: 7})
    fleet.step()
    fleet.pass_time(10)
    return fleet


def test_the_least_loaded_holder_is_the_canary_and_the_others_follow():
    fleet = Fleet("z", "y", "x")
    fleet.instances = dict(reversed(fleet.instances.items()))
    fleet.publish(NEW)
    assert fleet.step() == ["z"]
    assert fleet.pushes == [Push("z", KEY, NEW, 30 * SECOND)]
    fleet.pass_time(1)
    fleet.hear(z=7)
    assert fleet.step() == []
    fleet.pass_time(9.999_999_999)
    assert fleet.step() == []
    fleet.pass_time(0.000_000_001)
    assert sorted(fleet.step()) == ["x", "y"]
    assert {push.deadline for push in fleet.pushes} == {41 * SECOND}
    fleet.hear(x=7, y=7)
    assert fleet.step() == []
    assert not fleet.loop.active


def test_the_canary_does_not_pass_before_it_has_reported_the_new_revision():
    fleet = published("x", "y")
    fleet.step()
    fleet.pass_time(100)
    assert len(fleet.step()) == 1
    assert fleet.phase == Phase.CANARY


def test_a_push_without_an_answer_is_repeated_at_growing_intervals():
    fleet = beyond_the_canary("x", "y")
    asked = []
    for _ in range(700):
        if fleet.step() == ["y"]:
            asked.append(fleet.now)
            deadline = fleet.pushes[0].deadline
            assert deadline == asked[0] + 30 * SECOND  # that of the first push
        fleet.pass_time(0.1)
    gaps = [(b - a) / SECOND for a, b in pairwise(asked)]
    assert gaps == [2, 4, 8, 16, 16, 16]
    fleet.hear(y=7)
    assert fleet.step() == []


def test_after_one_failure_another_holder_is_the_canary():
    fleet = published("x", "y", "z")
    assert fleet.step() == ["x"]
    fleet.hear(x=7)
    fleet.step()
    fleet.loop.failed(KEY, "x", fleet.now)
    assert fleet.step() == ["y"]
    fleet.hear(y=7)
    fleet.step()
    fleet.pass_time(9)
    assert fleet.step() == []
    fleet.pass_time(1)
    assert fleet.step() == ["z"]


def test_an_instance_where_it_failed_never_passes_for_the_others():
    fleet = published("x", "y", "z")
    fleet.step()
    fleet.hear(x=7)
    fleet.step()
    fleet.loop.failed(KEY, "x", fleet.now)
    for _ in range(100):  # y and z do not answer
        assert len(fleet.step()) <= 1
        fleet.pass_time(1)
    assert fleet.phase == Phase.CANARY


def test_an_instance_where_it_failed_is_the_last_to_be_the_canary_again():
    fleet = published("x", "y")
    assert fleet.step() == ["x"]
    fleet.loop.failed(KEY, "x", fleet.now)
    fleet.tell("x", incarnation=1)
    assert fleet.step() == ["y"]


def test_an_instance_with_a_generation_not_heard_of_yet_is_no_canary():
    fleet = published("x", "y")
    fleet.hear(x=8)
    assert fleet.step() == ["y"]


def test_a_failure_of_the_canary_counts_before_it_has_reported_the_new_revision():
    fleet = published("x", "y", "z")
    assert fleet.step() == ["x"]
    fleet.loop.failed(KEY, "x", fleet.now)
    assert fleet.step() == ["y"]


def halted():
    fleet = published("x", "y", "z")
    for name in ("x", "y"):
        assert fleet.step() == [name]
        fleet.hear(**{name: 7})
        fleet.step()
        fleet.loop.failed(KEY, name, fleet.now)
    return fleet


def test_failures_on_two_instances_halt_the_rollout_until_a_newer_generation():
    fleet = halted()
    for _ in range(100):
        assert fleet.step() == []
        fleet.pass_time(1)
    assert fleet.phase == Phase.HALTED
    assert fleet.loop.accepts(KEY, "old") == {6}
    fleet.publish(NEW)  # the hub is read again: nothing new
    assert fleet.step() == []
    fleet.publish(Revision("newer", 8))
    assert len(fleet.step()) == 1


def test_failing_twice_on_one_instance_does_not_halt():
    fleet = published("x", "y")
    fleet.step()
    fleet.hear(x=7)
    fleet.step()
    fleet.loop.failed(KEY, "x", fleet.now)
    fleet.loop.failed(KEY, "x", fleet.now)
    assert fleet.phase == Phase.CANARY
    assert fleet.step() == ["y"]


def test_failures_of_the_old_revision_or_after_the_canary_or_elsewhere_do_not_count():
    fleet = published("x", "y", "z")
    fleet.step()
    fleet.loop.failed(KEY, "y", fleet.now)
    fleet.loop.failed(KEY, "z", fleet.now)
    fleet.loop.failed(OTHER, "x", fleet.now)
    fleet.hear(x=7)
    fleet.step()
    fleet.pass_time(10)
    assert fleet.step() == ["y", "z"]
    fleet.hear(y=7)
    fleet.step()
    fleet.loop.failed(KEY, "x", fleet.now)
    fleet.loop.failed(KEY, "y", fleet.now)
    fleet.pass_time(2)
    assert fleet.step() == ["z"]


def test_the_only_holder_is_asked_even_if_it_has_failed():
    fleet = published("x")
    assert fleet.step() == ["x"]
    fleet.loop.failed(KEY, "x", fleet.now)
    fleet.pass_time(2)
    assert fleet.step() == ["x"]
    fleet.hear(x=7)
    assert fleet.step() == []
    assert not fleet.loop.active


def test_a_rollback_of_a_halted_revision_goes_everywhere_at_once():
    fleet = halted()
    fleet.publish(Revision("old", 8))
    assert fleet.step() == ["x", "y", "z"]
    assert {push.revision for push in fleet.pushes} == {Revision("old", 8)}


def test_a_rollback_in_the_middle_of_a_rollout_goes_everywhere_at_once():
    fleet = beyond_the_canary("x", "y", "z")
    assert fleet.step() == ["y", "z"]
    fleet.publish(Revision("old", 8))
    assert fleet.step() == ["x", "y", "z"]


@pytest.mark.parametrize("end", ["halted", "unfinished"])
def test_a_hash_that_was_not_rolled_out_to_the_end_needs_a_canary_again(end):
    fleet = halted() if end == "halted" else beyond_the_canary("x", "y", "z")
    fleet.step()
    fleet.publish(Revision("old", 8))
    fleet.hear(x=8, y=8, z=8)
    fleet.step()
    assert not fleet.loop.active
    fleet.publish(Revision("new", 9))
    assert len(fleet.step()) == 1


def test_a_hash_that_failed_anywhere_needs_a_canary_again_although_all_had_it():
    fleet = published("x", "y")
    fleet.step()
    fleet.loop.failed(KEY, "x", fleet.now)
    for revision in (NEW, Revision("newer", 8)):
        fleet.publish(revision)
        fleet.hear(x=revision.generation, y=revision.generation)
        fleet.step()
        assert not fleet.loop.active
    fleet.publish(Revision("new", 9))
    assert len(fleet.step()) == 1


def test_a_newer_generation_takes_over_at_once():
    fleet = published("x", "y")
    assert fleet.step() == ["x"]
    fleet.publish(Revision("newest", 8))
    assert fleet.step() == ["x"]  # and no waiting for the interval of the former push
    assert fleet.pushes[0].revision.generation == 8
    fleet.hear(x=7)  # it obeyed the former push after all
    fleet.step()
    fleet.pass_time(20)
    assert fleet.phase == Phase.CANARY
    assert fleet.loop.generation(KEY) == 8


@pytest.mark.parametrize("late", [Revision("older", 5), Revision("other", 7), NEW])
def test_a_generation_that_is_not_newer_is_ignored(late):
    fleet = published("x", "y")
    fleet.step()
    fleet.publish(late)
    assert fleet.step() == []
    assert fleet.loop.generation(KEY) == 7
    assert fleet.loop.accepts(KEY, "new") == {7}
    assert fleet.loop.accepts(KEY, late.hash) == ({7} if late == NEW else frozenset())


def test_the_old_hash_is_accepted_until_all_have_swapped():
    fleet = beyond_the_canary("x", "y", "z")
    assert fleet.step() == ["y", "z"]
    fleet.hear(y=7)
    fleet.step()
    assert fleet.loop.accepts(KEY, "old") == {6}
    assert fleet.loop.accepts(KEY, "new") == {7}
    assert fleet.loop.accepts(KEY, "unknown") == frozenset()
    assert fleet.loop.accepts(OTHER, "old") == frozenset()
    fleet.hear(z=7)
    fleet.step()
    assert fleet.loop.accepts(KEY, "old") == frozenset()
    assert fleet.loop.accepts(KEY, "new") == {7}


def test_a_hash_that_came_back_is_accepted_in_both_generations():
    fleet = beyond_the_canary("x", "y")
    fleet.publish(Revision("old", 8))
    fleet.step()
    assert fleet.loop.accepts(KEY, "old") == {6, 8}
    fleet.hear(x=8, y=8)
    fleet.step()
    assert fleet.loop.accepts(KEY, "old") == {8}


def test_replicas_are_stale_while_they_serve_an_older_revision():
    fleet = published("x", "y")
    fleet.step()
    fleet.hear(x=7)
    fleet.step()
    states = [fleet.loop.state_of(KEY, name) for name in ("x", "y", "stranger")]
    assert states == ["ready", "stale", "ready"]
    assert fleet.loop.state_of(OTHER, "y") == "ready"


def test_who_leaves_is_forgotten_and_who_restarts_is_asked_as_if_for_the_first_time():
    fleet = beyond_the_canary("w", "x", "y", "z")
    assert fleet.step() == ["x", "y", "z"]
    del fleet.instances["x"]
    fleet.pass_time(1)
    fleet.tell("z", incarnation=1)
    assert fleet.step() == ["z"]
    assert fleet.pushes[0].deadline == fleet.now + 30 * SECOND
    fleet.instances["x"] = belief("x", now=fleet.now, resident={KEY: 6})
    assert fleet.step() == ["x"]


def test_a_holder_that_appears_when_all_is_done_is_asked_as_well():
    fleet = beyond_the_canary("x", "y")
    fleet.hear(y=7)
    assert fleet.step() == []
    assert not fleet.loop.active
    fleet.instances["late"] = belief("late", now=fleet.now, resident={KEY: 6})
    assert fleet.step() == ["late"]
    assert fleet.loop.state_of(KEY, "late") == "stale"
    fleet.hear(late=7)
    assert fleet.step() == []
    assert not fleet.loop.active


def test_an_instance_that_loads_an_older_revision_when_all_is_done_is_asked():
    fleet = Fleet("x", "y")
    fleet.instances["late"] = belief("late")
    fleet.publish(NEW)
    fleet.hear(x=7, y=7)
    fleet.step()
    assert not fleet.loop.active
    fleet.tell("late", 6)
    assert fleet.step() == []  # x and y are on trial since the report
    fleet.pass_time(10)
    assert fleet.step() == ["late"]


def test_a_silent_holder_is_not_the_canary_and_one_that_falls_silent_is_replaced():
    fleet = published("x", "y", "z")
    fleet.now = 4 * SECOND
    fleet.tell("y")
    fleet.tell("z")
    assert fleet.step() == ["y"]
    fleet.now = 8 * SECOND
    fleet.tell("z")
    assert fleet.step() == ["z"]


def test_a_canary_that_never_answers_is_replaced_after_its_deadline():
    fleet = published("x", "y")
    for _ in range(30):
        assert fleet.step() in ([], ["x"])
        fleet.pass_time(1)
    assert fleet.step() == ["y"]


def test_a_router_that_does_not_lead_asks_nobody_and_knows_where_to_go_on():
    fleet = published("x", "y")
    assert fleet.step(leads=False) == []
    fleet.hear(x=7)  # the leader has asked it
    assert fleet.step(leads=False) == []
    fleet.pass_time(10)
    assert fleet.step(leads=False) == []
    assert fleet.loop.accepts(KEY, "old") == {6}
    assert fleet.loop.state_of(KEY, "y") == "stale"
    assert fleet.step() == ["y"]  # it leads now, and the canary's time has passed
    fleet.hear(y=7)
    fleet.step(leads=False)
    assert fleet.loop.accepts(KEY, "old") == frozenset()


def test_when_the_clock_is_set_back_holders_are_asked_and_the_canary_starts_again():
    fleet = published("x", "y", "z")
    fleet.now = 3_600 * SECOND
    fleet.step()
    fleet.now = 0
    assert len(fleet.step()) == 1
    canary = fleet.pushes[0].instance
    assert fleet.pushes[0].deadline == 30 * SECOND
    fleet.now = 3_600 * SECOND
    fleet.hear(**{canary: 7})
    fleet.step()
    fleet.now = SECOND
    assert fleet.step() == []
    fleet.now = 11 * SECOND
    assert len(fleet.step()) == 2


@pytest.mark.parametrize("leads", [True, False])
def test_the_replica_tables_of_all_routers_show_who_is_stale(leads):
    store = LeaseStore()
    store.claim("first" if leads else "another", 0)
    router = Router(CONFIG, name="first", lease=store)
    for name in "xyz":
        router.join(name, 0, model="m")
        router.observe(report(name, 0, resident={KEY: 6}), 0)
    table = router.members.policies()[0].table
    row = table.row(KEY, 0)
    for name in "xyz":
        table.move(row, name, State.READY, 0)
    router.publish(KEY, NEW, 1)
    pushes = [action for action in router.step(1) if isinstance(action, Push)]
    assert len(pushes) == leads
    assert set(row.states.values()) == {State.STALE}
    assert set(table.serving(KEY, 1)) == set("xyz")
    router.observe(report("x", 2, resident={KEY: 7}), 2)
    router.step(2)
    assert [row.states[name] for name in "xyz"] == ["ready", "stale", "stale"]
    for name in "yz":
        router.observe(report(name, 3, resident={KEY: 7}), 3)
    router.step(3)
    assert set(row.states.values()) == {State.READY}


def test_a_request_that_insists_on_a_revision_goes_to_its_holder_or_nowhere():
    router = Router(CONFIG)
    for name, generation in (("x", 7), ("y", 6)):
        router.join(name, 0, model="m")
        router.observe(report(name, 0, resident={KEY: generation}), 0)
    router.publish(KEY, OLD, 0)
    router.publish(KEY, NEW, 0)
    router.step(0)

    def where(number, hash):
        asked = Request(id=number, key=KEY, prompt_tokens=1, revision=hash)
        return router.route(asked, 1).instance

    assert where(1, "old") == "y"
    assert where(2, "new") == "x"
    assert where(3, "never published") is None
    router.observe(report("y", 2, resident={KEY: 7}), 2)
    router.step(2)
    assert where(4, "old") is None


def test_adapters_are_rolled_out_apart():
    fleet = Fleet("x", "y")
    fleet.instances = {
        name: belief(name, work=load, resident={KEY: 6, OTHER: 1})
        for load, name in enumerate("xy")
    }
    fleet.publish(NEW)
    assert fleet.step() == ["x"]
    assert [push.key for push in fleet.pushes] == [KEY]
    fleet.publish(Revision("b", 2), OTHER)
    assert fleet.step() == []
    assert fleet.pushes == [Push("x", OTHER, Revision("b", 2), 30 * SECOND)]


def test_a_step_looks_only_at_rollouts_in_progress():
    fleet = Fleet("x", "y")
    for number in range(1_000):
        fleet.publish(Revision("r", 1), key=KEY._replace(adapter=f"cold {number}"))
    fleet.step()
    assert not fleet.loop.active
    fleet.publish(NEW)
    assert list(fleet.loop.active) == [KEY]
