"""One pool of GPU bytes, which running KV, cached prefixes and adapters share.

    capacity = running KV + cached prefixes + adapters + free

What is idle (cached prefixes, and adapters that nothing uses or waits for) makes room
when it is needed, whatever was used longest ago first; of two used at the same time the
adapter. KV that runs is not touched here: an instance that finds no room even so
preempts a sequence.

Does not handle: blocks. KV is counted by the token, where a paged engine loses less
than one block for each sequence.
"""

from typing import TYPE_CHECKING

from tensorfleet.fleet.prefix import PrefixCache

if TYPE_CHECKING:
    from tensorfleet.fleet.adapters import AdapterStore
    from tensorfleet.fleet.revisions import Weights


class Memory:
    """The pool. `store` is set once the adapter store exists."""

    __slots__ = (
        "adapter_bytes",
        "capacity",
        "prefixes",
        "running_tokens",
        "store",
        "token_bytes",
        "token_room",
    )

    store: "AdapterStore"

    def __init__(self, capacity: int, token_bytes: int) -> None:
        self.capacity = capacity
        self.token_bytes = token_bytes
        self.running_tokens = 0
        self.adapter_bytes = 0
        self.token_room = capacity // token_bytes  # tokens, beside the adapters
        self.prefixes = PrefixCache()

    def add_adapter(self, size: int) -> None:
        """An adapter takes `size` bytes, or gives them back when that is negative."""
        self.adapter_bytes += size
        self.token_room = (self.capacity - self.adapter_bytes) // self.token_bytes

    def free(self) -> int:
        """Bytes that hold nothing."""
        tokens = self.running_tokens + self.prefixes.tokens
        return self.capacity - self.adapter_bytes - tokens * self.token_bytes

    def free_tokens(self) -> int:
        """Tokens of KV for which there is free room."""
        return self.token_room - self.running_tokens - self.prefixes.tokens

    def fits(self, size: int) -> bool:
        """Whether `size` bytes are free, or would be with everything idle evicted."""
        idle = self.store.idle_bytes + self.prefixes.tokens * self.token_bytes
        return size <= self.free() + idle

    def reclaim(self, size: int, keep: "Weights | None" = None) -> bool:
        """Evict idle things until `size` bytes are free; False when that is impossible.

        `keep` goes last of the idle adapters.
        """
        while self.free() < size:
            adapter = self.store.oldest_use()
            prefix = self.prefixes.oldest_use()
            if adapter is None and prefix is None:
                return False
            if prefix is None or (adapter is not None and adapter <= prefix):
                self.store.evict(keep)
            else:
                self.prefixes.evict()
        return True

    def kv_used(self) -> float:
        """The share of what adapters leave that running KV takes."""
        room = self.capacity - self.adapter_bytes
        return self.running_tokens * self.token_bytes / room
