"""The replica table: which instances serve an adapter, and in what state.

    prefetching → ready ⇄ stale
                    ↓       ↓
                    draining → gone

A prefetching replica loads the adapter and gets no requests yet. A ready one serves the
newest revision, a stale one still an older revision; both take requests. A draining one
takes none and goes when nothing waits for it.

Most adapters need no row: they are served at their homes, the first instances that the
ring names, and the table remembers these. A row is made for an adapter that has, or is
to have, replicas besides.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from tensorfleet.router.messages import AdapterKey
from tensorfleet.router.policy import Pool, ring_key

MAX_KNOWN_KEYS = 200_000  # adapters whose instances are remembered


class State(StrEnum):
    PREFETCHING = "prefetching"
    READY = "ready"
    STALE = "stale"
    DRAINING = "draining"


SERVING = (State.READY, State.STALE)
TAKEN = (*SERVING, State.PREFETCHING)
ALLOWED: dict[State | None, set[State | None]] = {
    None: {State.PREFETCHING, State.READY},
    State.PREFETCHING: {State.READY, State.STALE, State.DRAINING, None},
    State.READY: {State.STALE, State.DRAINING, None},
    State.STALE: {State.READY, State.DRAINING, None},
    State.DRAINING: {State.READY, State.STALE, None},
}


class Row:
    """An adapter's replicas, and how its demand develops.

    `since` is when a replica came into its state, `demand` the decayed share of an
    instance's time that the adapter's requests take, in millionths.
    """

    __slots__ = ("cool_since", "demand", "key", "since", "states")

    def __init__(self, key: AdapterKey) -> None:
        self.key = key
        self.states: dict[str, State] = {}
        self.since: dict[str, int] = {}
        self.demand = 0
        self.cool_since: int | None = None

    def serving(self) -> tuple[str, ...]:
        return tuple(name for name, state in self.states.items() if state in SERVING)


class Known:
    """What is remembered of an adapter: who serves it, and the work that was asked."""

    __slots__ = ("serving", "work")

    def __init__(self, serving: tuple[str, ...]) -> None:
        self.serving = serving
        self.work = 0


class ReplicaTable:
    """Who serves each adapter of a pool, and how much work is asked of it.

    `homes` is the number of instances that the ring gives every adapter, and `window`
    of those behind them are near. The table follows the pool: an instance that leaves
    it leaves all rows, and one that joins becomes a home of the adapters that the ring
    gives it. Where a former home still holds the adapter, it goes on serving while the
    new one prefetches, until the control loop takes the former one away. `wanted` lists
    such prefetches for the loop to ask for.
    """

    def __init__(self, pool: Pool, homes: int, window: int = 0) -> None:
        self.pool = pool
        self.homes = homes
        self.window = window
        self.rows: dict[AdapterKey, Row] = {}
        self.wanted: list[tuple[AdapterKey, str]] = []
        # By the adapter's name, which is found faster than a key; all have one model.
        self._known: dict[str, Known] = {}
        self._former: dict[str, Known] = {}  # before the pool changed
        self._carried: dict[str, int] = {}  # work of those since forgotten
        self._spilled: dict[str, int] = {}
        self._version = pool.version

    def serving(self, key: AdapterKey, now: int) -> tuple[str, ...]:
        """The instances that take the adapter's requests, at least one."""
        return self.ask(key, 0, now)

    def ask(self, key: AdapterKey, work: int, now: int) -> tuple[str, ...]:
        """The same for a request, whose work is counted."""
        if self._version != self.pool.version:
            self.follow_pool(now)
        known = self._known.get(key.adapter) or self._learn(key, now)
        known.work += work
        return known.serving

    def near(self, key: AdapterKey) -> tuple[str, ...]:
        """The adapter's homes and the next `window` instances on the ring."""
        return self.pool.ring.ring.first(ring_key(key), self.homes + self.window)

    def spill(self, key: AdapterKey, now: int) -> int | None:
        """One who does not serve the adapter takes a request: when did one before?"""
        before = self._spilled.get(key.adapter)
        self._spilled[key.adapter] = now
        return before

    def take_asked(self) -> dict[AdapterKey, int]:
        """The work that was asked since the last time, by adapter."""
        self._carry()
        asked, self._carried = self._carried, {}
        return {AdapterKey(name, self.pool.model): work for name, work in asked.items()}

    def _carry(self) -> None:
        """Note the work that was asked, so that what is known may be forgotten."""
        carried = self._carried
        for adapter, known in self._known.items():
            if known.work:
                carried[adapter] = carried.get(adapter, 0) + known.work
                known.work = 0

    def home(self, key: AdapterKey) -> tuple[str, ...]:
        """The adapter's homes: its first instances on the ring."""
        return self.pool.ring.ring.first(ring_key(key), self.homes)

    def row(self, key: AdapterKey, now: int) -> Row:
        """The adapter's row; made, with its homes ready, if there is none."""
        names = self.serving(key, now)  # may make the row, for a new home
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = Row(key)
            row.states = dict.fromkeys(names, State.READY)
            row.since = dict.fromkeys(names, now)
        return row

    def move(self, row: Row, name: str, state: State | None, now: int) -> None:
        """Bring a replica into `state`, or remove it with None.

        Raises ValueError for a step that the diagram above does not have, KeyError for
        an instance that is not in the pool.
        """
        old = row.states.get(name)
        if state == old:
            return
        if state not in ALLOWED[old]:
            raise ValueError(
                f"the replica of {row.key} on {name} is {old or 'absent'}: "
                f"it cannot become {state or 'absent'}"
            )
        if name not in self.pool.instances:
            raise KeyError(f"{name!r} is not in the pool: it can hold no replica")
        if state is None:
            del row.states[name], row.since[name]
        else:
            row.states[name], row.since[name] = state, now
        self._look_again(row.key)

    def forget(self, key: AdapterKey) -> None:
        """Drop a row: the adapter is served at its homes again."""
        del self.rows[key]
        self._look_again(key)

    def mark(
        self, key: AdapterKey, state_of: Callable[[AdapterKey, str], str], now: int
    ) -> None:
        """Make the replicas that serve ready or stale, as `state_of` says."""
        self.follow_pool(now)
        row = self.rows.get(key)
        if row is not None:
            for name in row.serving():
                self.move(row, name, State(state_of(key, name)), now)

    def adopt(self, replicas: Mapping[AdapterKey, tuple[str, ...]], now: int) -> None:
        """Take over the rows of the router that leads.

        It may name instances of another pool (those that decode), or that this router
        does not see at present; an adapter of which none is left is served at its home.
        """
        instances = self.pool.instances
        served = {
            key: known
            for key, names in replicas.items()
            if (known := [name for name in names if name in instances])
        }
        for key in [key for key in self.rows if key not in served]:
            self.forget(key)
        for key, known in served.items():
            row = self.row(key, now)
            for name in [name for name in row.states if name not in known]:
                self.move(row, name, None, now)
            for name in known:
                if row.states.get(name) not in SERVING:
                    self.move(row, name, State.READY, now)

    def _learn(self, key: AdapterKey, now: int) -> Known:
        if self._former and key not in self.rows:
            before = self._former.pop(key.adapter, None)
            if before is not None:
                self._hand_over(key, before.serving, now)
        if len(self._known) >= MAX_KNOWN_KEYS:
            self._carry()
            self._known.clear()
            self._spilled.clear()
        known = self._known[key.adapter] = Known(self._in_order(key))
        return known

    def _in_order(self, key: AdapterKey) -> tuple[str, ...]:
        """Those that serve, the first on the ring in front, so that routers agree."""
        row = self.rows.get(key)
        if row is None:
            return self.home(key)
        serving, near = row.serving(), self.near(key)
        if not serving:
            return near[: self.homes]
        place = {name: number for number, name in enumerate(near)}
        return tuple(sorted(serving, key=lambda name: place.get(name, len(near))))

    def _look_again(self, key: AdapterKey) -> None:
        """The row has changed, or is gone."""
        known = self._known.get(key.adapter)
        if known is not None and self.pool.names:
            known.serving = self._in_order(key)

    def follow_pool(self, now: int) -> None:
        """Bring all rows in step with the pool, as `serving` and `row` do as well."""
        if self._version == self.pool.version:
            return
        self._version = self.pool.version
        if self._known:
            self._carry()
            self._former, self._known = self._known, {}
            self._spilled.clear()
        for row in self.rows.values():
            before = row.serving()
            for name in [
                name for name in row.states if name not in self.pool.instances
            ]:
                del row.states[name], row.since[name]
            self._settle_homes(row, before, now)

    def _hand_over(self, key: AdapterKey, before: tuple[str, ...], now: int) -> None:
        """Make a row, if a former home still holds what a new home has to load."""
        homes = self.home(key)
        if set(before) == set(homes) or not self._holders(before, key):
            return
        row = Row(key)
        for name in self._holders(before, key):
            row.states[name], row.since[name] = State.READY, now
        self._settle_homes(row, before, now)
        if set(row.serving()) != set(homes):
            self.rows[key] = row

    def _settle_homes(self, row: Row, before: tuple[str, ...], now: int) -> None:
        """Give a row its homes: ready, or prefetching while others hold the adapter."""
        warm = self._holders(before, row.key)
        for name in self.home(row.key) if self.pool.names else ():
            state = row.states.get(name)
            if state in TAKEN:
                continue
            absent = state is None and not self._holders((name,), row.key)
            prefetch = bool(warm) and absent
            row.states[name] = State.PREFETCHING if prefetch else State.READY
            row.since[name] = now
            if prefetch:
                self.wanted.append((row.key, name))

    def _holders(self, names: tuple[str, ...], key: AdapterKey) -> list[str]:
        instances = self.pool.instances
        return [
            name for name in names if name in instances and instances[name].holds(key)
        ]
