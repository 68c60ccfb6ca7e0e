"""What the policies with replicas share: the table, the loop that fills it, its copy.

Where several routers serve one fleet, only the leader's loop decides on replicas. It
hands its table to the others, who adopt it.
"""

from collections.abc import Callable, Mapping
from random import Random

from tensorfleet.router.config import RouterConfig
from tensorfleet.router.messages import Action, AdapterKey
from tensorfleet.router.policy import Policy, Pool
from tensorfleet.router.replicas import ReplicaTable
from tensorfleet.router.scaling import ScalingLoop


class ReplicatingPolicy(Policy):
    """A policy that is bounded, and that keeps a replica table."""

    is_bounded = True
    hysteresis = True

    def __init__(self, pool: Pool, config: RouterConfig, random: Random) -> None:
        super().__init__(pool, config, random)
        self.table = ReplicaTable(pool, config.replicas, config.window)
        self.loop = ScalingLoop(self.table, pool, config, self.hysteresis)

    def step(self, now: int, generation: Callable[[AdapterKey], int]) -> list[Action]:
        return self.loop.step(now, generation)

    def follow(self, now: int) -> None:
        """Another router runs the loop: should this one lead again, it starts anew."""
        self.loop.last = None
        self.table.wanted.clear()

    def replicas(self) -> Mapping[AdapterKey, tuple[str, ...]]:
        return {key: row.serving() for key, row in self.table.rows.items()}

    def adopt(self, replicas: Mapping[AdapterKey, tuple[str, ...]], now: int) -> None:
        self.table.adopt(replicas, now)
