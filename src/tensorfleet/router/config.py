"""What a router is told once: its policy, what work costs, and the loops' constants.

The defaults are the one configuration that the benchmarks judge. They were chosen on
the tuning scenarios of benchmarks/fleet.py, never on those that it evaluates.
"""

from dataclasses import dataclass, fields

SECOND = 1_000_000_000
MILLISECOND = 1_000_000


@dataclass(frozen=True)
class WorkCosts:
    """What a request costs an instance, in integer nanoseconds of its time.

    `decode_ns_per_token` is marginal: what one more sequence in the batch adds to a
    step, since the step's fixed part is paid anyway. `doubling_batch` is the number of
    decoding sequences at which a step takes twice as long as with none: below it, more
    load costs nobody much. `load_ns` is a typical adapter load from host to GPU.
    """

    prefill_ns_per_token: int = 25_000
    decode_ns_per_token: int = 30_000
    doubling_batch: int = 64
    load_ns: int = 5 * MILLISECOND

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ValueError(
                    f"{field.name} is {value!r}: it must be an integer, 0 or more"
                )


@dataclass(frozen=True)
class RouterConfig:
    """Checked on construction: an impossible value raises ValueError.

    `epsilon` is the ring's: an instance may hold 1 + epsilon times the average load.
    `replicas` is how many instances a key starts with, `max_replicas` how many it may
    grow to; a replica is added for every `replica_share` of an instance's time that a
    key's requests take. Load below `floor_ns` makes no instance full; the average is
    smoothed over `smoothing_ns`. Loading an adapter counts as `warm_ns` of work at its
    first home, whose host memory may have it, and as `cold_ns` elsewhere; each slot
    that must become free first as `crowded_ns`. Staying with its replica is worth
    `sticky_ns` to a session at least. `window` instances behind the homes on the ring
    may take an adapter that nobody holds, or become its replicas. `alpha` and `beta`
    weigh queue length and GPU utilisation in the notes' score. `epsilon`, `threshold`
    and `choices` are what baselines are tuned by.

    The control loops: demand is averaged over `heat_half_life_ns`, looked at every
    `scaling_period_ns`, and shrinks a set of replicas after `cooldown_ns`. A revision
    stays on its canary for `canary_ns`, is pushed again after `push_retry_ns`, doubled
    up to `push_retry_cap_ns`, and swapped in by `swap_deadline_ns`. An instance is
    taken for dead after a silence of `suspect_after_ns`, and ejected for `ejection_ns`
    after `eject_after_errors` in a row. A request that would find `shed_wait_ns` of
    work ahead is shed. All times are in nanoseconds.
    """

    policy: str = "tensorfleet"
    costs: WorkCosts = WorkCosts()
    epsilon: float = 0.5
    virtual_nodes: int = 64
    smoothing_ns: int = 2 * SECOND
    floor_ns: int = 100 * MILLISECOND
    cold_ns: int = 400 * MILLISECOND
    warm_ns: int = 50 * MILLISECOND
    crowded_ns: int = 150 * MILLISECOND
    sticky_ns: int = 50 * MILLISECOND
    replicas: int = 2
    max_replicas: int = 16
    replica_share: float = 0.25
    window: int = 3
    choices: int = 2
    alpha: float = 1.0
    beta: float = 1.0
    threshold: float = 1.5
    expected_output: int = 200
    heat_half_life_ns: int = 30 * SECOND
    scaling_period_ns: int = 30 * SECOND
    cooldown_ns: int = 60 * SECOND
    swap_deadline_ns: int = 30 * SECOND
    canary_ns: int = 10 * SECOND
    push_retry_ns: int = 2 * SECOND
    push_retry_cap_ns: int = 30 * SECOND
    suspect_after_ns: int = 3 * SECOND
    eject_after_errors: int = 5
    ejection_ns: int = 10 * SECOND
    shed_wait_ns: int = 30 * SECOND

    def __post_init__(self) -> None:
        for name in ("epsilon", "replica_share", "threshold"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be above 0")
        for name in ("alpha", "beta"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be 0 or more"
                )
        if self.alpha == self.beta == 0:
            raise ValueError("alpha and beta are both 0: one must be above 0")
        counts = ("virtual_nodes", "replicas", "window", "choices", "expected_output")
        for name in (*counts, "max_replicas", "eject_after_errors"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be 1 or more"
                )
        if self.max_replicas < self.replicas:
            raise ValueError(
                f"max_replicas is {self.max_replicas}: it must be at least replicas, "
                f"which is {self.replicas}"
            )
        for field in fields(self):
            if field.name.endswith("_ns"):
                value = getattr(self, field.name)
                if not isinstance(value, int) or value < 0:
                    raise ValueError(
                        f"{field.name} is {value!r}: it must be an integer number of "
                        "nanoseconds, 0 or more"
                    )
