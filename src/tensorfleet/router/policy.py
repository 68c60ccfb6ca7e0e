"""What every policy shares: the pool it chooses from, and the choice it makes.

A policy answers one question, where does this request go, and may run a control loop.
Everything else, counting, liveness, retries, shedding, is the router's and the same for
all of them, so that policies are compared on equal terms.
"""

from collections.abc import Callable
from random import Random

from tensorfleet.hashing import BoundedRing
from tensorfleet.router.config import RouterConfig
from tensorfleet.router.holders import Holders
from tensorfleet.router.instances import Instance
from tensorfleet.router.messages import Action, AdapterKey, Request
from tensorfleet.router.pace import Paces

# The instance, the rule that decided, the replicas compared, how many full ones were
# passed over, and whether it goes there full or not. A plain tuple, because one is made
# for every request.
Choice = tuple[str, str, tuple[str, ...], int, bool]


MAX_SESSIONS = 200_000  # conversations whose place is remembered


class Pool:
    """The instances of one base model that may be chosen, on a ring of their own.

    `names` are in the order of joining. `loads` are the ring's: nanoseconds of
    outstanding work, or outstanding requests for a policy that counts those. `version`
    grows with every change of membership. `sessions` remembers where a session's last
    request went, which is where the KV of its prefix may still be.
    """

    def __init__(self, model: str, ring: BoundedRing) -> None:
        self.model = model
        self.ring = ring
        self.loads = ring.loads
        self.instances: dict[str, Instance] = {}
        self.names: list[str] = []
        self.sessions: dict[str, str] = {}
        self.holders = Holders()
        self.paces = Paces()
        self.version = 0

    def add(self, instance: Instance) -> None:
        self.ring.add(instance.name, instance.weight)
        self.instances[instance.name] = instance
        self.names.append(instance.name)
        self.holders.follow(instance.name, instance.held)
        self.version += 1

    def remove(self, name: str) -> None:
        self.ring.remove(name)
        del self.instances[name]
        self.names.remove(name)
        self.paces.forget(name)
        self.holders.forget(name)
        self.version += 1

    def returns(self, session: str, name: str) -> bool:
        """Whether the session was at this instance before; remembers that it is now."""
        before = self.sessions.get(session)
        if before is None and len(self.sessions) >= MAX_SESSIONS:
            self.sessions.clear()
        self.sessions[session] = name
        return before == name

    def heard_from(self, instance: Instance, now: int) -> None:
        """A report has come."""
        self.paces.follow(instance, now)
        self.holders.follow(instance.name, instance.held)

    def expect(self, instance: Instance, key: AdapterKey, now: int) -> None:
        """The instance was sent a request whose adapter it does not hold yet."""
        instance.expect(key, now)
        self.holders.add(instance.name, key)


class Policy:
    """Base of all policies; `choose` must be overridden.

    `counts_requests` says that the ring's loads are numbers of requests instead of
    nanoseconds of work, `is_bounded` that none is chosen above the ring's limit unless
    the choice says so, and `floor` is the load below which none counts as full.
    """

    counts_requests = False
    is_bounded = False

    def __init__(self, pool: Pool, config: RouterConfig, random: Random) -> None:
        self.pool = pool
        self.config = config
        self.random = random

    @staticmethod
    def floor(config: RouterConfig) -> int:
        return 1

    @staticmethod
    def smoothing_ns(config: RouterConfig) -> int:
        return 0

    def choose(self, request: Request, work: int, now: int) -> Choice:
        """Where the request goes; `work` is what it is expected to cost, uncached."""
        raise NotImplementedError

    def step(self, now: int, generation: Callable[[AdapterKey], int]) -> list[Action]:
        """One round of the policy's control loop, where it has one.

        `generation` tells the newest generation of an adapter. Only the router that
        leads calls this; the others call `follow`.
        """
        return []

    def follow(self, now: int) -> None:
        """One round of a router that does not lead."""


def ring_key(key: AdapterKey) -> str:
    """The key as a string, which differs from all others on the ring of its model."""
    return f"{key.adapter}/{key.model}"
