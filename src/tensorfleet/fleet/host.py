"""Host memory as a cache of adapters, between the hub and the GPU."""

from tensorfleet.router.messages import AdapterKey


class HostCache:
    """Adapters in host memory, the least recently used leaving first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.sizes: dict[tuple[AdapterKey, int], int] = {}

    def touch(self, key: AdapterKey, generation: int) -> bool:
        """Whether it is there; it is used now."""
        size = self.sizes.pop((key, generation), None)
        if size is None:
            return False
        self.sizes[key, generation] = size
        return True

    def put(self, key: AdapterKey, generation: int, size: int) -> None:
        """Keep it, unless it is larger than the whole cache."""
        if size > self.limit or self.touch(key, generation):
            return
        while self.used + size > self.limit:
            self.used -= self.sizes.pop(next(iter(self.sizes)))
        self.sizes[key, generation] = size
        self.used += size
