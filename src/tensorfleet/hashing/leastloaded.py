"""The least loaded node, without looking at all of them.

A heap of lower bounds. Each node has one entry that counts, never above its true load.
When a load rises, nothing is done: the bound still holds. When it falls below the
bound, the new value is pushed, and the old entry no longer counts. A query looks at the
top: an entry that no longer counts is dropped, one whose load has risen since is
replaced by the true load, and the first that is true is the least, since all others are
at least their bounds. Every replacement is paid for by a rise before it, so that the
cost is O(log nodes) amortised. The heap is rebuilt when it holds more than twice as
many entries as nodes.
"""

from collections.abc import Callable
from fractions import Fraction
from heapq import heapify, heappop, heappush, heapreplace

Load = int | Fraction


class LeastLoaded:
    """An index over nodes whose true load `load_of(node)` tells."""

    def __init__(self, load_of: Callable[[str], Load]) -> None:
        self._load_of = load_of
        self._bounds: dict[str, Load] = {}
        self._heap: list[tuple[Load, str]] = []

    def fell(self, node: str) -> None:
        """The node is new, or its load has fallen."""
        load, bound = self._load_of(node), self._bounds.get(node)
        if bound is not None and load >= bound:
            return
        self._bounds[node] = load
        heappush(self._heap, (load, node))
        self._stay_small()

    def remove(self, node: str) -> None:
        del self._bounds[node]
        self._stay_small()

    def bound(self) -> int:
        """An integer that no load is below, found without a look at the nodes."""
        return int(self._heap[0][0])

    def least(self) -> str:
        """The node with the least load, of several the first by name."""
        while True:
            bound, node = self._heap[0]
            if self._bounds.get(node) != bound:
                heappop(self._heap)
                continue
            load = self._load_of(node)
            if load == bound:
                return node
            self._bounds[node] = load
            heapreplace(self._heap, (load, node))

    def _stay_small(self) -> None:
        if len(self._heap) > 2 * len(self._bounds) + 8:
            self._heap = [(bound, node) for node, bound in self._bounds.items()]
            heapify(self._heap)
