"""Who watches a fleet: every request ends once, on one revision; memory adds up.

The simulation under watch behaves as any other. A broken promise raises
`witness.Broken`. What is compared is counted anew, from the requests and the adapters
that are there.

Does not handle: instances that step every iteration, which are the definition.
"""

from collections import Counter
from functools import partial

from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.flights import Flight, Status
from tensorfleet.fleet.instance import Instance
from tensorfleet.fleet.reference_instance import ReferenceInstance
from tensorfleet.fleet.revisions import LOADING, READY, Weights
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.fleet.witness import Broken, WatchedRouter, promise
from tensorfleet.router import AdapterKey, Revision


class WatchedSimulation(Simulation):
    """A simulation that checks its requests and its instances at every step.

    `ends` counts how often each request has ended, `served` the generations that have
    computed for it since it came to its present instance without a token sent.
    """

    def __init__(self, *args: object, **options: object) -> None:
        self.ends: Counter[int] = Counter()
        self.served: dict[int, set[int]] = {}
        self.down_since: dict[str, int] = {}
        self.kept: set[tuple[str | None, AdapterKey, int, str]] = set()
        self.hashes: dict[tuple[AdapterKey, int], str] = {}
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def publish(self, key: AdapterKey, revision: Revision) -> None:
        self.hashes[key, revision.generation] = revision.hash
        super().publish(key, revision)

    def ended(self, flight: Flight, now: int) -> None:
        self._count_end(flight)
        who, generation = f"request {flight.request.id}", flight.generation
        if isinstance(self.instances[flight.instance], Instance):
            promise(
                self.served[flight.request.id] == {generation},
                f"{who} is answered by {generation} and was computed by",
                self.served[flight.request.id],
            )
        wanted = flight.request.revision
        promise(
            wanted is None or self.hashes[flight.request.key, generation] == wanted,
            f"{who} insists on {wanted} and is answered by generation {generation}",
        )
        promise(
            flight.arrival <= flight.first_token <= now and flight.retries <= 1,
            f"{who} has impossible times or retries: {flight}",
        )
        self._keep(flight)
        super().ended(flight, now)

    def handed_on(self, flight: Flight, now: int) -> None:
        self._keep(flight)
        super().handed_on(flight, now)

    def _keep(self, flight: Flight) -> None:
        """Its instance may reuse its KV, for the same revision only."""
        request = flight.request
        kv = request.session, request.key, flight.generation, flight.instance
        self.kept.add(kv)

    def _end(self, flight: Flight, now: int, status: Status, reason: str) -> None:
        self._count_end(flight)
        promise(bool(reason), f"request {flight.request.id} is {status} for no reason")
        super()._end(flight, now, status, reason)

    def _count_end(self, flight: Flight) -> None:
        self.ends[flight.request.id] += 1
        count = self.ends[flight.request.id]
        promise(count == 1, f"request {flight.request.id} ends {count} times")

    def _failed(self, now: int, flight: Flight, reason: str) -> None:
        retries, was_sent = flight.retries, flight.first_token >= 0
        super()._failed(now, flight, reason)
        if flight.retries > retries:
            who = f"request {flight.request.id} is tried again"
            promise(not was_sent, who, "although its reader has its first token")
            promise(flight.retries == 1, who, f"for the {flight.retries}th time")
            self.served.pop(flight.request.id, None)

    # --- instances ---------------------------------------------------------------

    def crash(self, name: str) -> None:
        super().crash(name)
        self.kept = {kv for kv in self.kept if kv[-1] != name}
        self._note_health(name)

    def restore(self, name: str, *, keep_host: bool = True) -> None:
        super().restore(name, keep_host=keep_host)
        self._note_health(name)

    def stall(self, name: str) -> None:
        super().stall(name)
        self._note_health(name)

    def resume(self, name: str) -> None:
        super().resume(name)
        self._note_health(name)

    def _note_health(self, name: str) -> None:
        instance = self.instances[name]
        if instance.is_up and instance.stalled_at < 0:
            self.down_since.pop(name, None)
        else:
            self.down_since.setdefault(name, self.now)

    def _step(self, now: int) -> None:
        """Who has been silent for long enough is in no pool, if clocks are right."""
        super()._step(now)
        slack = self.fleet.report_delay_ns + self.fleet.step_interval_ns
        for router in self.routers:
            if not isinstance(router, WatchedRouter) or router.offset:
                continue
            patience = router.router.config.suspect_after_ns + slack
            for policy in router.router.members.policies():
                for name in policy.pool.names:
                    since = max(self.down_since.get(name, now), router.steady_since)
                    where = f"{name} is silent since {since} and in a pool at {now}"
                    promise(now - since <= patience, where)

    def _add(self, config: InstanceConfig) -> Instance | ReferenceInstance:
        instance = super()._add(config)
        if isinstance(instance, Instance):
            self._boundaries[-1] = partial(self._boundary, instance)
        return instance

    def _boundary(self, instance: Instance, now: int) -> None:
        """The end of a run: who has computed in it, and on which weights?"""
        for flight in instance.running.values():
            weights = flight.weights
            who = f"request {flight.request.id} computes on {instance.config.name}"
            if weights is None:
                raise Broken(f"{who} without an adapter")
            held = weights.adapter.held.get(weights.generation)
            promise(
                held is weights and weights.state == READY,
                f"{who} with generation {weights.generation}, which is gone",
            )
            promise(weights.adapter.key == flight.request.key, who, "with another's")
            kv = flight.request.session, flight.request.key, weights.generation
            known = (*kv, instance.config.name) in self.kept
            cached = flight.cached_tokens and not flight.transferred
            promise(known or not cached, who, "with KV of another")
            self.served.setdefault(flight.request.id, set()).add(weights.generation)
        check_memory(instance)
        instance.boundary(now)
        check_memory(instance)


def check_memory(instance: Instance) -> None:
    """KV, slots and bytes are those of what is there, and within the limits."""
    config, memory, store = instance.config, instance.memory, instance.store
    tokens, batch = 0, set[Weights]()
    for flight in instance.running.values():
        written = instance.iteration + flight.offset if not flight.left else 0
        tokens += flight.request.prompt_tokens + written if written else flight.target
        if flight.weights is not None:
            batch.add(flight.weights)
    where = f"on {config.name}"
    promise(
        memory.running_tokens == tokens,
        f"{memory.running_tokens} tokens of KV are counted {where}: {tokens} are held",
    )
    kept = sum(tokens for tokens, _ in memory.prefixes.entries.values())
    promise(memory.prefixes.tokens == kept, f"{kept} cached tokens {where}")
    slots = [
        weights
        for adapter in store.adapters.values()
        for weights in adapter.held.values()
        if weights.state in (LOADING, READY)
    ]
    size = sum(weights.size for weights in slots)
    promise(memory.adapter_bytes == size, f"{size} bytes of adapters are held {where}")
    promise(store.slots_used == len(slots), f"{len(slots)} slots are taken {where}")
    promise(
        len(slots) <= config.slots
        and size <= config.adapter_pool_bytes
        and memory.free() >= 0
        and len(instance.running) <= config.max_running
        and len(batch) <= config.max_adapters_per_batch,
        f"a limit is exceeded {where}: {len(slots)} slots, {size} bytes of adapters,",
        f"{memory.free()} free, {len(instance.running)} running, {len(batch)} adapters",
    )
    busy = {weights for weights in store.idle if weights.users or weights in batch}
    promise(not busy, f"adapters in use are called idle {where}: {len(busy)}")
