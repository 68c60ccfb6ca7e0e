"""Who watches a router, and says when it breaks a promise.

A witness stands between the simulation and a router. It keeps books of its own, from
what passes by, and compares; it never calls a check of the code that it watches. Its
other half, `fleet_witness`, watches requests and instances.

A broken promise raises `Broken`, with a sentence that says what and when.

Does not handle: times and rates. That a router is slow is no broken promise.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil

from tensorfleet.router import AdapterKey, Decision, Report, Request, Revision, Router
from tensorfleet.router.messages import Action, Prefetch
from tensorfleet.router.policy import Pool


class Broken(AssertionError):
    """A promise was broken."""


def promise(kept: bool, *breach: object) -> None:
    """Raise Broken, with the breach in words, unless the promise is kept."""
    if not kept:
        raise Broken(" ".join(map(str, breach)))


class WatchedRouter:
    """A router whose books are audited, and whose clock may be wrong by `offset` ns.

    `exact` says that every finish notice reaches the router exactly once. `diary` holds
    all that it decided, in order.
    """

    def __init__(self, router: Router, exact: bool) -> None:
        self.router = router
        self.name = router.name
        self.exact = exact
        self.offset = 0
        self.steady_since = 0  # its clock was right, and it did not restart
        self.roles: dict[str, str] = {}
        self.out: dict[int, str] = {}  # request → instance
        self.tried: set[int] = set()  # requests that were tried again
        self.failures: dict[AdapterKey, set[str]] = {}  # since the last revision
        self.generations: dict[AdapterKey, int] = {}
        self.highest: dict[int, int] = {}  # by pool: the largest total seen
        self.diary: list[tuple[object, ...]] = []

    def clock(self, now: int) -> int:
        """What the router takes the time to be."""
        return max(now + self.offset, 0)

    # --- requests ----------------------------------------------------------------

    def route(self, request: Request, now: int) -> Decision:
        policy = self.router.members.policy_for(request)
        loads = dict(policy.pool.loads) if policy else {}
        work = 1
        if policy and not policy.counts_requests:
            costs = self.router.config.costs
            work = request.prompt_tokens * costs.prefill_ns_per_token
            work += costs.decode_ns_per_token * self.router.mean_output // 1024
        decision = self.router.route(request, self.clock(now))
        self.diary.append((now, "route", request.id, decision))
        if decision.instance is None:
            promise(bool(decision.rule), f"request {request.id} is shed without reason")
        else:
            where = f"{decision.instance} is chosen, which is not in the pool"
            promise(decision.instance in loads, where)
            self._sent(request, decision.instance, now)
            if policy and policy.is_bounded and not decision.overflow:
                self._check_bound(policy.pool, decision.instance, loads, work)
        self._audit(now)
        return decision

    def finish(
        self, request: Request, now: int, *, ok: bool = True, output_tokens: int = 0
    ) -> None:
        self.out.pop(request.id, None)
        self.router.finish(request, self.clock(now), ok=ok, output_tokens=output_tokens)
        self._audit(now)

    def retry(self, request: Request, now: int, *, tokens_sent: int) -> Decision | None:
        failed = self.out.pop(request.id, None)
        if failed is not None:
            self.failures.setdefault(request.key, set()).add(failed)
        decision = self.router.retry(request, self.clock(now), tokens_sent=tokens_sent)
        self.diary.append((now, "retry", request.id, decision))
        if decision is not None and decision.instance is not None:
            place = f"request {request.id} is tried again"
            promise(not tokens_sent, place, "after its first token")
            promise(request.id not in self.tried, place, "a second time")
            promise(decision.instance != failed, place, "where it failed,", failed)
            self.tried.add(request.id)
            self._sent(request, decision.instance, now)
        self._audit(now)
        return decision

    def _sent(self, request: Request, name: str, now: int) -> None:
        promise(name in self.roles, f"{name} is chosen, which has left or never joined")
        unfit = "prefill" if request.stage == "decode" else "decode"
        promise(self.roles[name] != unfit, f"{name} is chosen for {request.stage}")
        if self.exact:
            promise(request.id not in self.out, f"request {request.id} is out twice")
        self.out[request.id] = name

    def _check_bound(
        self, pool: Pool, name: str, loads: Mapping[str, int], work: int
    ) -> None:
        """A load below w · max(floor, ⌈(1 + ε) · (total + work) / total weight⌉).

        Where the total is smoothed, the largest that was ever seen stands for it.
        """
        ring, config = pool.ring, self.router.config
        total = sum(loads.values())
        if ring.smoothing_ns:
            total = self._see_total(pool, total)
        weights = {other: Fraction(pool.instances[other].weight) for other in loads}
        growth = 1 + Fraction(str(config.epsilon))
        limit = ceil(growth * (total + work) / sum(weights.values()))
        floor = 1 if ring.floor == 1 else config.floor_ns
        cap = ceil(weights[name] * max(floor, limit))
        promise(
            loads[name] < cap,
            f"{name} has {loads[name]} and takes {work} more at a cap of {cap},",
            "and the decision does not say overflow",
        )

    def _audit(self, now: int) -> None:
        """What the router counts is what went past here, and its ring agrees."""
        believed = self.router.members.instances
        if believed.keys() != self.roles.keys():
            raise Broken(f"{self.name} knows {list(believed)}, not {list(self.roles)}")
        if self.exact:
            out = Counter(self.out.values())
            for name, instance in believed.items():
                if instance.num_requests != out[name]:
                    raise Broken(
                        f"{self.name} counts {instance.num_requests} requests on "
                        f"{name}, and {out[name]} are out"
                    )
            if self.router.sent.keys() != self.out.keys():
                waits, out_now = sorted(self.router.sent), sorted(self.out)
                raise Broken(f"{self.name} waits for {waits}, and {out_now} are out")
        for policy in self.router.members.policies():
            ring, instances = policy.pool.ring, policy.pool.instances
            total = sum(ring.loads.values())
            if ring.total != total:
                raise Broken(f"a ring sums {total} to {ring.total}")
            self._see_total(policy.pool, total)
            self._audit_holders(policy.pool)
            for name, load in ring.loads.items():
                belief = instances[name]
                truth = belief.num_requests if policy.counts_requests else belief.load
                if load != truth:
                    raise Broken(
                        f"{self.name} believes {truth} of {name}, and its ring {load}"
                    )

    def _audit_holders(self, pool: Pool) -> None:
        """The index of holders is the instances' lists, the other way round."""
        listed = {
            (key.adapter, name)
            for name in pool.instances
            for key in pool.instances[name].held
        }
        held_by = pool.holders.by_adapter
        found = {
            (adapter, name) for adapter, names in held_by.items() for name in names
        }
        if listed != found or not all(held_by.values()):
            raise Broken(f"{self.name} misplaces adapters: {sorted(listed ^ found)}")

    def _see_total(self, pool: Pool, total: int) -> int:
        """The largest total load of the pool so far, this one included."""
        known = self.highest.get(id(pool), 0)
        self.highest[id(pool)] = largest = max(known, total)
        return largest

    # --- the rest ----------------------------------------------------------------

    def observe(self, report: Report, now: int) -> None:
        self.diary.append((now, report))
        self.router.observe(report, self.clock(now))
        self._audit(now)

    def step(self, now: int) -> Sequence[Action]:
        actions = self.router.step(self.clock(now))
        self.diary.extend((now, action) for action in actions)
        for action in actions:
            if isinstance(action, Prefetch):
                names = self.router.replicas().get(action.key, ())
                where = f"{action.instance} is to load {action.key}, and serves it"
                promise(action.instance not in names, where)
        self._audit(now)
        return actions

    def join(
        self, instance: str, now: int, *, model: str, weight: float, role: str
    ) -> None:
        self.roles[instance] = role
        self.router.join(
            instance, self.clock(now), model=model, weight=weight, role=role
        )

    def leave(self, instance: str, now: int) -> None:
        del self.roles[instance]
        self.router.leave(instance, self.clock(now))
        self._audit(now)

    def publish(self, key: AdapterKey, revision: Revision, now: int) -> None:
        self.failures.pop(key, None)
        self.router.publish(key, revision, self.clock(now))

    def adopt(self, replicas: Mapping[AdapterKey, tuple[str, ...]], now: int) -> None:
        self.router.adopt(replicas, self.clock(now))
        self._audit(now)
