"""Control loop 2: all holders of an adapter come to serve its newest revision.

The hub publishes revision 7 of an adapter that twelve instances hold in revision 6:

    canary      one holder is asked to load 7 beside 6 and to swap; it then serves
                7 for `canary_ns` without a failure
    everywhere  the other eleven are asked, each with a deadline to swap; whoever has
                not reported 7 is asked again, at growing intervals
    halted      instead, when 7 fails on two instances: nobody else is asked

Meanwhile old and new serve side by side, and a request may still insist on the old. The
loop knows what the instances report and nothing else, so that lost, late and doubled
messages only cost time: reports are compared by generation, and only the newest
generation is ever asked for. A newer one takes over a rollout wherever it stands.

One failure may be the instance's fault, so another holder becomes the canary; failure
on a second instance is the revision's. A halted rollout stays so until a newer
generation is published. It does not push the former revision back, because an instance
that obeys an older generation would obey a late message as well. An operator rolls back
by publishing the old hash under a newer generation. If that hash was once rolled out to
the end, it goes everywhere at once: it has been tried, and a rollback is urgent.

The canary's time counts from the report that first shows the new revision. A clock that
jumps ahead shortens it; a clock that is set back starts it again, and the pushes too.

Does not handle: an instance that loads the adapter for the first time, which gets what
the hub holds, canary or not; failures that only other routers see; a pace for pushes,
which a hub with little bandwidth would need.
"""

from collections.abc import Mapping
from typing import Literal

from tensorfleet.router.config import RouterConfig
from tensorfleet.router.health import Health
from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import Action, AdapterKey, Report, Revision
from tensorfleet.router.rollout import Rollout


class RevisionLoop:
    """All rollouts; a step costs O(instances · (slots + rollouts in progress)).

    `rollouts` and `active`, those in progress, are there to be read.
    """

    def __init__(self, config: RouterConfig) -> None:
        self.config = config
        self.health = Health(config)
        self.rollouts: dict[AdapterKey, Rollout] = {}
        self.active: dict[AdapterKey, Rollout] = {}
        self._seen: dict[str, Report | None] = {}

    def publish(self, key: AdapterKey, revision: Revision, now: int) -> None:
        """The hub's newest revision was seen, perhaps late or not for the first time.

        One that is not newer than what is known is ignored.
        """
        rollout = self.rollouts.get(key)
        if rollout is None:
            rollout = self.rollouts[key] = Rollout(key, revision)
        elif revision.generation <= rollout.revision.generation:
            return
        else:
            if key not in self.active:
                rollout.settle()
            rollout.begin(revision)
        self.active[key] = rollout

    def generation(self, key: AdapterKey) -> int:
        """The newest generation of the adapter, 0 if none was ever published."""
        rollout = self.rollouts.get(key)
        return rollout.revision.generation if rollout else 0

    def accepts(self, key: AdapterKey, hash: str) -> frozenset[int]:
        """The generations with this hash that a request may insist on.

        Older ones than the newest may be asked for until all holders have swapped.
        """
        rollout = self.rollouts.get(key)
        hashes = rollout.hashes if rollout else {}
        return frozenset(number for number, known in hashes.items() if known == hash)

    def state_of(self, key: AdapterKey, instance: str) -> Literal["ready", "stale"]:
        """Stale if the instance was last seen with an older one than the newest."""
        rollout = self.active.get(key)
        return "stale" if rollout and instance in rollout.outdated else "ready"

    def failed(self, key: AdapterKey, instance: str, now: int) -> None:
        """A request for the adapter has failed on the instance."""
        if key in self.active:
            self.active[key].failed(instance)

    def step(
        self, now: int, instances: Mapping[str, Instance], leads: bool = True
    ) -> list[Action]:
        """Look at the reports, and ask holders for the newest revision if we lead.

        A router that does not lead looks all the same, to accept the right revisions,
        and to know where to go on when it comes to lead.
        """
        self._reopen(instances)
        actions: list[Action] = []
        for key, rollout in list(self.active.items()):
            rollout.look(instances, now)
            rollout.advance(now, self.config.canary_ns)
            if not rollout.outdated:
                rollout.finish()
                del self.active[key]
            elif leads:
                names = rollout.targets(instances, self.health.is_available, now)
                pushes = (rollout.push(name, now, self.config) for name in names)
                actions += [push for push in pushes if push]
        return actions

    def _reopen(self, instances: Mapping[str, Instance]) -> None:
        """Take up a rollout again when a report shows an older revision."""
        if not self.rollouts:
            return
        for name, instance in instances.items():
            if instance.report is self._seen.get(name):
                continue
            for key, generation in instance.resident.items():
                rollout = self.rollouts.get(key)
                if rollout and generation < rollout.revision.generation:
                    self.active[key] = rollout
        self._seen = {name: instance.report for name, instance in instances.items()}
