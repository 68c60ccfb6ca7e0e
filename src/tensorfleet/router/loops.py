"""What a router does in the background: who is alive, replicas, and revisions.

`step` is one round. Every router looks at the health of the instances; the loops that
change replicas and revisions run on the one that leads, if several share a lease, which
then hands its replica table to the others. The loops themselves are in `scaling` and
`revisions`.

Does not handle: when to call it (see `runner`), and how messages travel.
"""

from collections.abc import Mapping

from tensorfleet.router.leader import LeaseStore
from tensorfleet.router.membership import Membership
from tensorfleet.router.messages import Action, AdapterKey, Publish, Revision
from tensorfleet.router.replicating import ReplicatingPolicy
from tensorfleet.router.revisions import RevisionLoop


class Loops:
    """The background of the router of this name, which leads if it has no `lease`."""

    def __init__(
        self, name: str, members: Membership, lease: LeaseStore | None
    ) -> None:
        self.name = name
        self.members = members
        self.lease = lease
        self.revisions = RevisionLoop(members.config)

    def publish(self, key: AdapterKey, revision: Revision, now: int) -> None:
        """The hub has published a revision of an adapter."""
        self.revisions.publish(key, revision, now)

    def step(self, now: int) -> list[Action]:
        """One round of the loops; returns what the instances are to be asked for."""
        for instance in self.members.instances.values():
            self.members.follow_health(instance, now)
        leads = self.lease is None or self.lease.claim(self.name, now)
        actions: list[Action] = []
        for policy in self.members.policies():
            if leads:
                actions += policy.step(now, self.revisions.generation)
            else:
                policy.follow(now)
        actions += self._step_revisions(now, leads)
        if leads and self.lease is not None:
            # Every time: a message may be lost, and a router may have restarted.
            actions.append(Publish(self.replicas()))
        return actions

    def replicas(self) -> Mapping[AdapterKey, tuple[str, ...]]:
        """Who serves each adapter that has a row in the replica table."""
        replicas: dict[AdapterKey, tuple[str, ...]] = {}
        for policy in self.members.policies():
            if isinstance(policy, ReplicatingPolicy):
                for key, names in policy.replicas().items():
                    replicas[key] = replicas.get(key, ()) + names
        return replicas

    def adopt(self, replicas: Mapping[AdapterKey, tuple[str, ...]], now: int) -> None:
        """Take over the replica table of the router that leads."""
        for policy in self.members.policies():
            if isinstance(policy, ReplicatingPolicy):
                model = policy.pool.model
                own = {k: names for k, names in replicas.items() if k.model == model}
                policy.adopt(own, now)

    def _step_revisions(self, now: int, leads: bool) -> list[Action]:
        """The revision loop; the replica tables show what it has seen."""
        before = list(self.revisions.active)
        actions = self.revisions.step(now, self.members.instances, leads)
        for key in dict.fromkeys([*before, *self.revisions.active]):
            for policy in self.members.policies():
                if isinstance(policy, ReplicatingPolicy):
                    policy.table.mark(key, self.revisions.state_of, now)
        return actions
