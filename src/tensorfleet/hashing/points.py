"""The points of a ring, in buckets: found, inserted and removed in constant time.

One sorted list of 640,000 points (10,000 nodes with 64 each) takes twenty comparisons
to search, and an insertion moves half of it. Since a good hash spreads the points
evenly, the circle is cut into equal stretches instead, a power of two of them, each
with a short sorted list of its own points. The first bits of a position are then the
number of its bucket, and a few comparisons inside do the rest. When the buckets hold
more than FULL points on average, each is cut in two; one node's arrival sorts nothing
and rebuilds nothing, but for these doublings, which cost as much as they have saved.

Points at one position are ordered by the node's name, so that the order does not depend
on who came first.

Does not handle: a hash that crowds many points into few buckets. It stays correct, and
is then as slow as one sorted list.
"""

from bisect import bisect_left
from collections.abc import Iterator

from tensorfleet.hashing.digest import CIRCLE

FULL = 12


class Points:
    """Pairs of a position and a node's name, in order."""

    def __init__(self) -> None:
        self._size = 0
        self._width = CIRCLE.bit_length() - 1  # a bucket spans 2**width positions
        self._positions: list[list[int]] = [[]]
        self._nodes: list[list[str]] = [[]]
        self._walks: dict[int, tuple[str, ...]] = {}

    def __iter__(self) -> Iterator[tuple[int, str]]:
        for positions, nodes in zip(self._positions, self._nodes, strict=True):
            yield from zip(positions, nodes, strict=True)

    def insert(self, position: int, node: str) -> None:
        bucket = position >> self._width
        positions, nodes = self._positions[bucket], self._nodes[bucket]
        index, point = bisect_left(positions, position), (position, node)
        while index < len(nodes) and (positions[index], nodes[index]) < point:
            index += 1
        positions.insert(index, position)
        nodes.insert(index, node)
        self._walks.clear()
        self._size += 1
        if self._size > FULL * len(self._nodes):
            self._double()

    def remove(self, position: int, node: str) -> None:
        """Remove one point; it must be there."""
        bucket = position >> self._width
        positions, nodes = self._positions[bucket], self._nodes[bucket]
        index = nodes.index(node, bisect_left(positions, position))
        del positions[index], nodes[index]
        self._walks.clear()
        self._size -= 1

    def distinct(self, position: int, count: int) -> tuple[str, ...]:
        """The first `count` distinct nodes at or after `position`, around the circle.

        There must be that many. A walk from a point is remembered until points change.
        """
        bucket = position >> self._width
        positions = self._positions[bucket]
        index = bisect_left(positions, position)
        # Past its last point a bucket has one more start, which is named -bucket-1.
        start = positions[index] if index < len(positions) else -bucket - 1
        walk = self._walks.get(start)
        if walk is None or len(walk) < count:
            walk = self._walks[start] = self._walk(bucket, index, count)
        return walk[:count]

    def _walk(self, bucket: int, index: int, count: int) -> tuple[str, ...]:
        found: dict[str, None] = {}
        nodes = self._nodes[bucket]
        while len(found) < count:
            if index < len(nodes):
                found[nodes[index]] = None
                index += 1
            else:
                bucket = (bucket + 1) % len(self._nodes)
                nodes, index = self._nodes[bucket], 0
        return tuple(found)

    def _double(self) -> None:
        """Cut every bucket in two."""
        self._width -= 1
        all_positions, all_nodes = [], []
        for bucket, positions in enumerate(self._positions):
            middle = bisect_left(positions, (2 * bucket + 1) << self._width)
            nodes = self._nodes[bucket]
            all_positions += [positions[:middle], positions[middle:]]
            all_nodes += [nodes[:middle], nodes[middle:]]
        self._positions, self._nodes = all_positions, all_nodes
