"""Keys placed on nodes so that no node ever holds more than ⌈(1 + ε) · m / n⌉ of m.

Keys go around the ring in a fixed order of priority, here that of their names; each
goes to the first node clockwise with room. That defines one placement for every set of
keys and set of nodes, whatever happened before (Mirrokni, Thorup and Zadimoghaddam
2016, "Consistent Hashing with Bounded Loads", arXiv 1608.01350). When a key is placed
or removed, or a node comes or goes, some other keys must move to keep this so. If keys
and nodes hash independently, the theorem expects O(1/ε²) moves for a key, and O(1/ε²)
times the m/n of plain consistent hashing for a node, for ε up to 1.

The room is dealt out as in the paper: ⌈(1 + ε) · m⌉ places in all, and as many to each
node as to any other, but for one more to the first few. So a new key makes room on one
node or two, and not on all at once whenever the ceiling rises.

Placing a key is a chain. Where the node is full and its last key in the order comes
after the new one, it makes way and goes on from there. Removing one is a chain the
other way: of all keys that passed a node because it was full, the first in the order
takes the place that became free, and leaves its own to the next.

Does not handle: loads that are not whole keys, nor nodes of unequal weight; a node's
coming or going takes O(m) time to work out, though few keys move.
"""

from bisect import insort
from collections.abc import Iterable
from fractions import Fraction
from math import ceil

from tensorfleet.hashing.capacity import growth
from tensorfleet.hashing.digest import Hash, stable_hash
from tensorfleet.hashing.ring import HashRing


class BoundedAssignment:
    """The placement, kept up to date.

    `epsilon` is the slack, above 0. `moves` counts the keys that were elsewhere before
    an operation and after it; the key that is placed or removed itself does not count.
    """

    def __init__(
        self,
        epsilon: float | Fraction,
        nodes: Iterable[str] = (),
        *,
        virtual_nodes: int = 64,
        hash: Hash = stable_hash,
    ) -> None:
        self._growth = growth(epsilon)
        self.epsilon = epsilon
        self.ring = HashRing(nodes, virtual_nodes=virtual_nodes, hash=hash)
        self.moves = 0
        # For each key the full nodes that it passed, in order, and then its own.
        self._routes: dict[str, list[str]] = {}
        self._left: dict[str, str] = {}  # where keys were before the present operation
        self._rebuild()

    def place(self, key: str) -> str:
        """Place a key and return its node.

        Raises TypeError for a key that is no string, ValueError for one that is placed
        already, or when there is no node.
        """
        if not isinstance(key, str):
            raise TypeError(f"the key {key!r} is no string: it must be one")
        if key in self._routes:
            raise ValueError(f"the key {key!r} is placed already")
        if not self._rank:
            raise ValueError(f"there is no node to place the key {key!r} on: add one")
        room = ceil(self._growth * (len(self._routes) + 1))
        while self._room < room:
            self._room += 1
            self._fill(self._order[(self._room - 1) % len(self._order)])
        self._routes[key] = []
        self._send_on(key)
        self._left.pop(key, None)
        self._count_moves()
        return self.node_of(key)

    def remove(self, key: str) -> None:
        """Take a key away. Raises KeyError if it is not placed."""
        node = self.node_of(key)
        *passed, _ = self._routes.pop(key)
        self._held[node].remove(key)
        for other in passed:
            self._passed[other].remove(key)
        self._fill(node)
        room = ceil(self._growth * len(self._routes))
        while self._room > room:
            self._room -= 1
            node = self._order[self._room % len(self._order)]
            if len(self._held[node]) > self._places(node):
                self._send_on(self._give_up_last(node))
        self._count_moves()

    def add_node(self, node: str) -> None:
        """Add a node. Raises as `HashRing.add` does."""
        self.ring.add(node)
        self._rebuild()

    def remove_node(self, node: str) -> None:
        """Remove a node; its keys go elsewhere.

        Raises KeyError if it is not there, ValueError if it is the last and holds keys.
        """
        if self._routes and node in self.ring and len(self.ring) == 1:
            raise ValueError(
                f"{node!r} is the last node and holds {len(self._routes)} keys: "
                "remove these first, or add a node"
            )
        self.ring.remove(node)
        self._rebuild()

    def node_of(self, key: str) -> str:
        """The node that holds `key`. Raises KeyError if it is not placed."""
        if key not in self._routes:
            raise KeyError(f"the key {key!r} is not placed")
        return self._routes[key][-1]

    def load(self, node: str) -> int:
        """The number of keys on `node`. Raises KeyError for an unknown node."""
        if node not in self._held:
            raise KeyError(f"the node {node!r} is not on the ring")
        return len(self._held[node])

    def cap(self) -> int:
        """⌈(1 + ε) · m / n⌉ for m keys on n nodes; 0 without nodes."""
        return -(-self._room // len(self._order)) if self._order else 0

    def _places(self, node: str) -> int:
        """How many keys `node` may hold: the cap, or one less for the last in order."""
        places, more = divmod(self._room, len(self._order))
        return places + (self._rank[node] < more)

    def _send_on(self, key: str) -> None:
        """Let `key` go on to the next node, and whoever must make way for it."""
        while True:
            route = self._routes[key]
            node = self.ring.first(key, len(route) + 1)[-1]
            route.append(node)
            insort(self._held[node], key)
            if len(self._held[node]) <= self._places(node):
                return
            key = self._give_up_last(node)

    def _give_up_last(self, node: str) -> str:
        """Let the last key in the order pass the node that held it."""
        key = self._held[node].pop()
        self._left.setdefault(key, node)
        insort(self._passed[node], key)
        return key

    def _fill(self, node: str) -> None:
        """Give the free place to the first key that passed, then the place it left."""
        while self._passed[node] and len(self._held[node]) < self._places(node):
            key = self._passed[node][0]
            route = self._routes[key]
            left = route[-1]
            index = route.index(node)
            self._left.setdefault(key, left)
            self._held[left].remove(key)
            for passed in route[index:-1]:
                self._passed[passed].remove(key)
            del route[index + 1 :]
            insort(self._held[node], key)
            node = left

    def _rebuild(self) -> None:
        """Place all keys anew, in their order: the definition itself."""
        self._left = {key: route[-1] for key, route in self._routes.items()}
        self._order = sorted(self.ring)
        self._rank = {node: rank for rank, node in enumerate(self._order)}
        self._room = ceil(self._growth * len(self._routes))
        self._held: dict[str, list[str]] = {node: [] for node in self._order}
        self._passed: dict[str, list[str]] = {node: [] for node in self._order}
        self._routes = {key: [] for key in sorted(self._routes)}
        for key in self._routes:
            self._send_on(key)
        self._count_moves()

    def _count_moves(self) -> None:
        self.moves += sum(
            self.node_of(key) != node
            for key, node in self._left.items()
            if key in self._routes
        )
        self._left.clear()
