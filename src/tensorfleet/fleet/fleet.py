"""A fleet: instances, routers, the hub, and what can be done to them.

A crash resets connections: what was in flight comes back to its router at once, which
may try again elsewhere. Whoever sends to an instance that is down, or that fails fast,
hears of it a millisecond later.

How time passes is in `simulation`.

Does not handle: the network between clients, routers and instances (but for the KV that
moves from a prefill to a decode instance, which arrives even if its sender crashes),
and clients that give up.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from tensorfleet.fleet.config import FleetConfig, InstanceConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.flights import Flight, Status
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.instance import Instance
from tensorfleet.fleet.message_faults import MessageFaults
from tensorfleet.fleet.reference_instance import ReferenceInstance
from tensorfleet.fleet.routing import RouterLike
from tensorfleet.router.messages import AdapterKey, Decision, Revision

ERROR_NS = 1_000_000  # until the sender hears that an instance does not serve
PROGRESS_EVERY = 1000  # requests


class Fleet:
    """The fleet at the time `now`, and its flights.

    `flights` are all that have arrived, less those that `forget_ended` let go;
    `num_arrived` counts them all, `num_flying` those that have not ended. With
    `reference=True` the instances are the plain ones. Every router is told of every
    instance (`join`). Raises ValueError without a router.
    """

    def __init__(
        self, config: FleetConfig, routers: Sequence[RouterLike], *, reference: bool
    ) -> None:
        if not routers:
            raise ValueError("there is no router: at least one is needed")
        self.fleet = config
        self.now = 0
        self.flights: list[Flight] = []
        self.num_arrived = self.num_flying = 0
        self.queue = EventQueue()
        self.hub = Hub(config.hub)
        self.routers = list(routers)
        self.router_names = [router.name for router in routers]
        self.instances: dict[str, Instance | ReferenceInstance] = {}
        self.removed: set[str] = set()
        self.message_faults: MessageFaults | None = None
        self._kind = ReferenceInstance if reference else Instance
        self._boundaries: list[Callable[[int], None]] = []
        self._progress: Callable[[int], object] | None = None
        for instance in config.instances:
            self._add(instance)

    # --- requests ----------------------------------------------------------------

    def _send(self, flight: Flight, decision: Decision, now: int) -> None:
        flight.decision = decision
        name = decision[0]
        if name is None:
            self._end(flight, now, "shed", decision.rule)
            return
        flight.instance = name
        self._deliver(now, flight)

    def _deliver(self, now: int, flight: Flight) -> None:
        """The flight comes to its instance."""
        instance = self.instances[flight.instance]
        if instance.is_up and not instance.is_failing:
            instance.submit(flight, now)
        else:
            reason = "failed fast" if instance.is_up else "is down"
            self._fail_later(flight, f"{flight.instance} {reason}")

    # --- what instances report back ----------------------------------------------

    def ended(self, flight: Flight, now: int) -> None:
        """An instance has written the last token."""
        flight.status = "served"
        flight.end = now
        flight.weights = flight.adapter = None
        self.num_flying -= 1
        if self.message_faults is None:
            self.routers[flight.router].finish(
                flight.request, now, output_tokens=flight.output_tokens
            )
        else:
            for _ in range(self.message_faults.copies("finish")):
                self.routers[flight.router].finish(
                    flight.request, now, output_tokens=flight.output_tokens
                )
        if self._progress is not None:
            self._show_progress()

    def handed_on(self, flight: Flight, now: int) -> None:
        """A prefill instance has written the first token: on to a decode instance."""
        router = self.routers[flight.router]
        router.finish(flight.request, now)
        flight.request = replace(flight.request, stage="decode")
        flight.decision = decision = router.route(flight.request, now)
        if decision.instance is None:
            self._end(flight, now, "failed", f"no decode instance: {decision.rule}")
            return
        sender = self.instances[flight.instance]
        flight.instance = decision.instance
        flight.transferred = True
        flight.written = 1
        size = flight.request.prompt_tokens * sender.config.costs.kv_bytes_per_token
        self.queue.push(sender.uplink.send(size, now), self._deliver, flight)

    def refused(self, flight: Flight, now: int, reason: str) -> None:
        """An instance can never serve the flight, and neither could another."""
        self.routers[flight.router].finish(flight.request, now)
        self._end(flight, now, "failed", reason)

    def _failed(self, now: int, flight: Flight, reason: str) -> None:
        """The instance has let the flight down: the router may try another."""
        decision = self.routers[flight.router].retry(
            flight.request, now, tokens_sent=flight.written
        )
        if decision is None or decision.instance is None:
            self._end(flight, now, "failed", reason)
            return
        flight.retries += 1
        flight.weights = None
        flight.transferred = flight.cold = False
        flight.generation = flight.started = -1
        flight.adapter_wait = flight.cached_tokens = flight.written = 0
        self._send(flight, decision, now)

    def _fail_later(self, flight: Flight, reason: str) -> None:
        self.queue.push(self.now + ERROR_NS, self._failed, flight, reason)

    def _end(self, flight: Flight, now: int, status: Status, reason: str) -> None:
        flight.status = status
        flight.reason = reason
        flight.end = now
        flight.weights = flight.adapter = None
        self.num_flying -= 1
        self._show_progress()

    def _show_progress(self) -> None:
        if self._progress is not None:
            num_ended = self.num_arrived - self.num_flying
            if num_ended % PROGRESS_EVERY == 0:
                self._progress(num_ended)

    # --- faults and operations ---------------------------------------------------

    def crash(self, name: str) -> None:
        """The instance is gone, with all that it had; nothing happens if it is down."""
        instance = self._named(name)
        if instance.is_up:
            for flight in instance.crash(self.now):
                self._failed(self.now, flight, f"{name} crashed")

    def restore(self, name: str, *, keep_host: bool = True) -> None:
        """It is back, with an empty GPU and what its host memory had, or not even that.

        Nothing happens if it is up.
        """
        instance = self._named(name)
        if not instance.is_up:
            instance.restore(keep_host=keep_host)

    def stall(self, name: str) -> None:
        """It makes no progress and sends no reports, but accepts requests."""
        self._named(name).stall(self.now)

    def resume(self, name: str) -> None:
        """It goes on in the middle of what it did."""
        self._named(name).resume(self.now)

    def fail_fast(self, name: str, on: bool) -> None:
        """It answers errors at once, and looks idle: a black hole."""
        instance = self._named(name)
        if on and instance.is_up and not instance.is_failing:
            for flight in instance.flush(self.now):
                self._fail_later(flight, f"{name} failed fast")
        instance.is_failing = on and instance.is_up

    def set_slowdown(self, name: str, per_mille: int) -> None:
        """Its steps take `per_mille` thousandths of the usual time; 1000 ends that."""
        self._named(name).set_slowdown(per_mille, self.now)

    def remove_instance(self, name: str) -> None:
        """It gets no more requests, and finishes those that it has."""
        self._named(name)
        if name not in self.removed:
            self.removed.add(name)
            for router in self.routers:
                router.leave(name, self.now)

    def publish(self, key: AdapterKey, revision: Revision) -> None:
        """The hub has a new revision, and every router has seen it.

        Raises ValueError unless its generation is the largest so far.
        """
        self.hub.publish(key, revision)
        for router in self.routers:
            router.publish(key, revision, self.now)

    def hub_outage(self, until: int) -> None:
        """No transfer from the hub starts before the time `until`."""
        self.hub.outage_until = max(self.hub.outage_until, until)

    def replace_router(self, index: int, router: RouterLike) -> None:
        """A router restarts, knowing what instances and what revisions there are."""
        self.routers[index] = router
        self.router_names[index] = router.name
        for name, instance in self.instances.items():
            if name not in self.removed:
                self._introduce(router, instance.config)
        for key, revision in self.hub.newest_revisions.items():
            router.publish(key, revision, self.now)

    def set_message_faults(self, faults: MessageFaults | None) -> None:
        """From now on messages are dropped or doubled; None ends that."""
        self.message_faults = faults

    # --- what a driver may show --------------------------------------------------

    def forget_ended(self) -> list[Flight]:
        """Let go of the flights that have ended; returns them in order of arrival.

        For a run without end. It changes nothing in what follows.
        """
        ended = [flight for flight in self.flights if flight.status != "flying"]
        if ended:
            self.flights[:] = [f for f in self.flights if f.status == "flying"]
        return ended

    def busy_ns(self, name: str) -> int:
        """Nanoseconds in which the instance has computed so far."""
        return self._named(name).busy_ns(self.now)

    # --- inside ------------------------------------------------------------------

    def _add(self, config: InstanceConfig) -> Instance | ReferenceInstance:
        if config.name in self.instances:
            raise ValueError(
                f"an instance named {config.name} exists: names are used once"
            )
        instance = self._kind(
            config,
            len(self.instances),
            self.router_names,
            self.queue,
            self.hub,
            self.fleet.rank_of,
            self,
        )
        self.instances[config.name] = instance
        self._boundaries.append(instance.boundary)
        for router in self.routers:
            self._introduce(router, config)
        return instance

    def _introduce(self, router: RouterLike, config: InstanceConfig) -> None:
        router.join(
            config.name,
            self.now,
            model=config.model,
            weight=config.weight,
            role=config.role,
        )

    def _named(self, name: str) -> Instance | ReferenceInstance:
        if name not in self.instances:
            raise KeyError(
                f"there is no instance {name!r}: there are {', '.join(self.instances)}"
            )
        return self.instances[name]

    def _copies(self, kind: str) -> int:
        return 1 if self.message_faults is None else self.message_faults.copies(kind)
