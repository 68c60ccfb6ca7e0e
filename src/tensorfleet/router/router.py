"""The router: decides where each request goes, and keeps count of what it decided.

    route   → choose an instance, count the work as outstanding there
    finish  → the work is done
    observe → an instance's report sets right what counting cannot know
    step    → the background loops (see `loops`): who is alive, replicas, revisions

There is no clock, thread or socket in here: whoever drives the router passes the time
in integer nanoseconds, delivers reports, and carries out the actions that `step`
returns. A simulator, a page, a pair of threads (`runner`) or a serving framework drives
the same object.

Does not handle: the bytes of a request, and authentication.
"""

from functools import partial
from random import Random

from tensorfleet.router.config import RouterConfig
from tensorfleet.router.instances import NORMAL_PACE, Instance, Sent
from tensorfleet.router.leader import LeaseStore
from tensorfleet.router.loops import Loops
from tensorfleet.router.membership import Membership
from tensorfleet.router.messages import Decision, Report, Request
from tensorfleet.router.policy import Choice, Policy, Pool, ring_key

# Makes the named tuple without naming its fields, which takes half the time.
make_decision = partial(tuple.__new__, Decision)


class Router(Loops):
    """One router. `name` tells routers apart in reports; `seed` decides its draws.

    With a `lease` store its control loops run only while it holds the lease, so that of
    several routers one leads. Raises ValueError for an unknown policy.
    """

    def __init__(
        self,
        config: RouterConfig | None = None,
        *,
        name: str = "router",
        seed: int = 0,
        lease: LeaseStore | None = None,
    ) -> None:
        self.config = config or RouterConfig()
        self.random = Random(seed)
        super().__init__(name, Membership(self.config, self.random), lease)
        self.sent: dict[int, Sent] = {}
        # The mean length of outputs so far, in 1/1024 tokens.
        self.mean_output = self.config.expected_output << 10

    # --- instances ---------------------------------------------------------------

    def join(
        self,
        instance: str,
        now: int,
        *,
        model: str,
        weight: float = 1.0,
        role: str = "both",
    ) -> None:
        """An instance of `model` is there and may be chosen.

        `weight` is its speed beside the others'. Raises ValueError for a name that is
        taken, an unknown role, or a weight that is not above 0.
        """
        self.members.join(instance, now, model=model, weight=weight, role=role)

    def leave(self, instance: str, now: int) -> None:
        """An instance is being taken away: it finishes what it has and gets no more.

        Raises KeyError for an instance that has not joined.
        """
        self.members.leave(instance)

    def observe(self, report: Report, now: int) -> None:
        """Take an instance's report into account; late and doubled ones do no harm.

        A report of an instance that has left is ignored.
        """
        belief = self.members.instances.get(report.instance)
        if belief is None:
            return
        lost = self._lost(belief)
        if belief.observe(report, self.name, now):
            if not belief.reported:
                for sent in lost:
                    del self.sent[sent[0]]
                    belief.returned(sent)
            self.members.follow_health(belief, now)
            pool = self.members.pool_of(belief)
            if belief.name in pool.instances:
                pool.heard_from(belief, now)
            self.members.update_load(belief)

    # --- requests ----------------------------------------------------------------

    def route(self, request: Request, now: int) -> Decision:
        """Choose where the request goes, and count it as outstanding there.

        The decision names no instance when the request is shed: there is none, none of
        them has the revision that it insists on, or the wait would be too long.
        """
        policy = self.members.policy_for(request)
        if policy is None or not policy.pool.names:
            return Decision(None, (), 0, False, False, 0, "no instance of its model")
        if request.id in self.sent:
            raise ValueError(f"request {request.id} is routed and not finished yet")
        work = self.expected_work(request)
        if request.revision is None:
            choice = policy.choose(request, work, now)
        else:
            named = self._with_revision(policy.pool, request)
            if named is None:
                rule = f"revision {request.revision} is not served any more"
                return Decision(None, (), 0, False, False, 0, rule)
            choice = named
        return self._send(policy, request, work, choice, now, False)

    def finish(
        self, request: Request, now: int, *, ok: bool = True, output_tokens: int = 0
    ) -> None:
        """The request has been answered, or has failed for good.

        A request that is not known, perhaps since this router restarted, is ignored.
        """
        sent = self.sent.pop(request.id, None)
        if sent is None:
            return
        if ok and output_tokens > 0:
            sent[1].answered.add(output_tokens, now - sent[4])
        self._returned(sent, now, ok)
        if ok and output_tokens > 0:
            self.mean_output += ((output_tokens << 10) - self.mean_output) >> 6

    def retry(
        self, request: Request, now: int, *, tokens_sent: int = 0
    ) -> Decision | None:
        """The instance failed the request: where to try again, or None to give up.

        A request is tried again once, elsewhere, and only if its reader has seen no
        token yet: another instance would not go on with the same words.
        """
        sent = self.sent.pop(request.id, None)
        if sent is None:
            return None
        _, failed, _, work, _, retried = sent
        self._returned(sent, now, ok=False)
        policy = self.members.policy_for(request)
        if tokens_sent or retried or policy is None:
            return None
        pool = policy.pool
        nearby = pool.ring.successors(ring_key(request.key), 3) if pool.names else []
        others = [name for name in nearby if name != failed.name]
        if not others:
            return None
        name = min(others, key=pool.loads.__getitem__)
        choice = (name, "retry elsewhere", tuple(others), 0, True)
        decision = self._send(policy, request, work, choice, now, True)
        return decision if decision.instance else None

    # --- inside ------------------------------------------------------------------

    def expected_work(self, request: Request) -> int:
        """What the request is expected to cost an instance in ns, nothing cached."""
        costs = self.config.costs
        decode = costs.decode_ns_per_token * self.mean_output >> 10
        return request.prompt_tokens * costs.prefill_ns_per_token + decode

    def _lost(self, belief: Instance) -> list[Sent]:
        """What has ended, if the next report too says that nothing is left.

        The last one said so of what it included. Then the notices of the end got lost.
        """
        if belief.reported or belief.num_requests == len(belief.recent):
            return []
        return [
            sent
            for sent in self.sent.values()
            if sent[1] is belief and sent[0] not in belief.recent
        ]

    def _send(
        self,
        policy: Policy,
        request: Request,
        work: int,
        choice: Choice,
        now: int,
        retried: bool,
    ) -> Decision:
        """Count the request where it goes, or shed it when the wait there is too long.

        A bounded policy has admitted it on the ring already, as work without prefix on
        an instance of normal pace.
        """
        name, rule, considered, steps, overflow = choice
        pool = policy.pool
        instance, key = pool.instances[name], request.key
        wait = instance.load
        cold = key not in instance.held
        if wait > self.config.shed_wait_ns:
            self.members.update_load(instance)
            reason = f"{wait / 1e6:.0f} ms of work ahead on {name}, found by {rule}"
            return Decision(None, considered, steps, overflow, cold, wait, reason)
        if request.session is not None and pool.returns(request.session, name):
            work -= request.prefix_tokens * self.config.costs.prefill_ns_per_token
        sent = (request.id, instance, key, work, now, retried)
        self.sent[request.id] = sent
        instance.recent[request.id] = sent
        instance.recent_work += work
        instance.num_requests += 1
        if cold:
            pool.expect(instance, key, now)
        if (
            overflow
            or request.session is not None
            or not policy.is_bounded
            or instance.pace != NORMAL_PACE
        ):
            self.members.update_load(instance)
        return make_decision((name, considered, steps, overflow, cold, wait, rule))

    def _returned(self, sent: Sent, now: int, ok: bool) -> None:
        instance, members = sent[1], self.members
        if members.instances.get(instance.name) is not instance:
            return
        instance.returned(sent)
        if ok:
            members.health.succeeded(instance)
        else:
            peers = [x for x in members.instances.values() if x.model == instance.model]
            members.health.failed(instance, peers, now)
            members.follow_health(instance, now)
            self.revisions.failed(sent[2], instance.name, now)
        members.update_load(instance)

    def _with_revision(self, pool: Pool, request: Request) -> Choice | None:
        """The least loaded holder of the revision that the request insists on."""
        accepted = self.revisions.accepts(request.key, request.revision or "")
        holders = [
            name
            for name in pool.holders.of(request.key)
            if pool.instances[name].resident.get(request.key) in accepted
        ]
        if not holders:
            return None
        name = min(holders, key=pool.loads.__getitem__)
        return name, "holder of the revision", tuple(holders), 0, True
