"""The default policy: a bounded ring, two choices among replicas, and what was missing.

The ring gives an adapter its homes, the replica table adds what its demand asks for,
and of two random replicas the one with less work ahead takes the request, provided that
it is below the bound. What measurement added to the notes' design:

- load is outstanding work in nanoseconds, not the length of a queue;
- the bound has a floor of `floor_ns`: below it there is no reason to send a request
  away from its adapter. (The work of a batch of decoding requests at which a step takes
  twice as long would be ten times that. As a floor it lets prompts pile up at a home
  until its steps are slow, because work counts prefill too.)
- where no home has room, or none has the adapter or a free slot for it, the instances
  nearby on the ring and the least loaded of all are compared by cost: the work ahead,
  and `cold_ns` where the adapter has to be loaded, and `crowded_ns` where a slot has to
  become free first. Twice within a second, and the instance becomes a replica;
- a session stays where the KV of its prefix is, as long as that saves more than waiting
  costs. Where nobody remembers it, rendezvous hashing (Thaler and Ravishankar 1998)
  makes all routers look at the same replica.
"""

from math import floor
from random import Random

from tensorfleet.hashing import stable_hash
from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.messages import AdapterKey, Request
from tensorfleet.router.policy import Choice, Pool, ring_key
from tensorfleet.router.replicas import State
from tensorfleet.router.replicating import ReplicatingPolicy

MASK = 2**64 - 1


class TensorFleet(ReplicatingPolicy):
    """See the module. Costs O(1) per decision, O(log) for an adapter never seen."""

    def __init__(self, pool: Pool, config: RouterConfig, random: Random) -> None:
        super().__init__(pool, config, random)
        self.draw = random.random
        self.loads, self.instances = pool.loads, pool.instances
        self.offer = pool.ring.offer
        self.digests: dict[str, int] = {}

    @staticmethod
    def floor(config: RouterConfig) -> int:
        return config.floor_ns

    @staticmethod
    def smoothing_ns(config: RouterConfig) -> int:
        return config.smoothing_ns

    def choose(self, request: Request, work: int, now: int) -> Choice:
        key = request.key
        table = self.table
        table.work[key] += work
        serving = table.serving(key, now)
        num_serving = len(serving)
        if request.session is not None:
            return self._weigh(request, serving, work, now)
        if num_serving == 1:
            name, rule = serving[0], "home"
            considered: tuple[str, ...] = ()
        else:
            # choices.pair, written out: this is the hottest place of all.
            draw, loads = self.draw, self.loads
            first = floor(draw() * num_serving)
            second = floor(draw() * (num_serving - 1))
            name, other = serving[first], serving[second + (second >= first)]
            considered, rule = (name, other), "two choices"
            if loads[other] < loads[name]:
                name, other = other, name
            # The less loaded has the lower cost too, where it has the adapter, or has
            # room for it and the other has it no more than this one.
            instance = self.instances[name]
            if (
                key not in instance.held
                and (instance.free_slots < 1 or self.instances[other].holds(key))
                and self._cost(other, key) < self._cost(name, key)
            ):
                name = other
        instance = self.instances[name]
        if (instance.free_slots > 0 or instance.holds(key)) and (
            self.offer(name, work, now)
        ):
            return name, rule, considered, 0, False
        return self._weigh(request, serving, work, now)

    def _cost(self, name: str, key: AdapterKey) -> int:
        """The work before a request here, with what a missing adapter adds."""
        instance = self.instances[name]
        if instance.holds(key):
            return self.loads[name]
        cost = self.loads[name] + self.config.cold_ns
        return cost if instance.free_slots > 0 else cost + self.config.crowded_ns

    def _weigh(
        self, request: Request, serving: tuple[str, ...], work: int, now: int
    ) -> Choice:
        """Look at all replicas, the next on the ring, and the least loaded of all."""
        key, ring = request.key, self.pool.ring
        nearby = ring.successors(ring_key(key), len(serving) + self.config.window)
        candidates = dict.fromkeys((*serving, *nearby, ring.least_loaded()))
        limit = ring.limit(now, work)
        costs = {
            name: self._cost(name, key)
            for name in candidates
            if ring.has_room(name, limit)
        }
        full = len(candidates) - len(costs)
        place = None
        if request.session is not None:
            place = self._place(request, serving)
            saved = request.prefix_tokens * self.config.costs.prefill_ns_per_token
            costs[place] = self._cost(place, key) - max(saved, self.config.sticky_ns)
        if not costs:
            name = ring.least_loaded()
            ring.admit(name, work, now, overflow=True)
            return name, "least loaded", tuple(candidates), full, True
        name = min(costs, key=costs.__getitem__)
        overflow = not ring.offer(name, work, now)
        if overflow:
            ring.admit(name, work, now, overflow=True)
        if name == place:
            return name, "session", tuple(costs), 0, overflow
        if name not in serving:
            self._grow_at_once(key, name, now)
        return name, "least cost", tuple(costs), full, overflow

    def _grow_at_once(self, key: AdapterKey, name: str, now: int) -> None:
        """The second spill within a second makes a replica: it loads it anyway."""
        row = self.table.row(key, now)
        if (
            row.spilled_at is not None
            and now - row.spilled_at < SECOND
            and len(row.serving()) < self.config.max_replicas
        ):
            self.table.move(row, name, State.READY, now)
        row.spilled_at = now

    def _place(self, request: Request, serving: tuple[str, ...]) -> str:
        """Where the session's KV is, or where other routers would look for it."""
        session = request.session or ""
        place = self.pool.sessions.get(session)
        return place if place in self.instances else self._sticky(session, serving)

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
