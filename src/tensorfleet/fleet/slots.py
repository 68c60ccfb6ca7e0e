"""The slots of one GPU: which adapters are in them, which go, which come next.

    hub ──egress, network──→ host memory ──PCIe──→ a slot on the GPU

Each (adapter, generation) takes one slot and its bytes of the GPU's pool from the start
of its load. Loads run beside the computation, one after the other on each wire. When no
slot or no room can be had, since all others are in use, loads queue, first come, first
served.

What no request uses or waits for is idle: it stays until its slot or its bytes are
needed, least recently used first.

Does not handle: fairness towards a cold adapter on an instance all of whose slots stay
in use, aborting a load that nobody wants any more, and moving adapters between GPUs.
"""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.host import HostCache
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


class Slots:
    """Loads, evicts, and says what is there. Whose turn it is, `adapters` decides."""

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
        raise NotImplementedError

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

    def cancel(self) -> None:
        """Nothing that is here or under way will ever be used: the instance is gone."""
        for adapter in self.adapters.values():
            for weights in adapter.held.values():
                weights.state = GONE
            adapter.incoming = None

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
