"""The design, one rung at a time: what each adds, as a configuration to measure.

    hash         the adapter's owner on the ring, whatever its load
    bound        the first with less than 1 + epsilon times the average requests
    floor        the bound is on work, and does not bind below a floor
    residency    where the home lacks the adapter or has more than its share of work:
                 the cheapest of the home, the holders and the least loaded, counting
                 what a missing adapter costs
    two choices  two homes, of which the one with less work ahead takes the request
    replication  adapters in demand gain replicas, and lose them again

Each rung is compared with the one before on the same arrivals.
"""

from dataclasses import replace

from tensorfleet.router.config import RouterConfig

RUNGS: dict[str, RouterConfig] = {
    "hash": RouterConfig(policy="consistent_hash"),
    "bound": RouterConfig(policy="bounded_hash"),
    "floor": RouterConfig(policy="bounded_work"),
    "residency": RouterConfig(replicas=1, max_replicas=1),
    "two choices": RouterConfig(replicas=2, max_replicas=2),
    "replication": RouterConfig(),
}


def rung(name: str, config: RouterConfig) -> RouterConfig:
    """The rung `name` with the epsilon and the floor of `config`.

    Raises ValueError for a rung that there is none of.
    """
    if name not in RUNGS:
        raise ValueError(f"the rung is {name!r}: it must be one of {', '.join(RUNGS)}")
    return replace(RUNGS[name], epsilon=config.epsilon, floor_ns=config.floor_ns)
