"""Consistent hashing: nodes and keys on one circle, and few keys move.

Nodes and keys are hashed to positions on a circle of 2**64. A key belongs to the first
node at or clockwise after it. A node that arrives takes keys only from the stretch
between its predecessor and itself; one that leaves gives its keys to its successor. All
other keys stay (Karger et al. 1997, "Consistent Hashing and Random Trees").

With one position for each node the stretches, called arcs, differ widely: the longest
of n is about ln n times the average. So each node stands at v *virtual nodes*. Its
share is then a sum of v arcs, and its standard deviation relative to the mean about
1/sqrt(v). A node of weight w has about w·v points and w times the share.

Does not handle: a bound on the load of a node (see `assignment` and `bounded`), or a
key so popular that it fills a node by itself, which no number of virtual nodes divides.
"""

from collections.abc import Iterable, Iterator
from math import isfinite

from tensorfleet.hashing.digest import CIRCLE, Hash, stable_hash
from tensorfleet.hashing.points import Points


class HashRing:
    """Nodes on a circle. Looking up a key takes constant time, whatever their number.

    `virtual_nodes` is the number of points of a node of weight 1; `hash` gives a string
    its position, from 0 to 2**64 - 1. `version` counts the changes of membership.
    """

    def __init__(
        self,
        nodes: Iterable[str] = (),
        *,
        virtual_nodes: int = 64,
        hash: Hash = stable_hash,
    ) -> None:
        if not isinstance(virtual_nodes, int) or virtual_nodes < 1:
            raise ValueError(
                f"virtual_nodes is {virtual_nodes!r}: it must be an integer, 1 or more"
            )
        self.virtual_nodes = virtual_nodes
        self.hash = hash
        self.version = 0
        self._num_points: dict[str, int] = {}
        self._points = Points()
        for node in nodes:
            self.add(node)

    def __len__(self) -> int:
        return len(self._num_points)

    def __contains__(self, node: object) -> bool:
        return node in self._num_points

    def __iter__(self) -> Iterator[str]:
        """The nodes in the order in which they were added."""
        return iter(self._num_points)

    def add(self, node: str, weight: float = 1.0) -> None:
        """Add a node at round(virtual_nodes · weight) points, at least one.

        Raises TypeError for a name that is no string, ValueError for a node that is
        there already, a weight that is not above 0, or a hash outside the circle.
        """
        if not isinstance(node, str):
            raise TypeError(f"the node {node!r} is no string: its name must be one")
        if node in self._num_points:
            raise ValueError(f"the node {node!r} is on the ring already")
        check_weight(weight)
        num_points = max(1, round(self.virtual_nodes * weight))
        positions = self._positions(node, num_points)
        for position in positions:
            if not 0 <= position < CIRCLE:
                raise ValueError(
                    f"the hash of a point of {node!r} is {position}: "
                    "it must be from 0 to 2**64 - 1"
                )
        for position in positions:
            self._points.insert(position, node)
        self._num_points[node] = num_points
        self.version += 1

    def remove(self, node: str) -> None:
        """Take a node off the ring. Raises KeyError if it is not there."""
        if node not in self._num_points:
            raise KeyError(f"the node {node!r} is not on the ring")
        for position in self._positions(node, self._num_points.pop(node)):
            self._points.remove(position, node)
        self.version += 1

    def owner(self, key: str) -> str:
        """The node that `key` belongs to. Raises ValueError when the ring is empty."""
        return self.first(key, 1)[0]

    def first(self, key: str, count: int) -> tuple[str, ...]:
        """The first `count` distinct nodes clockwise from `key`, its owner first.

        All of them where there are fewer. Raises ValueError when the ring is empty or
        `count` is less than 1.
        """
        num_nodes = len(self._num_points)
        if not 0 < count <= num_nodes:
            if not num_nodes:
                raise ValueError("the ring is empty: it must have a node to own a key")
            if count < 1:
                raise ValueError(f"count is {count}: it must be at least 1")
            count = num_nodes
        return self._points.distinct(self.hash(key), count)

    def successors(self, key: str) -> Iterator[str]:
        """The distinct nodes clockwise from `key`, its owner first, found as needed.

        Raises ValueError when the ring is empty, and RuntimeError when it changes under
        the walk.
        """
        return self._further(key, self.first(key, 1))

    def points(self) -> Iterator[tuple[int, str]]:
        """Positions of the virtual nodes with their nodes, clockwise from 0."""
        return iter(self._points)

    def arcs(self) -> dict[str, float]:
        """The share of the circle that each node owns; the shares sum to 1."""
        lengths = dict.fromkeys(self._num_points, 0)
        points = list(self.points())
        before = points[-1][0] - CIRCLE if points else 0
        for position, node in points:
            lengths[node] += position - before
            before = position
        return {node: length / CIRCLE for node, length in lengths.items()}

    def _positions(self, node: str, num_points: int) -> list[int]:
        return [self.hash(f"{node}#{i}") for i in range(num_points)]

    def _further(self, key: str, nodes: tuple[str, ...]) -> Iterator[str]:
        """Walk again from the start, twice as far, whenever the nodes are used up."""
        version, used = self.version, 0
        while True:
            for node in nodes[used:]:
                yield node
                if self.version != version:
                    raise RuntimeError("the ring changed while it was walked over")
            used = len(nodes)
            if used == len(self):
                return
            nodes = self.first(key, 2 * used)


def check_weight(weight: float) -> None:
    """Raise TypeError or ValueError unless `weight` is a finite number above 0."""
    if isinstance(weight, bool) or not isinstance(weight, (int, float)):
        raise TypeError(f"the weight is {weight!r}: it must be a number above 0")
    if not (isfinite(weight) and weight > 0):
        raise ValueError(f"the weight is {weight!r}: it must be finite and above 0")
