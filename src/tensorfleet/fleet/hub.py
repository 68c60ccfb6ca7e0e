"""The hub: where adapters are published, and whose egress all instances share.

A transfer passes the hub's egress and the network of its instance. Each is a FIFO link,
and the second takes bytes as the first delivers them (cut-through), so that the
slower of the two sets the time. The first byte takes `latency_ns` more.

During an outage no transfer starts; those under way are finished, those asked for wait.

Does not handle: regional mirrors, and losing what an instance fetches when it crashes
(the bytes were sent).
"""

from tensorfleet.fleet.config import HubConfig
from tensorfleet.fleet.links import Link
from tensorfleet.router.messages import AdapterKey, Revision


class Hub:
    """Holds every revision of every adapter; those never published are generation 0."""

    def __init__(self, config: HubConfig) -> None:
        self.config = config
        self.egress = Link(config.egress_bytes_per_s)
        self.outage_until = 0
        self.newest: dict[AdapterKey, int] = {}
        self.newest_revisions: dict[AdapterKey, Revision] = {}
        self._by_hash: dict[tuple[AdapterKey, str], int] = {}

    def publish(self, key: AdapterKey, revision: Revision) -> None:
        """Make `revision` the newest of `key`.

        Raises ValueError unless its generation is larger than all before.
        """
        newest = self.newest.get(key, 0)
        if revision.generation <= newest:
            raise ValueError(
                f"generation {revision.generation} of {key} is published: "
                f"it must be larger than {newest}, the newest"
            )
        self.newest[key] = revision.generation
        self.newest_revisions[key] = revision
        self._by_hash[key, revision.hash] = revision.generation

    def generation(self, key: AdapterKey, hash: str) -> int | None:
        """The newest generation with this content, None if it was never published."""
        return self._by_hash.get((key, hash))

    def fetch(self, size: int, now: int, network: Link) -> int:
        """Ask for `size` bytes over `network`; returns when the last one arrives."""
        sent = self.egress.send(size, max(now, self.outage_until))
        received = network.send(size, sent - self.egress.duration(size))
        return max(sent, received) + self.config.latency_ns
