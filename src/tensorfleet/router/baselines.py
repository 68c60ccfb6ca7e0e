"""The policies that ours is compared with, each as its system describes it.

All see the same pool: the router's own counts, the instances' reports, and what these
say of resident adapters. `RouterConfig.epsilon`, `threshold` and `choices` are what
they are tuned by. They look at every instance where the original does, so a decision
may cost O(instances).
"""

from random import Random

from tensorfleet.choices import choose
from tensorfleet.router.config import RouterConfig
from tensorfleet.router.messages import AdapterKey, Request
from tensorfleet.router.policy import Choice, Policy, Pool, ring_key


class RandomChoice(Policy):
    """Any instance."""

    def choose(self, request: Request, work: int, now: int) -> Choice:
        names = self.pool.names
        return names[int(self.random.random() * len(names))], "random", (), 0, False


class RoundRobin(Policy):
    """One instance after the other, in the order of joining."""

    turn = 0

    def choose(self, request: Request, work: int, now: int) -> Choice:
        self.turn += 1
        names = self.pool.names
        return names[self.turn % len(names)], "round robin", (), 0, False


class LeastOutstanding(Policy):
    """The instance with the fewest requests out; of equal ones, the longest here."""

    def choose(self, request: Request, work: int, now: int) -> Choice:
        instances = self.pool.instances
        name = min(self.pool.names, key=lambda name: instances[name].num_requests)
        return name, "fewest requests", (), 0, False


class TwoChoices(Policy):
    """The less loaded of two random instances, or of `choices`."""

    def choose(self, request: Request, work: int, now: int) -> Choice:
        loads, d = self.pool.loads, self.config.choices
        name = choose(self.pool.names, loads.__getitem__, self.random, d)
        return name, "two choices", (), 0, False


class ConsistentHash(Policy):
    """The key's owner on the ring, whatever its load."""

    def choose(self, request: Request, work: int, now: int) -> Choice:
        owner = self.pool.ring.successors(ring_key(request.key), 1)[0]
        return owner, "ring", (), 0, False


class BoundedHash(Policy):
    """The first on the ring with less than 1 + epsilon times the average requests.

    Mirrokni, Thorup and Zadimoghaddam (arXiv 1608.01350), as load balancers apply it.
    """

    counts_requests = True
    is_bounded = True

    def choose(self, request: Request, work: int, now: int) -> Choice:
        walk = self.pool.ring.walk(ring_key(request.key), 1, now, 1)
        self.pool.ring.admit(walk.nodes[0], 1, now, walk.overflow)
        return walk.nodes[0], "bounded ring", (), walk.steps, walk.overflow


class BoundedWork(Policy):
    """The first on the ring with room, where load is work and the bound has a floor.

    The step between the ring as load balancers apply it and our policy.
    """

    is_bounded = True

    @staticmethod
    def floor(config: RouterConfig) -> int:
        return config.floor_ns

    @staticmethod
    def smoothing_ns(config: RouterConfig) -> int:
        return config.smoothing_ns

    def choose(self, request: Request, work: int, now: int) -> Choice:
        walk = self.pool.ring.walk(ring_key(request.key), 1, now, work)
        self.pool.ring.admit(walk.nodes[0], work, now, walk.overflow)
        return walk.nodes[0], "bounded ring", (), walk.steps, walk.overflow


class ResidencyFirst(Policy):
    """Two choices among those that hold the adapter, or among all if none does.

    As Ray Serve's multiplexed deployments.
    """

    def choose(self, request: Request, work: int, now: int) -> Choice:
        instances = self.pool.instances
        holders = list(self.pool.holders.of(request.key))
        name = choose(
            holders or self.pool.names,
            lambda name: instances[name].num_requests,
            self.random,
        )
        return name, "holder" if holders else "two choices", (), 0, False


class LoraAffinity(Policy):
    """The least work among the holders, or else among those with a free slot.

    The affinity filter with a load scorer of llm-d's inference scheduler. A holder
    whose load is above `threshold` times the average is passed over.
    """

    def choose(self, request: Request, work: int, now: int) -> Choice:
        loads, instances = self.pool.loads, self.pool.instances
        names = self.pool.names
        limit = self.config.threshold * (self.pool.ring.total + work) / len(names)
        holders = [n for n in self.pool.holders.of(request.key) if loads[n] <= limit]
        roomy = holders or [n for n in names if instances[n].free_slots > 0]
        name = min(roomy or names, key=loads.__getitem__)
        return name, "affinity" if holders else "least work", (), 0, False


class StickyTokens(Policy):
    """Where the adapter went last, until that has much more work than the average.

    Token-aware sticky routing: beyond `threshold` times the average work the adapter
    moves to the instance with the least.
    """

    def __init__(self, pool: Pool, config: RouterConfig, random: Random) -> None:
        super().__init__(pool, config, random)
        self.last: dict[AdapterKey, str] = {}

    def choose(self, request: Request, work: int, now: int) -> Choice:
        loads, last = self.pool.loads, self.last
        name = last.get(request.key)
        average = (self.pool.ring.total + work) / len(self.pool.names)
        if name in loads and loads[name] <= self.config.threshold * average:
            return name, "sticky", (), 0, False
        name = last[request.key] = min(self.pool.names, key=loads.__getitem__)
        return name, "least work", (), 0, False


class PredictedTtft(Policy):
    """The shortest predicted time to first token over all instances.

    Work ahead, plus the adapter's load where it is not held, plus the prefill of what
    is not cached there.
    """

    def choose(self, request: Request, work: int, now: int) -> Choice:
        costs, pool = self.config.costs, self.pool
        session = pool.sessions.get(request.session) if request.session else None
        saved = request.prefix_tokens * costs.prefill_ns_per_token
        load_ns = self.config.cold_ns

        def predicted(name: str) -> int:
            cold = 0 if pool.instances[name].holds(request.key) else load_ns
            return pool.loads[name] + cold - (saved if name == session else 0)

        return min(pool.names, key=predicted), "predicted TTFT", (), 0, False


class AllResident(Policy):
    """The least work, for a fleet in which every adapter is resident everywhere.

    No policy but an oracle: what remains when adapters need no loading. The simulator
    gives it such a fleet.
    """

    def choose(self, request: Request, work: int, now: int) -> Choice:
        session = self.pool.sessions.get(request.session or "")
        loads = self.pool.loads
        saved = request.prefix_tokens * self.config.costs.prefill_ns_per_token
        name = min(
            self.pool.names, key=lambda n: loads[n] - (saved if n == session else 0)
        )
        return name, "least work", (), 0, False
