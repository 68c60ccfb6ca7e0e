"""The default policy: a bounded ring, two choices among replicas, and what was missing.

The ring gives an adapter its homes, the replica table adds what its demand asks for,
and of two random replicas the one with less work ahead takes the request, provided that
it holds the adapter and is far from full. An adapter that nobody holds goes to its
first home. Where that does not settle it, the homes, those that hold the adapter (the
first eight to do so, or the next few on the ring if nobody does) and the least loaded
of all are compared by cost, and the bound keeps out those that are full. What
measurement added to the notes' design:

- load is outstanding work in nanoseconds, not the length of a queue;
- the bound has a floor of `floor_ns`: below it there is no reason to send a request
  away from its adapter. (The work of a batch of decoding requests at which a step takes
  twice as long would be ten times that. As a floor it lets prompts pile up at a home
  until its steps are slow, because work counts prefill too.)
- the cost of an instance is the work ahead, and what a missing adapter adds: `cold_ns`
  for its way from the hub, but `warm_ns` at its first home, whose host memory may have
  it, since that is where it goes when nobody holds it; and `crowded_ns` for each slot
  that must become free first, as far as the router knows. When an adapter goes to
  others than its replicas twice within a second, the second becomes a replica;
- a session stays where the KV of its prefix is, as long as that saves more than waiting
  costs. Where nobody remembers it, rendezvous hashing (Thaler and Ravishankar 1998)
  makes all routers look at the same replica.
"""

from collections.abc import Container
from itertools import islice
from math import floor
from random import Random

from tensorfleet.hashing import stable_hash
from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.messages import AdapterKey, Request
from tensorfleet.router.policy import Choice, Pool
from tensorfleet.router.replicas import State
from tensorfleet.router.replicating import ReplicatingPolicy

MAX_HOLDERS = 8  # that are compared
MASK = 2**64 - 1
NOBODY: dict[str, None] = {}


