"""One adapter on one instance: which revision serves, and which may be let go.

    push → the newer revision loads beside the old
         → it is ready, and nothing waits for the adapter, or the deadline has come
         → swap: requests that start from now on get the newer one
         → the last request of the old one ends: its weights are freed

A request *waits* for the adapter until it enters a batch for the first time. There it
is bound to the revision that serves at that moment, and keeps it to its last token,
also when it is preempted. So no answer mixes revisions, and a hot adapter, for which
something always waits, still swaps at the deadline.

This is logic alone: no memory, no transfers, no clock. `adapters` adds those in
simulated time, and a real instance could drive the same object.

Does not handle: going back to an older generation. A rollback is published as a newer
generation with the older content.
"""

from typing import Any

from tensorfleet.router.messages import AdapterKey

# The states of weights, in the order in which they pass through them.
QUEUED, LOADING, READY, GONE = range(4)


class Weights:
    """One revision of an adapter, in a slot or on its way into one.

    `users` are the requests bound to it, preempted ones included, of which `batch` are
    in the batch. `line` are those that insist on this very revision and came before it
    was ready.
    """

    __slots__ = (
        "adapter",
        "batch",
        "generation",
        "line",
        "rank",
        "size",
        "state",
        "users",
    )

    def __init__(
        self, adapter: "Adapter", generation: int, rank: int, size: int
    ) -> None:
        self.adapter = adapter
        self.generation = generation
        self.rank = rank
        self.size = size
        self.state = QUEUED
        self.users = 0
        self.batch = 0
        self.line: list[Any] = []


class Adapter:
    """The revisions of one adapter that an instance holds or is about to hold.

    `serving` is what new requests are bound to (perhaps not ready yet), `incoming` what
    replaces it next, at `deadline` at the latest. `waiting` counts requests that are
    not bound yet; `line` are those of them that came before `serving` was ready.
    `draining` adapters go as soon as they are idle.
    """

    __slots__ = (
        "deadline",
        "draining",
        "held",
        "incoming",
        "key",
        "line",
        "serving",
        "waiting",
    )

    def __init__(self, key: AdapterKey) -> None:
        self.key = key
        self.held: dict[int, Weights] = {}
        self.serving: Weights | None = None
        self.incoming: Weights | None = None
        self.deadline = 0
        self.waiting = 0
        self.draining = False
        self.line: list[Any] = []

    def hold(self, generation: int, rank: int, size: int) -> Weights:
        """Weights of `generation`, to be loaded."""
        weights = self.held[generation] = Weights(self, generation, rank, size)
        return weights

    def bind(self) -> None:
        """A waiting request enters its first batch: it is bound to what serves now."""
        assert self.serving is not None
        self.waiting -= 1
        self.serving.users += 1

    def accepts(self, generation: int) -> bool:
        """Whether a push of `generation` is news: late and doubled ones are not."""
        newest = self.incoming or self.serving
        return newest is not None and generation > newest.generation

    def is_due(self, now: int) -> bool:
        """Whether the incoming revision takes over now.

        At once, when the one that serves is not even ready.
        """
        incoming, serving = self.incoming, self.serving
        if incoming is None or incoming.state != READY:
            return False
        is_served = serving is not None and serving.state == READY
        return not (is_served and self.waiting) or now >= self.deadline

    def swap(self) -> Weights | None:
        """The incoming revision serves from now on; returns the one that did."""
        old, self.serving, self.incoming = self.serving, self.incoming, None
        return old

    def needs(self, weights: Weights) -> bool:
        """Whether the weights must stay: someone uses, waits for or swaps to them."""
        if weights.users or weights is self.incoming:
            return True
        return weights is self.serving and self.waiting > 0

    def drop(self, weights: Weights) -> None:
        """Forget weights that nobody needs; what was incoming serves in their place."""
        weights.state = GONE
        del self.held[weights.generation]
        if weights is self.serving:
            self.swap()
        elif weights is self.incoming:
            self.incoming = None
