"""The fleet in simulated time: arrivals meet routers, routers meet instances.

    next arrival or event → the router decides → the instance serves → the record

Time is an integer number of nanoseconds. What is due at one instant happens in this
order: arrivals, then events in the order in which they were scheduled, then the ends of
iterations by the number of the instance. Nothing else orders anything, so a run is a
function of its arguments.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappop

from tensorfleet.fleet.config import FleetConfig, InstanceConfig
from tensorfleet.fleet.events import LAST
from tensorfleet.fleet.fleet import Fleet
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.instance import Instance
from tensorfleet.fleet.reference_instance import ReferenceInstance
from tensorfleet.fleet.routing import RouterLike
from tensorfleet.router.messages import (
    Action,
    Prefetch,
    Publish,
    Push,
    Report,
    Request,
    Unload,
)

__all__ = ["Arrival", "Event", "RouterLike", "Simulation"]

Arrival = tuple[int, Request, int]
Event = tuple[int, Callable[["Simulation"], object]]


class Simulation(Fleet):
    """`Simulation(fleet, routers, arrivals, events=...).run()` gives the flights.

    `arrivals` are `(time, request, output_tokens)` in order of time, read lazily;
    `events` are `(time, function)` pairs, whose function is called with the simulation
    and may use the methods under "faults and operations". Request number i goes to
    router i mod n. With `reference=True` the instances are the plain ones, which step
    every iteration: the same results, slowly.
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
        super().__init__(fleet, routers, reference=reference)
        self._arrivals: Iterator[Arrival] = iter(arrivals)
        self._arrival = next(self._arrivals, None)
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

    def feed(self, arrivals: Iterable[Arrival]) -> None:
        """From now on these arrive, after the one that is expected already."""
        self._arrivals = iter(arrivals)
        if self._arrival is None:
            self._arrival = next(self._arrivals, None)

    def __getstate__(self) -> dict[str, object]:
        """All but the arrivals to come: a copy goes on when it is fed with some."""
        return self.__dict__ | {"_arrivals": iter(())}

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
        router = self.num_arrived % len(self.routers)
        self.num_arrived += 1
        flight = Flight(request, now, output_tokens, router)
        self.flights.append(flight)
        self.num_flying += 1
        decision = self.routers[router].route(request, now)
        flight.steps = decision[2]
        self._send(flight, decision, now)

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

    def add_instance(self, config: InstanceConfig) -> None:
        """A new instance joins. Raises ValueError when the name has been used."""
        instance = self._add(config)
        for router in range(len(self.routers)):
            self.queue.push(
                self.now + self.fleet.report_interval_ns, self._report, instance, router
            )
            self._num_periodic += 1
