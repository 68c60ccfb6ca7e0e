"""Which instances hold an adapter: what the reports say, the other way round.

A report lists an instance's adapters. Whoever wants to send a request where its adapter
is asks the opposite question, for every request, so the lists are turned around once,
when a report comes, by what has changed in it.
"""

from collections.abc import Collection

from tensorfleet.router.messages import AdapterKey


class Holders:
    """The names of those that hold each adapter, in the order in which they got it.

    All are adapters of one model. `by_adapter` has no entry for one that nobody holds.
    To hold one is also to be loading it.
    """

    def __init__(self) -> None:
        self.by_adapter: dict[str, dict[str, None]] = {}
        self._held: dict[str, Collection[AdapterKey]] = {}

    def of(self, key: AdapterKey) -> Collection[str]:
        """Those that hold the adapter; none, if nobody does."""
        return self.by_adapter.get(key.adapter, ())

    def follow(self, name: str, held: Collection[AdapterKey]) -> None:
        """An instance holds these; what it is sent `add` puts into the same object."""
        before = self._held.get(name, ())
        self._held[name] = held
        for key in before:
            if key not in held:
                names = self.by_adapter[key.adapter]
                del names[name]
                if not names:
                    del self.by_adapter[key.adapter]
        for key in held:
            if key not in before:
                self.add(name, key)

    def add(self, name: str, key: AdapterKey) -> None:
        """The instance is about to load one adapter more."""
        self.by_adapter.setdefault(key.adapter, {})[name] = None

    def forget(self, name: str) -> None:
        """The instance has left the pool."""
        self.follow(name, ())
        del self._held[name]
