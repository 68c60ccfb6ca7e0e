"""A plain engine, and how the rest of the fleet sees it: `instance`, told plainly.

Does not handle: speed. It is for tests, and for reading.
"""

from collections.abc import Callable, Sequence

from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.host import HostCache
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.links import Link
from tensorfleet.fleet.reference import NEVER, ReferenceEngine
from tensorfleet.fleet.station import Station
from tensorfleet.router.messages import AdapterKey, Report


class ReferenceInstance(ReferenceEngine):
    """The same interface as `instance.Instance`."""

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
        self.uplink = Link(config.network_bytes_per_s)
        self.incarnation = 0
        self.is_up = True
        self.is_failing = False
        self.last_reports: dict[str, tuple[int, int]] = {}

    # --- what the router asks for ------------------------------------------------

    def prefetch(self, key: AdapterKey, now: int) -> None:
        self.store.prefetch(key, now)
        self.replan(now)

    def push(self, key: AdapterKey, generation: int, deadline: int, now: int) -> None:
        self.store.push(key, generation, deadline, now)
        self.replan(now)

    def unload(self, key: AdapterKey, now: int) -> None:
        self.store.unload(key, now)
        self.store.grant(now)
        self.replan(now)

    def report(self, router: str, now: int) -> Report:
        costs = self.work_costs
        expected = self.output_sum // self.output_count
        work = {}
        for index, name in enumerate(self.routers):
            own = [p for p in self.running + self.waiting if p.flight.router == index]
            decoding = [p for p in own if p in self.running and not p.must_prefill]
            prefill = sum(p.target - p.cached for p in own if p.must_prefill)
            written = sum(p.written for p in decoding)
            tokens = (len(own) - len(decoding)) * expected
            tokens += max(len(decoding), len(decoding) * expected - written)
            work[name] = (
                prefill * costs.prefill_ns_per_token
                + tokens * costs.decode_ns_per_token
            )
        busy = self.busy_ns(now)
        then, busy_then = self.last_reports.get(router, (0, 0))
        self.last_reports[router] = (now, busy)
        resident, loading = self.store.contents()
        return Report(
            instance=self.config.name,
            incarnation=self.incarnation,
            time=now,
            waiting=len(self.waiting),
            running=len(self.running),
            work_ns=sum(work.values()),
            work_by_router=work,
            gpu_util=(busy - busy_then) / (now - then) if now > then else 0.0,
            kv_used=self.memory.kv_used(),
            resident=resident,
            loading=loading,
            free_slots=self.store.available_slots(),
        )

    # --- faults ------------------------------------------------------------------

    def crash(self, now: int) -> list[Flight]:
        lost = self._stop(now)
        self.store.cancel()
        self.is_up = self.is_failing = False
        self.stalled_at = NEVER
        self._empty_gpu(self.store.host)
        return lost

    def restore(self, *, keep_host: bool) -> None:
        self.is_up = True
        self.incarnation += 1
        if not keep_host:
            self.store.host = HostCache(self.config.host_bytes)

    def flush(self, now: int) -> list[Flight]:
        lost = self._stop(now)
        for adapter in self.store.adapters.values():
            adapter.line = []
            for weights in adapter.held.values():
                weights.line = []
        for flight in lost:
            if flight.weights is not None:
                self.store.leave(flight.weights, now)
            elif flight.adapter is not None:
                self.store.give_up(flight.adapter, now)
        self._empty_batch()
        self.store.grant(now)
        return lost

    def stall(self, now: int) -> None:
        if self.stalled_at == NEVER:
            self.stalled_at = now

    def resume(self, now: int) -> None:
        if self.stalled_at == NEVER:
            return
        pause = now - self.stalled_at
        self.stalled_at = NEVER
        if self.boundary_at == NEVER:
            self.replan(now)
        else:
            self.boundary_at += pause
            self.queue.push_last(self.boundary_at, self.index)

    def set_slowdown(self, per_mille: int, now: int) -> None:
        self.costs = self.config.costs.slowed(per_mille)

    def _stop(self, now: int) -> list[Flight]:
        """End the work; returns the running by admission, the waiting by place."""
        self.busy_before = self.busy_ns(now)
        self.busy_since = NEVER
        everyone = self.running + self.waiting
        for passenger in everyone:
            passenger.flight.written = passenger.written
        return [passenger.flight for passenger in everyone]
