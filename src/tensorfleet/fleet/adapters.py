"""The adapters of one instance: slots on the GPU, a cache in host memory, the way in.

    hub ──egress, network──→ host memory ──PCIe──→ a slot on the GPU

Each (adapter, generation) takes one slot and its bytes of the GPU's pool from the start
of its load. Loads run beside the computation, one after the other on each wire. A
request for an adapter that is being loaded joins that load. When no slot or no room can
be had, since all others are in use, loads queue, first come, first served.

What no request uses or waits for is idle: it stays until its slot or its bytes are
needed, least recently used first. Revisions are handled by `revisions`.

An adapter that a request finds missing is loaded in the newest generation at the hub.

Does not handle: fairness towards a cold adapter on an instance all of whose slots stay
in use, aborting a load that nobody wants any more, and moving adapters between GPUs.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.links import Link
from tensorfleet.fleet.memory import Memory
from tensorfleet.fleet.revisions import GONE, LOADING, QUEUED, READY, Adapter, Weights
from tensorfleet.router.messages import AdapterKey

Contents = tuple[Mapping[AdapterKey, int], Mapping[AdapterKey, int]]


class Owner(Protocol):
    """The instance, as the store sees it."""

    def settle(self, now: int) -> None:
        """Bring memory up to date: something is about to look at it."""

    def ready(self, flights: list[Any], now: int) -> None:
        """The adapter that these requests waited for is there."""

    def replan(self, now: int) -> None:
        """Memory or waiting requests have changed."""


class HostCache:
    """Adapters in host memory, the least recently used leaving first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.sizes: dict[tuple[AdapterKey, int], int] = {}

    def touch(self, key: AdapterKey, generation: int) -> bool:
        """Whether it is there; it is used now."""
        size = self.sizes.pop((key, generation), None)
        if size is None:
            return False
        self.sizes[key, generation] = size
        return True

    def put(self, key: AdapterKey, generation: int, size: int) -> None:
        """Keep it, unless it is larger than the whole cache."""
        if size > self.limit or self.touch(key, generation):
            return
        while self.used + size > self.limit:
            self.used -= self.sizes.pop(next(iter(self.sizes)))
        self.sizes[key, generation] = size
        self.used += size