class TensorFleet(ReplicatingPolicy):
    """See the module. Costs O(1) per decision, O(log) for an adapter never seen."""

    def __init__(self, pool: Pool, config: RouterConfig, random: Random) -> None:
        super().__init__(pool, config, random)
        self.draw = random.random
        self.ring, self.loads, self.instances = pool.ring, pool.loads, pool.instances
        self.holders = pool.holders.by_adapter
        self.digests: dict[str, int] = {}

    @staticmethod
    def floor(config: RouterConfig) -> int:
        return config.floor_ns

    @staticmethod
    def smoothing_ns(config: RouterConfig) -> int:
        return config.smoothing_ns

    def choose(self, request: Request, work: int, now: int) -> Choice:
        key = request.key
        serving = self.table.ask(key, work, now)
        if request.session is not None:
            limit = self.ring.limit(now, work)
            return self._weigh(request, serving, work, limit, now)
        name, rule = serving[0], "home"
        considered: tuple[str, ...] = ()
        holders = self.holders.get(key.adapter)
        if holders is None:
            is_good = self.instances[name].free_slots > 0
        else:
            num_serving = len(serving)
            if num_serving > 1:
                # choices.pair, written out: this is the hottest place of all.
                draw, loads = self.draw, self.loads
                first = floor(draw() * num_serving)
                second = floor(draw() * (num_serving - 1))
                name, other = serving[first], serving[second + (second >= first)]
                considered, rule = (name, other), "two choices"
                if loads[other] < loads[name]:
                    name, other = other, name
                if name not in holders:
                    name = other
            is_good = name in holders
        if is_good and self.ring.offer_light(name, work):
            return name, rule, considered, 0, False
        return self._settle(request, serving, work, now)

    def _settle(
        self, request: Request, serving: tuple[str, ...], work: int, now: int
    ) -> Choice:
        """Take the least loaded holder, or the first home, if none can cost less.

        What does not hold the adapter costs at least the least load of all and what a
        missing adapter adds. `_weigh` would choose the same, and takes longer.
        """
        ring, config = self.ring, self.config
        holders = self.holders.get(request.key.adapter, NOBODY)
        home = serving[0]
        held, added = [home], config.cold_ns
        if holders:
            if home not in holders:
                added = config.warm_ns
            candidates = dict.fromkeys((*serving, *islice(holders, MAX_HOLDERS)))
            if len(holders) > MAX_HOLDERS:
                candidates[ring.least_loaded()] = None
            held = [name for name in candidates if name in holders]
        name = min(held, key=self.loads.__getitem__)
        certain = self._cost(name, holders, home) < ring.least_bound() + added
        limit = ring.limit(now, work)
        if not certain or not ring.offer(name, work, limit):
            return self._weigh(request, serving, work, limit, now)
        if name not in serving:
            self._grow_at_once(request.key, name, now)
        return name, "least cost", tuple(held), 0, False

    def _weigh(
        self,
        request: Request,
        serving: tuple[str, ...],
        work: int,
        limit: int,
        now: int,
    ) -> Choice:
        """Compare all that come into question by cost."""
        key, ring = request.key, self.ring
        holders, warm = self.holders.get(key.adapter, NOBODY), serving[0]
        others = islice(holders, MAX_HOLDERS) if holders else self.table.near(key)
        candidates = dict.fromkeys((*serving, *others, ring.least_loaded()))
        roomy = ring.with_room(candidates, limit)
        costs = {name: self._cost(name, holders, warm) for name in roomy}
        full = len(candidates) - len(roomy)
        place = None
        if request.session is not None:
            place, warm = self._place(request.session, serving)
            saved = request.prefix_tokens * self.config.costs.prefill_ns_per_token
            saved = max(saved, self.config.sticky_ns)
            costs[place] = self._cost(place, holders, warm) - saved
        if not costs:
            name = ring.least_loaded()
            ring.admit(name, work, now, overflow=True)
            return name, "least loaded", tuple(candidates), full, True
        name = min(costs, key=costs.__getitem__)
        overflow = not ring.offer(name, work, limit)
        if overflow:
            ring.admit(name, work, now, overflow=True)
        if name == place:
            return name, "session", tuple(costs), 0, overflow
        if name not in serving:
            self._grow_at_once(key, name, now)
        return name, "least cost", tuple(costs), full, overflow

    def _cost(self, name: str, holders: Container[str], warm: str) -> int:
        """The work before a request here, with what a missing adapter adds.

        `warm` is the instance that may have it in host memory.
        """
        if name in holders:
            return self.loads[name]
        config = self.config
        cost = self.loads[name] + (config.warm_ns if name == warm else config.cold_ns)
        missing = 1 - self.instances[name].free_slots
        return cost + missing * config.crowded_ns if missing > 0 else cost

    def _grow_at_once(self, key: AdapterKey, name: str, now: int) -> None:
        """The second spill within a second makes a replica of where it goes."""
        before = self.table.spill(key, now)
        # A negative time since then would mean that the clock was set back.
        if before is None or not 0 <= now - before < SECOND:
            return
        if len(self.table.serving(key, now)) < self.config.max_replicas:
            self.table.move(self.table.row(key, now), name, State.READY, now)

    def _place(self, session: str, serving: tuple[str, ...]) -> tuple[str, str]:
        """Where the session's KV is, or where other routers would look for it.

        And who may have its adapter in host memory.
        """
        place = self.pool.sessions.get(session)
        if place in self.instances:
            return place, place
        return self._sticky(session, serving), serving[0]

    def _sticky(self, session: str, serving: tuple[str, ...]) -> str:
        """Rendezvous hashing: the replica with the highest hash of session and name.

        It changes for a session only if that replica leaves or a higher one arrives.
        """
        seed = stable_hash(session)
        return max(serving, key=lambda name: _mixed(seed ^ self._digest(name)))

    def _digest(self, name: str) -> int:
        digest = self.digests.get(name)
        if digest is None:
            digest = self.digests[name] = stable_hash(name)
        return digest


def _mixed(value: int) -> int:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & MASK
    return value ^ (value >> 31)
