"""The default policy: a bounded ring, two choices among replicas, and what was missing.

The ring gives an adapter its homes, the replica table adds what its demand asks for,
and of two random replicas the one with less work ahead takes the request, provided that
it is below the bound. What measurement added to the notes' design:

- load is outstanding work in nanoseconds, not the length of a queue;
- the bound has a floor, the batch at which a step takes twice as long: below it there
  is no reason to send a request away from its adapter;
- a replica that would have to load the adapter first counts that as work ahead;
- when all replicas are full, the next on the ring that hold the adapter or have a free
  slot are preferred; an adapter that overflows twice within a second gains the replica;
- a session stays with one replica of the set, by rendezvous hashing (Thaler and
  Ravishankar 1998), because its KV is there.
"""

from random import Random

from tensorfleet.hashing import stable_hash
from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.messages import AdapterKey, Request
from tensorfleet.router.policy import Choice, Pool, ring_key
from tensorfleet.router.replicas import State
from tensorfleet.router.replicating import ReplicatingPolicy

MASK = 2**64 - 1
RULES = ("spill to a holder", "spill to a free slot", "spill along the ring")


class TensorFleet(ReplicatingPolicy):
    """See the module. Costs O(1) per decision, O(log) for an adapter never seen."""

    def __init__(self, pool: Pool, config: RouterConfig, random: Random) -> None:
        super().__init__(pool, config, random)
        self.draw = random.random
        self.loads, self.instances = pool.loads, pool.instances
        self.digests: dict[str, int] = {}

    @staticmethod
    def floor(config: RouterConfig) -> int:
        """A doubling batch of requests, as work: each with the decode of its output."""
        costs = config.costs
        decode = costs.decode_ns_per_token * config.expected_output
        return max(costs.doubling_batch * decode, 1)

    @staticmethod
    def smoothing_ns(config: RouterConfig) -> int:
        return config.smoothing_ns

    def choose(self, request: Request, work: int, now: int) -> Choice:
        key = request.key
        table = self.table
        table.work[key] = table.work.get(key, 0) + work
        offer, serving = self.pool.ring.offer, table.serving(key, now)
        num_serving = len(serving)
        if num_serving == 1:
            if offer(serving[0], work, now):
                return serving[0], "home", (), 0, False
            return self._spill(key, serving, work, now)
        if request.session is not None:
            name = self._sticky(request.session, serving)
            if offer(name, work, now):
                return name, "session", (), 0, False
        # choices.pair, written out: this is the hottest place of all.
        first = int(self.draw() * num_serving)
        second = int(self.draw() * (num_serving - 1))
        considered = serving[first], serving[second + (second >= first)]
        name, other = considered
        if self._ahead(other, key) < self._ahead(name, key):
            name = other
        if offer(name, work, now):
            return name, "two choices", considered, 0, False
        # The better of two is full: look at all replicas before leaving the set.
        for steps, name in enumerate(serving):
            if offer(name, work, now):
                return name, "replica with room", serving, steps, False
        return self._spill(key, serving, work, now)

    def _ahead(self, name: str, key: AdapterKey) -> int:
        """The work before a request here, with the adapter's load if it is missing."""
        instance = self.instances[name]
        if key in instance.resident or instance.holds(key):
            return self.loads[name]
        return self.loads[name] + self.config.costs.load_ns

    def _spill(
        self, key: AdapterKey, serving: tuple[str, ...], work: int, now: int
    ) -> Choice:
        """All replicas are full: go on along the ring, preferring who is prepared."""
        ring = self.pool.ring
        nearby = ring.successors(ring_key(key), len(serving) + self.config.window)
        others = [name for name in nearby if name not in serving]
        others.sort(key=lambda name: self._unprepared(name, key))
        for name in others:
            if ring.offer(name, work, now):
                self._grow_at_once(key, name, now)
                rule = RULES[self._unprepared(name, key)]
                steps = max(nearby.index(name), 1)
                return name, rule, serving, steps, False
        name = ring.least_loaded()
        overflow = not ring.offer(name, work, now)
        if overflow:
            ring.admit(name, work, now, overflow=True)
        return name, "least loaded", tuple(nearby), len(nearby), overflow

    def _unprepared(self, name: str, key: AdapterKey) -> int:
        """0 where the adapter is, 1 where a slot is free for it, 2 elsewhere."""
        instance = self.pool.instances[name]
        if instance.holds(key):
            return 0
        return 1 if instance.free_slots() > 0 else 2

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
