"""The prefix cache: the KV of finished turns, kept until something needs its room.

When a request of a session ends, the keys and values of its prompt and answer stay in
GPU memory under (session, adapter, generation): an adapter changes the hidden states
and with them the keys and values, so KV of one revision is useless to another. The next
request of the session takes the entry over and computes only what is new. Entries are
counted as free memory that has not been given back yet: least recently used first, they
make room for whatever needs it (see `memory`).

Does not handle: prefixes shared between sessions, and two requests of one session at
once (the first takes the entry, the second finds none).
"""

from tensorfleet.router.messages import AdapterKey

PrefixKey = tuple[str, AdapterKey, int]


class PrefixCache:
    """Token counts by (session, adapter, generation), least recently used first."""

    __slots__ = ("entries", "tokens")

    def __init__(self) -> None:
        # Key → (tokens, time of last use), in order of last use.
        self.entries: dict[PrefixKey, tuple[int, int]] = {}
        self.tokens = 0

    def put(self, key: PrefixKey, tokens: int, now: int) -> None:
        """Keep the KV of `tokens`; an older entry of the same key is dropped."""
        self.take(key)
        self.entries[key] = (tokens, now)
        self.tokens += tokens

    def take(self, key: PrefixKey) -> int:
        """Remove an entry; returns its tokens, 0 when there is none."""
        tokens, _ = self.entries.pop(key, (0, 0))
        self.tokens -= tokens
        return tokens

    def oldest_use(self) -> int | None:
        """When the entry that goes first was last used, None when there is none."""
        for _, time in self.entries.values():
            return time
        return None

    def evict(self) -> None:
        """Drop the least recently used entry."""
        self.take(next(iter(self.entries)))
