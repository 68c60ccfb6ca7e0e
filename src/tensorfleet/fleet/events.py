"""The event queue: what happens next, and what comes first when two are due at once.

Events due at one time come out in the order in which they were pushed. Those pushed
with `push_last` come out after all others due at that time, in the order of their rank.
So the outcome of a simulation depends on its input alone, never on how a heap happens
to sort.

Times are integers. An event is an entry `(time, order, ...)`, with whatever was pushed
after the order; a heap of tuples compares times first and orders only when times are
equal, and two orders are never equal unless the same rank was pushed twice.

    queue = EventQueue()
    queue.push(5, "five")
    queue.pop() → (5, 0, "five")

Does not handle: cancelling. Whoever pushed an event checks on its arrival whether it
still means anything, which is cheaper than searching the heap.
"""

from heapq import heappop, heappush
from typing import Any

LAST = 1 << 62


class EventQueue:
    """A heap of events; `heap` is public, so that a hot loop can look at `heap[0]`."""

    __slots__ = ("heap", "pushed")

    def __init__(self) -> None:
        self.heap: list[tuple[Any, ...]] = []
        self.pushed = 0

    def push(self, time: int, *event: object) -> None:
        """`event` is due at `time`, after what was pushed for that time before."""
        heappush(self.heap, (time, self.pushed, *event))
        self.pushed += 1

    def push_last(self, time: int, rank: int) -> None:
        """The event of `rank` (0 or more) is due at `time`, after all pushed ones."""
        heappush(self.heap, (time, LAST + rank))

    def pop(self) -> tuple[Any, ...]:
        """Take the next event: `(time, order, *event)`. IndexError if there is none."""
        return heappop(self.heap)

    def __len__(self) -> int:
        return len(self.heap)
