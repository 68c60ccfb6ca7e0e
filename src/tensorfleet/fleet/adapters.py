"""The adapters of one instance: who asks for them, and which revision they get.

A request for an adapter that is being loaded joins that load. One that finds its
adapter missing has it loaded in the newest generation at the hub. Room and transfers
are in `slots`, the rules of revisions in `revisions`.
"""

from tensorfleet.fleet.revisions import GONE, LOADING, QUEUED, READY, Adapter, Weights
from tensorfleet.fleet.slots import Slots
from tensorfleet.router.messages import AdapterKey


class AdapterStore(Slots):
    """What an instance's engine asks for adapters, and the router for prefetches."""

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
        rank = self.rank_of(adapter.key)
        size = self.config.costs.adapter_bytes(rank)
        return adapter.hold(generation, rank, size)

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

    def size_of(self, key: AdapterKey) -> int:
        """The adapter's bytes."""
        return self.config.costs.adapter_bytes(self.rank_of(key))
