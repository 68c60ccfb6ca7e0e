"""One adapter's rollout: who has its newest revision, and who is to be asked next.

    canary      → everywhere   an instance served it for `canary_ns` without a failure
    canary      → halted       it failed on two instances
    any of them → canary       a newer generation was published
                → everywhere   ... with a hash that was once rolled out to the end

`revisions` tells the story and why it is like this.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum

from tensorfleet.router.config import RouterConfig
from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import AdapterKey, Push, Revision

MAX_DOUBLINGS = 20


class Phase(StrEnum):
    CANARY = "canary"
    EVERYWHERE = "everywhere"
    HALTED = "halted"


class Holder:
    """An instance that serves an older revision, and when it was asked for the newest.

    The deadline is that of the first push: if each push set a new one, pushes that get
    lost would put off the swap again and again.
    """

    __slots__ = ("deadline", "incarnation", "push_again_at", "pushed_at", "pushes")

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.pushes = self.pushed_at = self.push_again_at = self.deadline = 0


class Rollout:
    """The newest revision of an adapter, and how far it has come.

    `outdated` are the instances that serve an older one, `updated` those that serve the
    newest, with the time when that was first seen. `hashes` tells those of the
    generations that may still be asked for, `settled` those that were once rolled out
    to the end. `canary` was asked to be the first; on `suspect` the revision failed.
    """

    __slots__ = (
        "canary",
        "hashes",
        "key",
        "outdated",
        "phase",
        "revision",
        "settled",
        "suspect",
        "updated",
    )

    def __init__(self, key: AdapterKey, revision: Revision) -> None:
        self.key = key
        self.hashes: dict[int, str] = {}
        self.settled: set[str] = set()
        self.begin(revision)

    def begin(self, revision: Revision) -> None:
        """Start over with a newer revision."""
        self.revision = revision
        self.hashes[revision.generation] = revision.hash
        rollback = revision.hash in self.settled
        self.phase = Phase.EVERYWHERE if rollback else Phase.CANARY
        self.outdated: dict[str, Holder] = {}
        self.updated: dict[str, int] = {}
        self.canary: str | None = None
        self.suspect: str | None = None

    def finish(self) -> None:
        """No holder is outdated: older revisions may not be asked for any more."""
        self.hashes = {self.revision.generation: self.revision.hash}

    def settle(self) -> None:
        """The revision has been rolled out to the end: good, if it failed nowhere."""
        if self.suspect is None:
            self.settled.add(self.revision.hash)

    def look(self, instances: Mapping[str, Instance], now: int) -> None:
        """Learn from the reports who serves which revision.  O(instances)."""
        newest = self.revision.generation
        outdated, updated = {}, {}
        for name, instance in instances.items():
            generation = instance.resident.get(self.key)
            if generation is None:
                continue
            if generation < newest:
                holder = self.outdated.get(name)
                restarted = holder and holder.incarnation != instance.incarnation
                # Had it been asked in the future, the clock would have been set back.
                if holder is None or restarted or holder.pushed_at > now:
                    holder = Holder(instance.incarnation)
                outdated[name] = holder
            elif generation == newest:
                updated[name] = min(self.updated.get(name, now), now)
        self.outdated, self.updated = outdated, updated

    def failed(self, instance: str) -> None:
        """A request for the adapter has failed there; counts during the canary only."""
        if self.phase == Phase.CANARY and (
            instance == self.canary or instance in self.updated
        ):
            if self.suspect is None:
                self.suspect = instance
            elif self.suspect != instance:
                self.phase = Phase.HALTED

    def advance(self, now: int, canary_ns: int) -> None:
        """End the canary if an instance has served the revision for so long."""
        if self.phase == Phase.CANARY and any(
            name != self.suspect and now - since >= canary_ns
            for name, since in self.updated.items()
        ):
            self.phase = Phase.EVERYWHERE

    def targets(
        self,
        instances: Mapping[str, Instance],
        available: Callable[[Instance, int], bool],
        now: int,
    ) -> list[str]:
        """The holders that are to be asked in this phase, however often before.

        The canary is the least loaded one that is available. It remains so until its
        deadline passes without an answer; after that, those come first that were asked
        least often. It is None while an updated holder is on trial.
        """
        if self.phase == Phase.HALTED or not self.outdated:
            return []
        if self.phase == Phase.EVERYWHERE:
            return list(self.outdated)

        def order(name: str) -> tuple[bool, bool, int, int, str]:
            instance, pushes = instances[name], self.outdated[name].pushes
            reachable = available(instance, now)
            return name == self.suspect, not reachable, pushes, instance.load, name

        if any(name != self.suspect for name in self.updated):
            self.canary = None
            return []
        holder = self.outdated.get(self.canary or "")
        if (
            self.canary is None
            or self.canary == self.suspect
            or holder is None
            or now >= holder.deadline
            or not available(instances[self.canary], now)
        ):
            self.canary = min(self.outdated, key=order)
        return [self.canary]

    def push(self, name: str, now: int, config: RouterConfig) -> Push | None:
        """Ask an outdated holder for the newest revision, unless it was just asked."""
        holder = self.outdated[name]
        if now < holder.push_again_at:
            return None
        if holder.pushes == 0:
            holder.deadline = now + config.swap_deadline_ns
        pause = config.push_retry_ns << min(holder.pushes, MAX_DOUBLINGS)
        holder.pushes += 1
        holder.pushed_at = now
        holder.push_again_at = now + min(pause, config.push_retry_cap_ns)
        return Push(name, self.key, self.revision, holder.deadline)
