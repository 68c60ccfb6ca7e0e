"""One instance: an engine, and how the rest of the fleet sees it.

It does what the router asks for (prefetch, push, unload), reports on itself, and fails
in the ways in which machines fail. How it serves is in `engine`.
"""

from collections.abc import Callable, Sequence
from itertools import chain

from tensorfleet.fleet.batch import IDLE
from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.engine import Engine
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.host import HostCache
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.links import Link
from tensorfleet.fleet.station import Station
from tensorfleet.router.messages import AdapterKey, Report


class Instance(Engine):
    """One instance of a fleet, number `index`.

    It is up or down, and a new `incarnation` each time it comes up again; while
    `is_failing` it answers errors at once, and from `stalled_at` on it does nothing.
    """

    __slots__ = (
        "incarnation",
        "is_failing",
        "is_up",
        "last_reports",
        "uplink",
        "work_costs",
    )

    def __init__(
        self,
        config: InstanceConfig,
        index: int,
        routers: Sequence[str],
        queue: EventQueue,
        hub: Hub,
        rank_of: Callable[[AdapterKey], int],
        station: Station,
    ) -> None:
        super().__init__(config, index, routers, queue, hub, rank_of, station)
        self.work_costs = config.costs.work_costs(config.pcie_bytes_per_s)
        self.uplink = Link(config.network_bytes_per_s)  # KV on its way to others
        self.incarnation = 0
        self.is_up = True
        self.is_failing = False
        self.last_reports: dict[str, tuple[int, int]] = {}  # router → (time, busy)

    # --- what the router asks for ------------------------------------------------

    def prefetch(self, key: AdapterKey, now: int) -> None:
        """Load an adapter before requests for it come."""
        self.settle(now)
        self.store.prefetch(key, now)
        self.replan(now)

    def push(self, key: AdapterKey, generation: int, deadline: int, now: int) -> None:
        """Load a newer revision and swap to it by the deadline."""
        self.settle(now)
        self.store.push(key, generation, deadline, now)
        self.replan(now)

    def unload(self, key: AdapterKey, now: int) -> None:
        """Let an adapter go when nothing uses it."""
        self.settle(now)
        self.store.unload(key, now)
        self.store.grant(now)
        self.replan(now)

    def report(self, router: str, now: int) -> Report:
        """What the instance says of itself to the router of this name."""
        work = self.work_by_router(now)
        busy = self.busy_ns(now)
        then, busy_then = self.last_reports.get(router, (0, 0))
        self.last_reports[router] = (now, busy)
        resident, loading = self.store.contents()
        return Report(
            self.config.name,
            self.incarnation,
            now,
            self.num_requests - len(self.running),
            len(self.running),
            sum(work.values()),
            work,
            (busy - busy_then) / (now - then) if now > then else 0.0,
            self.memory.kv_used(),
            resident,
            loading,
            self.store.available_slots(),
        )

    def work_by_router(self, now: int) -> dict[str, int]:
        """The work that is left of what each router has sent, in nanoseconds."""
        self.settle(now)
        expected = self.output_sum // self.output_count
        return {
            name: tally.work_ns(self.work_costs, expected, self.iteration)
            for name, tally in zip(self.routers, self.tallies, strict=True)
        }

    def busy_ns(self, now: int) -> int:
        """How long the instance has computed so far."""
        running = now - self.busy_since if self.busy_since != IDLE else 0
        return self.busy_before + running

    # --- faults ------------------------------------------------------------------

    def crash(self, now: int) -> list[Flight]:
        """Everything on it is lost; returns the flights, oldest admission first."""
        lost = self._everyone(now)
        self._stop(now)
        self.store.cancel()
        self.is_up = self.is_failing = False
        self.stalled_at = IDLE
        self._empty_gpu(self.store.host)
        return lost

    def restore(self, *, keep_host: bool) -> None:
        """A new incarnation, with an empty GPU and perhaps an empty host cache."""
        self.is_up = True
        self.incarnation += 1
        if not keep_host:
            self.store.host = HostCache(self.config.host_bytes)

    def flush(self, now: int) -> list[Flight]:
        """Give up all requests, as an instance does whose model fails; returns them."""
        lost = self._everyone(now)
        self._stop(now)
        for adapter in self.store.adapters.values():
            adapter.line = []
            for weights in adapter.held.values():
                weights.line = []
                weights.batch = 0
        for flight in lost:
            if flight.weights is not None:
                self.store.leave(flight.weights, now)
            elif flight.adapter is not None:
                self.store.give_up(flight.adapter, now)
        self._empty_batch()
        self.store.grant(now)
        return lost

    def stall(self, now: int) -> None:
        """Stop computing, in the middle of an iteration if need be."""
        if self.stalled_at == IDLE:
            self.settle(now)
            self.stalled_at = now

    def resume(self, now: int) -> None:
        """Go on where it stopped."""
        if self.stalled_at == IDLE:
            return
        pause = now - self.stalled_at
        self.stalled_at = IDLE
        if self.boundary_at == IDLE:
            self.replan(now)
        else:
            self.run_start += pause
            self.boundary_at += pause
            self.queue.push_last(self.boundary_at, self.index)

    def set_slowdown(self, per_mille: int, now: int) -> None:
        """From the next iteration on, steps take `per_mille` of what they should."""
        self.costs = self.config.costs.slowed(per_mille)
        self.settle(now)
        self._shorten(1)

    def _stop(self, now: int) -> None:
        self.busy_before = self.busy_ns(now)
        self.busy_since = IDLE

    def _everyone(self, now: int) -> list[Flight]:
        """All flights here: the running ones by admission, the others by place.

        How much each has `written` is noted on it.
        """
        self.settle(now)
        waiting = [*self.ready_heap, *self.aside]
        for adapter in self.store.adapters.values():
            lines = [weights.line for weights in adapter.held.values()]
            waiting += [
                (flight.place, flight) for flight in chain(adapter.line, *lines)
            ]
        waiting.sort()
        everyone = [*self.running.values(), *(flight for _, flight in waiting)]
        for flight in everyone:
            if flight.left:
                flight.written = flight.target - flight.request.prompt_tokens
        for _, admission, flight in self.ends:
            if admission in self.running:
                flight.written = self.iteration + flight.offset
        return everyone
