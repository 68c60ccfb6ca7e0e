"""Wires: a link carries one transfer after the other, each at its full rate.

First come, first served: a transfer of b bytes starts when the one before it has ended
and takes ⌈b·10⁹/rate⌉ nanoseconds. Sharing the rate among transfers instead would end
none of them earlier than the last of its group, and the last at the same time.

Does not handle: priorities, loss, and losing what is under way in a crash.
"""


class Link:
    """A wire of `rate` bytes per second, free from time `free_at` on."""

    __slots__ = ("free_at", "rate")

    def __init__(self, rate: int) -> None:
        if rate < 1:
            raise ValueError(f"the rate of a link is {rate}: it must be positive")
        self.rate = rate
        self.free_at = 0

    def duration(self, size: int) -> int:
        """Nanoseconds that `size` bytes take, rounded up."""
        return -(-size * 1_000_000_000 // self.rate)

    def send(self, size: int, now: int) -> int:
        """Queue a transfer at `now`; returns when its last byte arrives."""
        self.free_at = max(now, self.free_at) + self.duration(size)
        return self.free_at
