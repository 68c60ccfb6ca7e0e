"""Control loop 1: replicas follow demand.

Every `scaling_period_ns` the loop looks at how much of an instance's time each
adapter's requests took, as a decayed average, and wants one replica for every
`replica_share` of an instance (k_new). Too few: the least loaded among the next
instances on the ring load the adapter, and serve when their report shows it
(prefetching → ready). Too many, for as long as `cooldown_ns`: the replica farthest from
the adapter's place on the ring drains. Growth is immediate and shrinking is slow, and
between the two thresholds lies a gap, so that a demand that trembles around one of them
does not make replicas flap.
"""

from collections.abc import Callable

from tensorfleet.router.config import RouterConfig
from tensorfleet.router.messages import Action, AdapterKey, Prefetch, Unload
from tensorfleet.router.policy import Pool, ring_key
from tensorfleet.router.replicas import SERVING, ReplicaTable, Row, State

MILLION = 1_000_000
SHRINK_MARGIN = 700_000  # shrink when 70% of k - 1 replicas would do
NOTICEABLE = 50_000  # demand below a twentieth of an instance makes no row
GIVE_UP_PERIODS = 2  # a prefetch that has not arrived after so many periods is dropped

Generation = Callable[[AdapterKey], int]


class ScalingLoop:
    """The loop for one pool.

    With `hysteresis` it shrinks after a cooldown only, and below a lower threshold than
    it grew at.
    """

    def __init__(
        self, table: ReplicaTable, pool: Pool, config: RouterConfig, hysteresis: bool
    ) -> None:
        self.table = table
        self.pool = pool
        self.config = config
        self.hysteresis = hysteresis
        self.last: int | None = None
        self.prefetching: list[tuple[AdapterKey, str]] = []
        self.rates: dict[AdapterKey, int] = {}  # of the last period, in millionths
        self.share = round(config.replica_share * MILLION)

    def step(self, now: int, generation: Generation) -> list[Action]:
        """What the instances are asked to do; `generation` is an adapter's newest."""
        if not self.pool.names:
            return []
        self.table.follow_pool(now)
        self._settle_prefetches(now)
        actions = self._prefetch_at_new_homes(generation)
        if self.last is None or self.last > now:  # the clock was set back
            self.last = now
            self.table.take_asked()  # over who knows what time
        elapsed = now - self.last
        if elapsed < self.config.scaling_period_ns:
            return actions
        self.last = now
        for row in self._measured(elapsed, now):
            self._finish_drains(row, now, actions)
            wanted = self.wanted(row)
            held = sum(state != State.DRAINING for state in row.states.values())
            if wanted > held:
                row.cool_since = None
                self._grow(row, wanted - held, now, generation(row.key), actions)
            elif self._has_cooled(row, wanted, held, now):
                self._shrink(row, wanted, now)
            quiet = max(row.demand, self.rates.get(row.key, 0)) < NOTICEABLE
            if quiet and set(row.serving()) == set(self.table.home(row.key)):
                self.table.forget(row.key)
        return actions

    def wanted(self, row: Row) -> int:
        """k: a replica for every `replica_share` of demand, within the limits."""
        wanted = max(-(-row.demand // self.share), self.table.homes)
        return min(wanted, self.config.max_replicas, len(self.pool.names))

    def _measured(self, elapsed: int, now: int) -> list[Row]:
        """The rows with their demand brought up to date."""
        table = self.table
        own, total = self._own_and_total()
        self.rates = rates = {
            key: work * total // own * MILLION // elapsed
            for key, work in table.take_asked().items()
        }
        for key, rate in rates.items():
            if rate >= NOTICEABLE:
                table.row(key, now)
        for row in table.rows.values():
            rate = rates.get(row.key, 0)
            gap = (rate - row.demand) * elapsed
            row.demand += gap // (self.config.heat_half_life_ns + elapsed)
        return list(table.rows.values())

    def _own_and_total(self) -> tuple[int, int]:
        """Work that this router has out, and that all have, to tell demand by.

        A router counts its own requests only. What the others send of an adapter is
        taken to be in proportion to what they send of all.
        """
        instances = self.pool.instances.values()
        total = sum(instance.work for instance in instances)
        own = total - sum(instance.foreign for instance in instances)
        return (own, total) if own > 0 else (1, 1)

    def _grow(
        self, row: Row, count: int, now: int, generation: int, actions: list[Action]
    ) -> None:
        """Prefetch on the `count` least loaded of the next instances on the ring."""
        reach = len(row.states) + count + self.config.window
        nearby = self.pool.ring.successors(ring_key(row.key), reach)
        idle = [name for name in nearby if name not in row.states]
        idle.sort(key=self.pool.loads.__getitem__)  # stable: nearest first among equals
        for name in idle[:count]:
            if self.pool.instances[name].holds(row.key):
                self.table.move(row, name, State.READY, now)
            else:
                self.table.move(row, name, State.PREFETCHING, now)
                self.prefetching.append((row.key, name))
                actions.append(Prefetch(name, row.key, generation))

    def _prefetch_at_new_homes(self, generation: Generation) -> list[Action]:
        rows = self.table.rows
        wanted = [
            (key, name)
            for key, name in self.table.wanted
            if key in rows and rows[key].states.get(name) == State.PREFETCHING
        ]
        self.table.wanted.clear()
        self.prefetching += wanted
        return [Prefetch(name, key, generation(key)) for key, name in wanted]

    def _settle_prefetches(self, now: int) -> None:
        """Let those serve that have arrived; give up on those that never do."""
        patience = GIVE_UP_PERIODS * self.config.scaling_period_ns
        waiting = []
        for key, name in self.prefetching:
            row, instance = self.table.rows.get(key), self.pool.instances.get(name)
            if not row or not instance or row.states.get(name) != State.PREFETCHING:
                continue
            if key in instance.resident:
                self.table.move(row, name, State.READY, now)
            elif not 0 <= now - row.since[name] <= patience:
                # A home must serve in the end; it loads the adapter when asked.
                home = name in self.table.home(key)
                self.table.move(row, name, State.READY if home else None, now)
            else:
                waiting.append((key, name))
        self.prefetching = waiting

    def _finish_drains(self, row: Row, now: int, actions: list[Action]) -> None:
        """Let go of what has drained for a period.

        Where slots are free the adapter may stay until something needs its place, in
        case the demand returns.
        """
        for name, state in list(row.states.items()):
            if state == State.DRAINING:
                if self.pool.instances[name].free_slots == 0:
                    actions.append(Unload(name, row.key))
                self.table.move(row, name, None, now)

    def _has_cooled(self, row: Row, wanted: int, held: int, now: int) -> bool:
        if wanted >= held:
            row.cool_since = None
            return False
        if not self.hysteresis:
            return True
        if row.demand * MILLION >= self.share * (held - 1) * SHRINK_MARGIN:
            row.cool_since = None
            return False
        if row.cool_since is None or row.cool_since > now:
            row.cool_since = now
        return now - row.cool_since >= self.config.cooldown_ns

    def _shrink(self, row: Row, wanted: int, now: int) -> None:
        """Drain all but the `wanted` replicas that are nearest on the ring."""
        row.cool_since = None
        reach = self.config.max_replicas + self.config.window
        nearby = self.pool.ring.successors(ring_key(row.key), reach)
        order = {name: place for place, name in enumerate(nearby)}
        serving = [name for name in row.states if row.states[name] in SERVING]
        serving.sort(key=lambda name: order.get(name, reach))
        for name in serving[wanted:]:
            self.table.move(row, name, State.DRAINING, now)