class AdapterStore:
    """Who has a slot, who gets one next, and what is on its way."""

    def __init__(
        self,
        config: InstanceConfig,
        memory: Memory,
        host: HostCache,
        hub: Hub,
        rank_of: Callable[[AdapterKey], int],
        queue: EventQueue,
        owner: Owner,
    ) -> None:
        self.config = config
        self.memory = memory
        self.host = host
        self.hub = hub
        self.rank_of = rank_of
        self.events = queue
        self.owner = owner
        self.pcie = Link(config.pcie_bytes_per_s)
        self.network = Link(config.network_bytes_per_s)
        self.adapters: dict[AdapterKey, Adapter] = {}
        self.idle: dict[Weights, int] = {}  # → time of last use, in that order
        self.idle_bytes = 0
        self.slots_used = 0
        self.loads: deque[Weights] = deque()  # those that wait for a slot or for room
        # What reports say, and the adapters of which that may be out of date.
        self._resident: dict[AdapterKey, int] = {}
        self._loading: dict[AdapterKey, int] = {}
        self._changed: dict[AdapterKey, Adapter] = {}
        self._contents: Contents = ({}, {})

    # --- requests ----------------------------------------------------------------

    def enter(self, key: AdapterKey, now: int) -> Adapter:
        """A request comes and waits for the adapter; it is loaded if it is not here."""
        adapter = self.adapters.get(key)
        if adapter is None or adapter.serving is None:
            adapter = self._want(key, now)
        adapter.waiting += 1
        if adapter.serving in self.idle:
            self.not_idle(adapter.serving)
        return adapter

    def enter_named(self, key: AdapterKey, generation: int, now: int) -> Weights:
        """The same for a request that insists on a revision: it is bound at once."""
        adapter = self.adapters.get(key)
        if adapter is None:
            adapter = self.adapters[key] = Adapter(key)
        weights = adapter.held.get(generation)
        if weights is None:
            weights = self._hold(adapter, generation)
            if adapter.serving is None and generation == self.hub.newest.get(key, 0):
                adapter.serving = weights
            weights.users += 1
            self._load(weights, now)
        else:
            weights.users += 1
            if weights in self.idle:
                self.not_idle(weights)
        return weights

    def bind(self, weights: Weights, now: int) -> None:
        """A waiting request enters its first batch; the last one may let a swap go."""
        adapter = weights.adapter
        adapter.bind()
        if adapter.incoming is not None and adapter.is_due(now):
            self._swap(adapter, now)

    def leave(self, weights: Weights, now: int) -> None:
        """A request that was bound has ended."""
        weights.users -= 1
        if weights.users == 0:
            self.unused(weights, now)

    def give_up(self, adapter: Adapter, now: int) -> None:
        """A request that was waiting has been taken away."""
        adapter.waiting -= 1
        if adapter.waiting == 0:
            if adapter.is_due(now):
                self._swap(adapter, now)
            elif adapter.serving is not None:
                self.unused(adapter.serving, now)

    def size_of(self, key: AdapterKey) -> int:
        """The adapter's bytes."""
        return self.config.costs.adapter_bytes(self.rank_of(key))

    # --- the router's wishes -----------------------------------------------------

    def prefetch(self, key: AdapterKey, now: int) -> None:
        """Load the adapter, unless it is here, on its way, or larger than the pool."""
        adapter = self.adapters.get(key)
        if adapter is not None and adapter.serving is not None:
            adapter.draining = False
        elif self.size_of(key) <= self.config.adapter_pool_bytes:
            self._want(key, now)

    def push(self, key: AdapterKey, generation: int, deadline: int, now: int) -> None:
        """Load a newer revision beside the old, and then swap.

        A push for an adapter that is not here is ignored, as is one that is not news.
        """
        adapter = self.adapters.get(key)
        if adapter is None or not adapter.accepts(generation):
            return
        superseded = adapter.incoming
        adapter.incoming = adapter.held.get(generation)
        adapter.deadline = deadline
        if adapter.incoming is None:
            adapter.incoming = self._hold(adapter, generation)
            self._load(adapter.incoming, now)
        elif adapter.incoming.state == READY:
            self._swap_when_due(adapter, now)
        if superseded is not None:
            self.unused(superseded, now)

    def unload(self, key: AdapterKey, now: int) -> None:
        """Let the adapter go as soon as nothing waits for it or uses it."""
        adapter = self.adapters.get(key)
        if adapter is not None:
            adapter.draining = True
            for weights in list(adapter.held.values()):
                self.unused(weights, now)

    # --- loads -------------------------------------------------------------------

    def grant(self, now: int) -> None:
        """Start the loads that have waited longest, as far as there is room."""
        while self.loads and (
            self.loads[0].state == GONE or self._can_start(self.loads[0])
        ):
            weights = self.loads.popleft()
            if weights.state == QUEUED:
                self._start(weights, now)

    def fetched(self, now: int, weights: Weights) -> None:
        """The adapter has come from the hub: on to the GPU."""
        if weights.state == LOADING:
            self.host.put(weights.adapter.key, weights.generation, weights.size)
            end = self.pcie.send(weights.size, now)
            self.events.push(end, self.loaded, weights)

    def loaded(self, now: int, weights: Weights) -> None:
        """The adapter is on the GPU."""
        if weights.state != LOADING:
            return
        self.owner.settle(now)
        adapter = weights.adapter
        weights.state = READY
        self._changed[adapter.key] = adapter
        self.owner.ready(weights.line, now)
        weights.line = []
        if weights is adapter.serving:
            self._line_is_ready(adapter, now)
        if weights is adapter.incoming:
            self._swap_when_due(adapter, now)
        else:
            self.unused(weights, now)
        self.grant(now)
        self.owner.replan(now)

    def due(self, now: int, weights: Weights) -> None:
        """The deadline of a push has come."""
        adapter = weights.adapter
        if weights is adapter.incoming and adapter.is_due(now):
            self.owner.settle(now)
            self._swap(adapter, now)
            self.grant(now)
            self.owner.replan(now)

    def cancel(self) -> None:
        """Nothing that is here or under way will ever be used: the instance is gone."""
        for adapter in self.adapters.values():
            for weights in adapter.held.values():
                weights.state = GONE
            adapter.incoming = None

    # --- reports -----------------------------------------------------------------

    def contents(self) -> Contents:
        """(resident, loading): generations by adapter. The same until they change."""
        for adapter in self._changed.values():
            self._list(adapter)
        if self._changed:
            self._changed = {}
            self._contents = (dict(self._resident), dict(self._loading))
        return self._contents

    def _list(self, adapter: Adapter) -> None:
        key = adapter.key
        self._resident.pop(key, None)
        self._loading.pop(key, None)
        for weights in (adapter.serving, adapter.incoming):
            if weights is not None and weights.state != READY:
                self._loading[key] = weights.generation
        serving = adapter.serving
        if serving is not None and serving.state == READY:
            self._resident[key] = serving.generation

    def available_slots(self) -> int:
        """Slots that a load could have now: empty ones, and those of idle adapters."""
        return self.config.slots - self.slots_used + len(self.idle)

    # --- eviction ----------------------------------------------------------------

    def oldest_use(self) -> int | None:
        """When the idle adapter that goes first was last used, None without one."""
        for time in self.idle.values():
            return time
        return None

    def evict(self, keep: Weights | None = None) -> None:
        """Drop the least recently used idle adapter, `keep` only if it is the last."""
        candidates = iter(self.idle)
        weights = next(candidates)
        if weights is keep:
            weights = next(candidates, weights)
        self._free(weights)

    # --- inside ------------------------------------------------------------------

    def _want(self, key: AdapterKey, now: int) -> Adapter:
        adapter = self.adapters.get(key)
        if adapter is None:
            adapter = self.adapters[key] = Adapter(key)
        generation = self.hub.newest.get(key, 0)
        held = adapter.held.get(generation)
        adapter.serving = held or self._hold(adapter, generation)
        self._changed[key] = adapter
        if held is None:
            self._load(adapter.serving, now)
        return adapter

    def _hold(self, adapter: Adapter, generation: int) -> Weights:
        key = adapter.key
        return adapter.hold(generation, self.rank_of(key), self.size_of(key))

    def _load(self, weights: Weights, now: int) -> None:
        self._changed[weights.adapter.key] = weights.adapter
        if self.loads or not self._can_start(weights):
            self.loads.append(weights)
        else:
            self._start(weights, now)

    def _can_start(self, weights: Weights) -> bool:
        if self.available_slots() < 1:
            return False
        in_use = self.memory.adapter_bytes - self.idle_bytes
        if in_use + weights.size > self.config.adapter_pool_bytes:
            return False
        return self.memory.fits(weights.size)

    def _start(self, weights: Weights, now: int) -> None:
        """Give it a slot and its bytes, and send it on its way."""
        keep = weights.adapter.serving
        memory, size = self.memory, weights.size
        while (
            self.slots_used == self.config.slots
            or memory.adapter_bytes + size > self.config.adapter_pool_bytes
        ):
            self.evict(keep)
        memory.reclaim(size, keep)
        self.slots_used += 1
        memory.add_adapter(size)
        weights.state = LOADING
        if self.host.touch(weights.adapter.key, weights.generation):
            end = self.pcie.send(size, now)
            self.events.push(end, self.loaded, weights)
        else:
            end = self.hub.fetch(size, now, self.network)
            self.events.push(end, self.fetched, weights)

    def _swap_when_due(self, adapter: Adapter, now: int) -> None:
        if adapter.is_due(now):
            self._swap(adapter, now)
        else:
            self.events.push(adapter.deadline, self.due, adapter.incoming)

    def _swap(self, adapter: Adapter, now: int) -> None:
        old = adapter.swap()
        self._changed[adapter.key] = adapter
        assert adapter.serving is not None
        self._line_is_ready(adapter, now)
        self.unused(adapter.serving, now)
        if old is not None:
            self.unused(old, now)

    def _line_is_ready(self, adapter: Adapter, now: int) -> None:
        line, adapter.line = adapter.line, []
        if line:
            self.owner.ready(line, now)

    def unused(self, weights: Weights, now: int) -> None:
        """Let weights go, or call them idle, if nobody needs them any more."""
        adapter = weights.adapter
        if weights.state in (LOADING, GONE) or adapter.needs(weights):
            return
        if weights.state == QUEUED:
            if adapter.draining or weights is not adapter.serving:
                self._forget(weights)
        elif adapter.draining or weights is not adapter.serving:
            self._free(weights)
        elif weights not in self.idle:
            self.idle[weights] = now
            self.idle_bytes += weights.size

    def not_idle(self, weights: Weights) -> None:
        """A request has come for idle weights."""
        del self.idle[weights]
        self.idle_bytes -= weights.size

    def _free(self, weights: Weights) -> None:
        """Take the slot and the bytes away from weights that are ready."""
        if weights in self.idle:
            self.not_idle(weights)
        self.slots_used -= 1
        self.memory.add_adapter(-weights.size)
        self._forget(weights)

    def _forget(self, weights: Weights) -> None:
        adapter = weights.adapter
        adapter.drop(weights)
        self._changed[adapter.key] = adapter
        if not adapter.held:
            del self.adapters[adapter.key]
