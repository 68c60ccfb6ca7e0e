"""A ring with bounded loads for a router: walk past the nodes that are full.

`walk` goes clockwise from a key and takes the first nodes with room, which is to say
with a load below their share of the limit (see `loads`). When no node among the first
`max_steps` has room, the least loaded takes the request and the walk says `overflow`.

Does not handle: requests that hash alike. The theorem lets every ball hash by itself;
all requests of one adapter start at one place, so a key with share p of the load fills
about p · n / (1 + ε) nodes, and its walk is that long.
"""

from fractions import Fraction
from typing import NamedTuple

from tensorfleet.hashing.digest import Hash, stable_hash
from tensorfleet.hashing.loads import BoundedLoads, check_integer, shares_of
from tensorfleet.hashing.ring import HashRing

MAX_KNOWN_KEYS = 200_000  # walks that are remembered, some hundred bytes each


class Walk(NamedTuple):
    """Where a key may go.

    `steps` full nodes were passed over before the first of `nodes`, which are in
    clockwise order. On `overflow` none had room, and `nodes` is the least loaded one.
    """

    nodes: list[str]
    steps: int
    overflow: bool


class BoundedRing(BoundedLoads):
    """A ring that knows the load of each node, in any unit, as integers.

    `epsilon`, `floor` and `smoothing_ns` are those of `BoundedLoads`, `virtual_nodes`
    and `hash` those of `HashRing`, and `max_steps` is the number of nodes that a walk
    looks at before it gives up. `ring` is there to be read, not to be changed.

    Raises TypeError or ValueError for parameters that are impossible.
    """

    def __init__(
        self,
        *,
        epsilon: float | Fraction = 0.25,
        floor: int = 1,
        smoothing_ns: int = 0,
        virtual_nodes: int = 64,
        max_steps: int = 64,
        hash: Hash = stable_hash,
    ) -> None:
        super().__init__(epsilon, floor, smoothing_ns)
        check_integer("max_steps", max_steps, 1)
        self.max_steps = max_steps
        self.ring = HashRing(virtual_nodes=virtual_nodes, hash=hash)
        self._known: dict[str, tuple[str, ...]] = {}  # the beginning of each key's walk

    def add(self, node: str, weight: float = 1.0) -> None:
        """Add a node without load. Raises as `HashRing.add` does."""
        shares_of(weight)  # raises before anything has changed
        self.ring.add(node, weight)
        super().add(node, weight)
        self._known.clear()

    def remove(self, node: str) -> None:
        """Remove a node and its load. Raises KeyError if it is not there."""
        self.ring.remove(node)
        super().remove(node)
        self._known.clear()

    def walk(self, key: str, count: int, now: int, amount: int = 0) -> Walk:
        """Up to `count` distinct nodes with room, clockwise from `key`.

        `amount` is the load that is to be placed. Looks at no more than `max_steps`
        nodes. Raises ValueError when the ring is empty or `count` is less than 1.
        """
        if count < 1:
            raise ValueError(f"count is {count}: it must be at least 1")
        limit = self.limit(now, amount)
        loads, equal = self.loads, not self._num_unequal
        found: list[str] = []
        steps = start = 0
        last = min(self.max_steps, len(loads))
        nodes = self._known.get(key) or self._learn(key, count)
        while True:
            for node in nodes[start:last]:
                if loads[node] < (limit if equal else self._scaled(node, limit)):
                    found.append(node)
                    if len(found) == count:
                        return Walk(found, steps, False)
                elif not found:
                    steps += 1
            start = len(nodes)
            if start >= last:
                break
            nodes = self._learn(key, 2 * start)
        if found:
            return Walk(found, steps, False)
        return Walk([self.least_loaded()], steps, True)

    def successors(self, key: str, count: int) -> list[str]:
        """The first `count` distinct nodes clockwise from `key`, whatever their load.

        Raises ValueError when the ring is empty or `count` is less than 1.
        """
        if count < 1:
            raise ValueError(f"count is {count}: it must be at least 1")
        nodes = self._known.get(key)
        if nodes is None or (len(nodes) < count and len(nodes) < len(self.loads)):
            nodes = self._learn(key, count)
        return list(nodes[:count])

    def _learn(self, key: str, count: int) -> tuple[str, ...]:
        """Find and remember the first `count` nodes from `key`."""
        if len(self._known) >= MAX_KNOWN_KEYS:
            self._known.clear()
        nodes = self._known[key] = self.ring.first(key, count)
        return nodes
