"""The fleet in simulated time: arrivals meet routers, routers meet instances.

    next arrival or event → the router decides → the instance serves → the record

Time is an integer number of nanoseconds. What is due at one instant happens in this
order: arrivals, then events in the order in which they were scheduled, then the ends of
iterations by the number of the instance. Nothing else orders anything, so a run is a
function of its arguments.

A crash resets connections: what was in flight comes back to its router at once, which
may try again elsewhere. Whoever sends to an instance that is down, or that fails fast,
hears of it a millisecond later.

Does not handle: the network between clients, routers and instances (but for the KV that
moves from a prefill to a decode instance, which arrives even if its sender crashes),
and clients that give up.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from heapq import heappop
from typing import Protocol

from tensorfleet.fleet.config import FleetConfig, InstanceConfig
from tensorfleet.fleet.events import LAST, EventQueue
from tensorfleet.fleet.flights import Flight, Status
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.instance import Instance
from tensorfleet.fleet.message_faults import MessageFaults
from tensorfleet.fleet.reference import ReferenceInstance
from tensorfleet.router.messages import (
    Action,
    AdapterKey,
    Decision,
    Prefetch,
    Publish,
    Push,
    Report,
    Request,
    Revision,
    Unload,
)

ERROR_NS = 1_000_000  # until the sender hears that an instance does not serve
PROGRESS_EVERY = 1000  # requests

Arrival = tuple[int, Request, int]
Event = tuple[int, Callable[["Simulation"], object]]


class RouterLike(Protocol):
    """What the simulation asks of a router. Times are integer nanoseconds.

    Each call of `route` that names an instance is followed by exactly one `finish`, or
    by one `retry`, which ends the attempt that failed and begins another when it
    returns a decision with an instance. `finish` says with `ok` whether the instance
    did its part: a request that no instance could serve ends with `ok` and no tokens.
    A request that moves to a decode instance is finished in its prefill stage, without
    output tokens, and routed again as a request of stage "decode" with the same id.
    """

    @property
    def name(self) -> str: ...
    def route(self, request: Request, now: int) -> Decision: ...
    def finish(
        self, request: Request, now: int, *, ok: bool = True, output_tokens: int = 0
    ) -> None: ...
    def retry(
        self, request: Request, now: int, *, tokens_sent: int
    ) -> Decision | None: ...
    def observe(self, report: Report, now: int) -> object: ...
    def step(self, now: int) -> Sequence[Action]: ...
    def join(
        self, instance: str, now: int, *, model: str, weight: float, role: str
    ) -> None: ...
    def leave(self, instance: str, now: int) -> None: ...
    def publish(self, key: AdapterKey, revision: Revision, now: int) -> None: ...
    def adopt(
        self, replicas: Mapping[AdapterKey, tuple[str, ...]], now: int
    ) -> None: ...


class Simulation:
    """`Simulation(fleet, routers, arrivals, events=...).run()` gives the flights.

    `arrivals` are `(time, request, output_tokens)` in order of time, read lazily;
    `events` are `(time, function)` pairs, whose function is called with the simulation
    and may use the methods under "faults and operations". Request number i goes to
    router i mod n. With `reference=True` the instances are the plain ones, which step
    every iteration: the same results, slowly.

    Every router is told of every instance (`join`) at the start. Raises ValueError
    without a router.
    """

    def __init__(
        self,
        fleet: FleetConfig,
        routers: Sequence[RouterLike],
        arrivals: Iterable[Arrival],
        *,
        events: Iterable[Event] = (),
        reference: bool = False,
    ) -> None:
        if not routers:
            raise ValueError("there is no router: at least one is needed")
        self.fleet = fleet
        self.now = 0
        self.flights: list[Flight] = []
        self.num_flying = 0
        self.queue = EventQueue()
        self.hub = Hub(fleet.hub)
        self.routers = list(routers)
        self.router_names = [router.name for router in routers]
        self.instances: dict[str, Instance | ReferenceInstance] = {}
        self.removed: set[str] = set()
        self.message_faults: MessageFaults | None = None
        self._kind = ReferenceInstance if reference else Instance
        self._boundaries: list[Callable[[int], None]] = []
        self._progress: Callable[[int], object] | None = None
        self._arrivals: Iterator[Arrival] = iter(arrivals)
        self._arrival = next(self._arrivals, None)
        for config in fleet.instances:
            self._add(config)
        self._schedule_reports()
        self.queue.push(fleet.step_interval_ns, self._step)
        # Entries in the queue that would go on for ever.
        self._num_periodic = 1 + len(self.instances) * len(routers)
        for time, function in events:
            self.queue.push(time, self._event, function)

    # --- running -----------------------------------------------------------------

    def run(self, progress: Callable[[int], object] | None = None) -> list[Flight]:
        """To the end of the last request; returns the flights in order of arrival.

        `progress` is called with the number of requests that have ended, now and then.
        Raises RuntimeError when requests can never end, as on an instance that stalls
        and is not resumed, and ValueError for arrivals out of order.
        """
        self._progress = progress
        # Records only grow, and no cycles are let go: collecting would find nothing.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            self._advance(None)
        finally:
            if was_enabled:
                gc.enable()
        flying = [flight for flight in self.flights if flight.status == "flying"]
        assert not flying, f"{len(flying)} requests have not ended: {flying[0]}"
        return self.flights

    def advance(self, until: int) -> None:
        """Up to and including time `until`, for a driver that shows it live."""
        if until < self.now:
            raise ValueError(f"until is {until}: it is {self.now} already")
        self._advance(until)
        self.now = until

    def _advance(self, until: int | None) -> None:
        """Up to `until`, or while requests are expected or under way."""
        heap, boundaries, arrivals = self.queue.heap, self._boundaries, self._arrivals
        while True:
            arrival = self._arrival
            if arrival is not None and (not heap or arrival[0] <= heap[0][0]):
                if until is not None and arrival[0] > until:
                    return
                self._arrive(arrival)
                self._arrival = next(arrivals, None)
                continue
            if until is None:
                if arrival is None and not self.num_flying:
                    return
            elif not heap or heap[0][0] > until:
                return
            event = heappop(heap)
            time = self.now = event[0]
            order = event[1]
            if order >= LAST:
                boundaries[order - LAST](time)
            else:
                event[2](time, *event[3:])

    def _arrive(self, arrival: Arrival) -> None:
        now, request, output_tokens = arrival
        if now < self.now:
            raise ValueError(
                f"request {request.id} arrives at {now}: it is {self.now} already, and "
                "arrivals must be in order of time"
            )
        if output_tokens < 1 or request.prompt_tokens < 1:
            raise ValueError(
                f"request {request.id} reads {request.prompt_tokens} tokens and writes "
                f"{output_tokens}: both must be 1 or more"
            )
        self.now = now
        router = len(self.flights) % len(self.routers)
        flight = Flight(request, now, output_tokens, router)
        self.flights.append(flight)
        self.num_flying += 1
        decision = self.routers[router].route(request, now)
        flight.steps = decision[2]
        self._send(flight, decision, now)

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
        flight.generation = -1
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
            num_ended = len(self.flights) - self.num_flying
            if num_ended % PROGRESS_EVERY == 0:
                self._progress(num_ended)

    # --- what comes round --------------------------------------------------------

    def _schedule_reports(self) -> None:
        """Instances and routers take turns, evenly over an interval."""
        num_routers, interval = len(self.routers), self.fleet.report_interval_ns
        num_turns = len(self.instances) * num_routers
        for instance in self.instances.values():
            for router in range(num_routers):
                turn = router * len(self.instances) + instance.index + 1
                time = interval * turn // num_turns
                self.queue.push(time, self._report, instance, router)

    def _report(
        self, now: int, instance: Instance | ReferenceInstance, router: int
    ) -> None:
        if instance.config.name in self.removed:
            self._num_periodic -= 1
            return
        if instance.is_up and instance.stalled_at < 0:
            report = instance.report(self.router_names[router], now)
            for _ in range(self._copies("report")):
                delay = self.fleet.report_delay_ns
                self.queue.push(now + delay, self._observe, router, report)
                self._num_periodic += 1
        again = now + self.fleet.report_interval_ns
        self.queue.push(again, self._report, instance, router)

    def _observe(self, now: int, router: int, report: Report) -> None:
        self._num_periodic -= 1
        self.routers[router].observe(report, now)

    def _step(self, now: int) -> None:
        """Every router's control loops; those that do not lead do nothing."""
        stuck = self._arrival is None and len(self.queue) < self._num_periodic
        if stuck and self.num_flying:
            raise RuntimeError(
                f"{self.num_flying} requests can never end: is an instance stalled?"
            )
        for router in self.routers:
            for action in router.step(now):
                for _ in range(self._copies("action")):
                    self._act(action, router, now)
        self.queue.push(now + self.fleet.step_interval_ns, self._step)

    def _act(self, action: Action, router: RouterLike, now: int) -> None:
        if isinstance(action, Publish):
            for other in self.routers:
                if other is not router:
                    other.adopt(action.table, now)
            return
        instance = self.instances[action.instance]
        if not instance.is_up:
            return
        if isinstance(action, Prefetch):
            instance.prefetch(action.key, now)
        elif isinstance(action, Unload):
            instance.unload(action.key, now)
        elif isinstance(action, Push):
            generation = action.revision.generation
            instance.push(action.key, generation, action.deadline, now)

    def _event(self, now: int, function: Callable[["Simulation"], object]) -> None:
        function(self)

    def _copies(self, kind: str) -> int:
        return 1 if self.message_faults is None else self.message_faults.copies(kind)

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

    def add_instance(self, config: InstanceConfig) -> None:
        """A new instance joins. Raises ValueError when the name has been used."""
        instance = self._add(config)
        for router in range(len(self.routers)):
            self.queue.push(
                self.now + self.fleet.report_interval_ns, self._report, instance, router
            )
            self._num_periodic += 1

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
