"""Who is there, who may be chosen, and with what load: instances and their pools.

Instances of one base model form a pool with a ring and a policy of its own; those that
only decode form another. An instance that has joined is in its pool while its health
allows it. The ring's loads follow what is believed of the instances.
"""

from random import Random

from tensorfleet.hashing import BoundedRing
from tensorfleet.router.config import RouterConfig
from tensorfleet.router.health import Health
from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import Request
from tensorfleet.router.policies import POLICIES
from tensorfleet.router.policy import Policy, Pool

ROLES = ("both", "prefill", "decode")


class Membership:
    """Instances by name, and policies by model: those that prefill, those that decode.

    Raises ValueError for an unknown policy.
    """

    def __init__(self, config: RouterConfig, random: Random) -> None:
        if config.policy not in POLICIES:
            raise ValueError(
                f"the policy is {config.policy!r}: it must be one of "
                f"{', '.join(POLICIES)}"
            )
        self.config = config
        self.random = random
        self.health = Health(config)
        self.instances: dict[str, Instance] = {}
        self.prefilling: dict[str, Policy] = {}
        self.decoding: dict[str, Policy] = {}

    def policies(self) -> list[Policy]:
        return [*self.prefilling.values(), *self.decoding.values()]

    def policy_for(self, request: Request) -> Policy | None:
        """The policy that decides on a request, None if its model has no instance."""
        if request.stage == "decode":
            return self.decoding.get(request.key.model)
        return self.prefilling.get(request.key.model)

    def pool_of(self, instance: Instance) -> Pool:
        return self._policy_of(instance).pool

    def join(
        self, name: str, now: int, *, model: str, weight: float, role: str
    ) -> None:
        if name in self.instances:
            raise ValueError(f"the instance {name!r} has joined already")
        if role not in ROLES:
            raise ValueError(f"the role is {role!r}: it must be one of {ROLES}")
        if not weight > 0:
            raise ValueError(f"the weight is {weight}: it must be above 0")
        instance = self.instances[name] = Instance(name, model, weight, role, now)
        self.pool_of(instance).add(instance)

    def leave(self, name: str) -> None:
        if name not in self.instances:
            raise KeyError(
                f"the instance {name!r} has not joined: "
                f"known are {', '.join(self.instances) or 'none'}"
            )
        instance = self.instances.pop(name)
        pool = self.pool_of(instance)
        if name in pool.instances:
            pool.remove(name)

    def follow_health(self, instance: Instance, now: int) -> None:
        """Take an instance out of its pool, or back in, as its health says."""
        pool = self.pool_of(instance)
        instance.heard_at = min(instance.heard_at, now)  # the clock may be set back
        available = self.health.is_available(instance, now)
        if available and instance.name not in pool.instances:
            pool.add(instance)
            self.update_load(instance)
        elif not available and instance.name in pool.instances:
            pool.remove(instance.name)

    def update_load(self, instance: Instance) -> None:
        """Bring the ring's load in line with what is believed of the instance."""
        policy = self._policy_of(instance)
        if instance.name in policy.pool.instances:
            load = instance.num_requests if policy.counts_requests else instance.load
            policy.pool.ring.set_load(instance.name, load)

    def _policy_of(self, instance: Instance) -> Policy:
        """The policy of an instance's pool, made with the pool for its first one."""
        role = self.decoding if instance.role == "decode" else self.prefilling
        policy = role.get(instance.model)
        if policy is None:
            kind = POLICIES[self.config.policy]
            ring = BoundedRing(
                epsilon=self.config.epsilon,
                floor=kind.floor(self.config),
                smoothing_ns=kind.smoothing_ns(self.config),
                virtual_nodes=self.config.virtual_nodes,
            )
            policy = kind(Pool(instance.model, ring), self.config, self.random)
            role[instance.model] = policy
        return policy
