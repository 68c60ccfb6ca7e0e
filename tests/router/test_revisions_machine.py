"""Rollouts over a network that loses, doubles and delays, on machines that come and go.

The test keeps a fleet of its own: what each machine really holds, what the hub has
published, and all messages under way. Hypothesis decides what happens next. At the end
all faults stop, and every machine must come to the hub's newest revision.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import Revision
from tensorfleet.router.revisions import RevisionLoop
from tensorfleet.router.rollout import Phase
from tests.router.beliefs import KEY, report

CONFIG = RouterConfig(
    canary_ns=10 * SECOND,
    swap_deadline_ns=30 * SECOND,
    push_retry_ns=2 * SECOND,
    push_retry_cap_ns=16 * SECOND,
)
NAMES = st.sampled_from("wxyz")
HASHES = st.sampled_from(["red", "green", "blue"])


class Machine:
    """What an instance really holds, and what it was asked to swap to."""

    def __init__(self, incarnation, generation):
        self.incarnation = incarnation
        self.generation = generation
        self.asked = 0
        self.deadline = 0

    def take(self, push):
        """An instance never goes back, and keeps the first deadline of a generation."""
        if self.generation is None or push.revision.generation <= self.generation:
            return
        if push.revision.generation > self.asked:
            self.asked = push.revision.generation
            self.deadline = push.deadline

    def swap(self):
        if self.asked > (self.generation or 0) and self.generation is not None:
            self.generation = self.asked


class Rollouts(RuleBasedStateMachine):
    @initialize(hash=HASHES)
    def begin(self, hash):
        self.loop = RevisionLoop(CONFIG)
        self.now = 0
        self.clock = 0  # of the reports: never goes back
        self.hub = [Revision(hash, 1)]
        self.machines = {}
        self.incarnations = dict.fromkeys("wxyz", 0)
        self.beliefs = {}
        self.publications = [self.hub[0]]
        self.reports = []
        self.pushes = []
        self.pushed = {}  # the newest generation that each name was ever asked for
        self.deadlines = {}
        self.acceptable = {}  # by the specification of `accepts`

    # --- the world ---------------------------------------------------------------

    @rule(hash=HASHES)
    def publish(self, hash):
        revision = Revision(hash, len(self.hub) + 1)
        self.hub.append(revision)
        self.publications.append(revision)

    @rule(name=NAMES)
    def join_or_restart(self, name):
        self.incarnations[name] += 1
        self.machines[name] = Machine(self.incarnations[name], None)
        if name not in self.beliefs:
            self.beliefs[name] = Instance(name, "m", 1.0, "both", self.now)

    @precondition(lambda self: self.machines)
    @rule(name=NAMES)
    def leave(self, name):
        self.machines.pop(name, None)
        self.beliefs.pop(name, None)

    @rule(name=NAMES, age=st.integers(0, 2))
    def load(self, name, age):
        """From the hub: its newest, or an older one that was still under way."""
        machine = self.machines.get(name)
        if machine and machine.generation is None:
            machine.generation = max(len(self.hub) - age, 1)

    @rule(name=NAMES)
    def evict(self, name):
        if name in self.machines:
            self.machines[name].generation = None

    @rule(name=NAMES)
    def swap(self, name):
        if name in self.machines:
            self.machines[name].swap()

    @rule(name=NAMES)
    def fail(self, name):
        if name in self.machines:
            self.loop.failed(KEY, name, self.now)

    @rule(names=st.permutations("wxyz"))
    def write_reports(self, names):
        self.clock += 1
        for name in names:
            if name in self.machines:
                machine = self.machines[name]
                held = {} if machine.generation is None else {KEY: machine.generation}
                self.reports.append(
                    report(
                        name,
                        self.clock,
                        incarnation=machine.incarnation,
                        resident=held,
                    )
                )

    # --- the network -------------------------------------------------------------

    def pick(self, messages, data, fate):
        """Any message: lost, delivered, or delivered and still under way."""
        number = data % len(messages)
        return messages[number] if fate == "doubled" else messages.pop(number)

    @precondition(lambda self: self.publications)
    @rule(data=st.integers(0), fate=st.sampled_from(["lost", "once", "doubled"]))
    def carry_publication(self, data, fate):
        revision = self.pick(self.publications, data, fate)
        if fate != "lost":
            self.deliver_publication(revision)

    def deliver_publication(self, revision):
        if revision.generation > self.loop.generation(KEY):
            self.acceptable[revision.generation] = revision.hash
        self.loop.publish(KEY, revision, self.now)

    @precondition(lambda self: self.reports)
    @rule(data=st.integers(0), fate=st.sampled_from(["lost", "once", "doubled"]))
    def carry_report(self, data, fate):
        said = self.pick(self.reports, data, fate)
        if fate != "lost" and said.instance in self.beliefs:
            self.beliefs[said.instance].observe(said, "router", self.now)

    @precondition(lambda self: self.reports)
    @rule()
    def carry_all_reports(self):
        for said in self.reports:
            if said.instance in self.beliefs:
                self.beliefs[said.instance].observe(said, "router", self.now)
        self.reports = []

    @precondition(lambda self: self.pushes)
    @rule(data=st.integers(0), fate=st.sampled_from(["lost", "once", "doubled"]))
    def carry_push(self, data, fate):
        push = self.pick(self.pushes, data, fate)
        if fate != "lost" and push.instance in self.machines:
            self.machines[push.instance].take(push)

    # --- the loop ----------------------------------------------------------------

    def outdated(self):
        """By the definition: who was last heard to hold an older generation."""
        newest = self.loop.generation(KEY)
        return [
            name
            for name, instance in self.beliefs.items()
            if instance.resident.get(KEY, newest) < newest
        ]

    @rule(seconds=st.sampled_from([0, 0.5, 1, 3, 10, 40]))
    def step(self, seconds):
        self.now += round(seconds * SECOND)
        for name in self.machines:
            if self.now >= self.machines[name].deadline:
                self.machines[name].swap()
        outdated, newest = self.outdated(), self.loop.generation(KEY)
        self.deadlines = {
            which: deadline
            for which, deadline in self.deadlines.items()
            if which[0] in outdated
        }
        actions = self.loop.step(self.now, self.beliefs)
        for push in actions:
            assert push.key == KEY
            assert push.instance in outdated
            assert push.revision.generation == newest
            assert self.hub[newest - 1] == push.revision
            assert newest >= self.pushed.get(push.instance, 0)
            self.pushed[push.instance] = newest
            believed = self.beliefs[push.instance]
            which = (push.instance, believed.incarnation, newest)
            first = self.now + CONFIG.swap_deadline_ns
            assert push.deadline == self.deadlines.setdefault(which, first)
        rollout = self.loop.rollouts.get(KEY)
        if rollout:
            assert rollout.phase == Phase.EVERYWHERE or len(actions) <= 1
            assert rollout.phase != Phase.HALTED or not actions
            if not outdated:
                self.acceptable = {newest: self.hub[newest - 1].hash}
        for name in self.beliefs:
            state = "stale" if name in outdated else "ready"
            assert self.loop.state_of(KEY, name) == state
        assert bool(self.loop.active) == bool(outdated)
        self.pushes += actions

    @invariant()
    def old_hashes_are_accepted_until_all_have_swapped(self):
        if hasattr(self, "loop"):
            for hash in ("red", "green", "blue", "never published"):
                expected = {n for n, known in self.acceptable.items() if known == hash}
                assert self.loop.accepts(KEY, hash) == expected

    def teardown(self):
        if not hasattr(self, "loop"):
            return
        self.publications = []
        self.deliver_publication(self.hub[-1])
        rollout = self.loop.rollouts[KEY]
        if rollout.phase == Phase.HALTED:  # only the hub can undo that
            self.publish("red")
            self.deliver_publication(self.publications.pop())
        # A canary that does not answer is waited for until its deadline, and is asked
        # again within the longest pause. Each swap takes until the deadline at most.
        patience = 16 + 30 + 10 + 16 + 30 + 5
        for _ in range(patience):
            self.write_reports("wxyz")
            self.carry_all_reports()
            self.step(1)
            for push in self.pushes:
                if push.instance in self.machines:
                    self.machines[push.instance].take(push)
            self.pushes = []
        held = {machine.generation for machine in self.machines.values()} - {None}
        assert held <= {len(self.hub)}
        assert not self.loop.active


Rollouts.TestCase.settings = settings(
    max_examples=100,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow],
)
TestRollouts = pytest.mark.slow(Rollouts.TestCase)
