"""One instance with continuous batching, advanced from event to event.

It works in iterations (Orca, Yu et al. 2022, section 3.1; chunked prefill as in
Sarathi-Serve, Agrawal et al. 2024, section 4). At the start of each:

1. Every decoding sequence takes room for one more token of KV. Where there is none,
   idle adapters and cached prefixes go first (see `memory`); then the sequence that was
   admitted last is preempted: it goes to the front of the queue, to compute its prompt
   and what it has written once more.
2. What the token budget leaves goes to sequences whose prompt is not finished, in the
   order of their admission,
3. then to waiting requests in their order, those whose adapter is not on the GPU yet,
   or would be one too many in the batch, being passed over. One that finds no room for
   its prompt's KV ends the admissions.

At its end each decoding sequence has one token more, and a sequence whose prompt is
finished has its first. `reference` does just that, step by step; it is the definition.

This module gives the same results without stepping. While the batch only decodes, n
sequences with contexts of K tokens in all, step i takes

    first + i·d     with d = n · kv_token_ns

so m steps take m·first + d·m(m-1)/2, and how many have ended at a given time is the
root of a quadratic, found in integers (`math.isqrt`). Such a *run* goes on to the
iteration in which the next sequence ends or the room for KV is used up; a heap knows
which ends next, as each iteration gives every sequence one token. An event from outside
(a request, an adapter that arrives) cuts the run at the end of the iteration that is
under way. So the work is proportional to events, not to iterations or batch size.

What happens at an instant: events from outside come before the ends of iterations.

Does not handle: pipeline and tensor parallelism (give the costs of the group), swapping
KV to host memory, and speculative decoding.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush
from itertools import chain
from math import isqrt

from tensorfleet.fleet.adapters import AdapterStore, HostCache
from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.events import LAST, EventQueue
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.links import Link
from tensorfleet.fleet.memory import Memory
from tensorfleet.fleet.revisions import READY
from tensorfleet.fleet.station import Station
from tensorfleet.fleet.tally import Tally
from tensorfleet.router.messages import AdapterKey, Report

IDLE = -1


class Instance:
    """One instance of a fleet, number `index`, whose events are in `queue`.

    `routers` are the names of the routers that it reports work by.
    """

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
        self.config = config
        self.index = index
        self.routers = routers
        self.queue = queue
        self.hub = hub
        self.rank_of = rank_of
        self.station = station
        self.costs = config.costs
        self.work_costs = config.costs.work_costs(config.pcie_bytes_per_s)
        self.uplink = Link(config.network_bytes_per_s)  # KV on its way to others
        self.incarnation = 0
        self.is_up = True
        self.is_failing = False  # it answers errors at once
        self.stalled_at = IDLE
        self.busy_before = 0  # nanoseconds of computing, up to the last idleness
        self.busy_since = IDLE
        self.last_reports: dict[str, tuple[int, int]] = {}  # router → (time, busy)
        # What the finished ones wrote, beginning with one that is made up.
        self.output_sum, self.output_count = config.expected_output_tokens, 1
        self._empty_gpu(HostCache(config.host_bytes))

    def _empty_gpu(self, host: HostCache) -> None:
        config = self.config
        self.memory = Memory(config.pool_bytes, config.costs.kv_bytes_per_token)
        self.store = self.memory.store = AdapterStore(
            config, self.memory, host, self.hub, self.rank_of, self.queue, self
        )
        self._empty_batch()

    def _empty_batch(self) -> None:
        self.memory.running_tokens = 0
        self.tallies = [Tally() for _ in self.routers]
        self.num_requests = 0
        # Waiting: those whose adapter is there by place in the queue, and those of them
        # that were passed over since the batch has as many adapters as it may.
        self.ready_heap: list[tuple[int, Flight]] = []
        self.aside: list[tuple[int, Flight]] = []
        self.next_place, self.front_place = 0, -1
        # The batch, by serial number of admission.
        self.running: dict[int, Flight] = {}
        self.num_admissions = 0
        self.prefilling: list[Flight] = []
        self.num_decoding = 0
        self.context = 0  # tokens of KV that decoding sequences have
        self.decode_ranks = 0  # the sum of their adapters' ranks
        self.num_adapters = 0  # distinct ones in the batch
        self.adapter_ranks = 0  # the sum of their ranks
        self.ends: list[tuple[int, int, Flight]] = []  # (iteration, admission, flight)
        # The run that is under way.
        self.iteration = 0  # iterations that have ended
        self.run_start = 0  # when the one under way began
        self.first = 0  # how long it takes
        self.growth = 0  # how much longer each further one takes
        self.steps = 0  # how many of them there are, this one included
        self.chunks: list[tuple[Flight, int]] = []  # prefilled in this one
        self.boundary_at = IDLE  # when the last of them ends

    # --- requests ----------------------------------------------------------------

    def submit(self, flight: Flight, now: int) -> None:
        """Take a flight in, or refuse one that can never be served here."""
        request = flight.request
        reason = self._refusal(flight)
        if reason:
            self.station.refused(flight, now, reason)
            return
        if self.steps > 1:
            self.settle(now)
        if flight.transferred or request.revision is not None:
            generation = self._insists_on(flight)
            assert generation is not None
            weights = self.store.enter_named(request.key, generation, now)
            flight.weights, flight.adapter = weights, weights.adapter
            flight.generation = generation
            line = weights.line
        else:
            flight.adapter = adapter = self.store.enter(request.key, now)
            assert adapter.serving is not None
            weights, line = adapter.serving, adapter.line
        flight.submitted = now
        flight.place = self.next_place
        self.next_place += 1
        self.num_requests += 1
        flight.target = request.prompt_tokens
        flight.left = 0 if flight.transferred else request.prompt_tokens
        tally = self.tallies[flight.router]
        tally.prefill += flight.left
        tally.unwritten += 1
        if weights.state != READY:
            flight.cold = True
            line.append(flight)
            self.replan(now)  # a load may have taken room
            return
        heappush(self.ready_heap, (flight.place, flight))
        # Behind others that cannot enter, it cannot either.
        if len(self.ready_heap) == 1 and len(self.running) < self.config.max_running:
            self.replan(now)

    def _refusal(self, flight: Flight) -> str:
        request, config = flight.request, self.config
        tokens = request.prompt_tokens + flight.output_tokens - 1
        room = config.pool_bytes - config.adapter_pool_bytes
        if tokens * self.memory.token_bytes > room:
            return f"{tokens} tokens of KV do not fit beside the adapters"
        size = config.costs.adapter_bytes(self.rank_of(request.key))
        if size > config.adapter_pool_bytes:
            return f"an adapter of {size} bytes does not fit"
        if request.revision is not None and self._insists_on(flight) is None:
            return f"revision {request.revision} was never published"
        return ""

    def _insists_on(self, flight: Flight) -> int | None:
        """The generation of a flight that must have a certain one."""
        request = flight.request
        if flight.transferred:
            return flight.generation
        return self.hub.generation(request.key, request.revision or "")

    def ready(self, flights: list[Flight], now: int) -> None:
        """The adapter that these waited for is on the GPU."""
        for flight in flights:
            flight.adapter_wait = now - flight.submitted
            heappush(self.ready_heap, (flight.place, flight))

    # --- the run -----------------------------------------------------------------

    def boundary(self, now: int) -> None:
        """The last iteration of the run ends, unless the run has been changed since."""
        if now != self.boundary_at or self.stalled_at != IDLE:
            return
        further = self.steps - 1
        self.iteration += self.steps
        if further:
            grown = self.num_decoding * further
            self.context += grown
            self.memory.running_tokens += grown
        before = self.num_requests
        ends, running, iteration = self.ends, self.running, self.iteration
        while ends and ends[0][0] <= iteration:
            _, admission, flight = heappop(ends)
            if admission in running:
                self._finish_decoding(flight, now)
        if self.chunks:
            self._finish_chunks(now)
        if self.store.loads and self.num_requests < before:
            self.store.grant(now)
        self._begin(now)

    def settle(self, now: int) -> None:
        """Count the iterations of the run that have ended before `now`.

        With e nanoseconds elapsed it is the largest j for which
        j·first + growth·j(j-1)/2 < e.
        """
        elapsed = now - self.run_start - 1
        if self.steps < 2 or elapsed < self.first or self.stalled_at != IDLE:
            return
        first, growth = self.first, self.growth
        if growth:
            b = 2 * first - growth
            ended = (isqrt(b * b + 8 * growth * elapsed) - b) // (2 * growth)
        else:
            ended = elapsed // first
        self.run_start += ended * first + growth * (ended * (ended - 1) // 2)
        self.first += ended * growth
        self.steps -= ended
        self.iteration += ended
        grown = self.num_decoding * ended
        self.context += grown
        self.memory.running_tokens += grown

    def replan(self, now: int) -> None:
        """Memory or waiting requests have changed: cut the run, or start one."""
        if self.aside:
            self._reconsider()
        if self.boundary_at == IDLE:
            if self.ready_heap and self.stalled_at == IDLE:
                self._begin(now)
        elif self.steps > 1:
            self.settle(now)
            self.steps = 1
            self.boundary_at = self.run_start + self.first
            self.queue.push_last(self.boundary_at, self.index)

    def _begin(self, now: int) -> None:
        """Begin an iteration, and with it a run, or go idle."""
        memory, costs, config = self.memory, self.costs, self.config
        if self.num_decoding:
            self._make_room()
        n = self.num_decoding
        memory.running_tokens += n
        self.context += n
        budget = config.token_budget - n
        chunks: list[tuple[Flight, int]] = []
        for flight in self.prefilling:
            chunk = min(flight.left, budget)
            if not chunk:
                break
            chunks.append((flight, chunk))
            budget -= chunk
        if self.ready_heap:
            self._admit(chunks, budget, now)
            n = self.num_decoding
        if not (n or chunks):
            if self.busy_since != IDLE:
                self.busy_before += now - self.busy_since
                self.busy_since = IDLE
            self.boundary_at = IDLE
            self.steps = 0
            return
        tokens, ranks, attention = n, self.decode_ranks, 0
        for flight, chunk in chunks:
            assert flight.weights is not None
            tokens += chunk
            ranks += chunk * flight.weights.rank
            attention += costs.chunk_ns(chunk, flight.target - flight.left)
        linear = tokens * costs.token_ps // 1000
        if linear < costs.weights_ns:
            linear = costs.weights_ns
        lora = costs.rank_token_ps * ranks // 1000
        if lora < costs.rank_ns * self.adapter_ranks:
            lora = costs.rank_ns * self.adapter_ranks
        duration = self.first = (
            costs.overhead_ns
            + linear
            + costs.kv_token_ns * self.context
            + attention
            + costs.sequence_ns * (n + len(chunks))
            + lora
        )
        self.chunks = chunks
        self.growth = growth = n * costs.kv_token_ns
        steps = 1
        if not chunks:
            ends, running = self.ends, self.running
            while ends[0][1] not in running:
                heappop(ends)  # preempted since
            steps = min(
                ends[0][0] - self.iteration,
                1 + memory.free() // memory.token_bytes // n,
            )
            duration = steps * duration + growth * (steps * (steps - 1) // 2)
        self.steps = steps
        if self.busy_since == IDLE:
            self.busy_since = now
        self.run_start = now
        self.boundary_at = end = now + duration
        heappush(self.queue.heap, (end, LAST + self.index))

    def _make_room(self) -> None:
        """Room for one token more in every decoding sequence."""
        memory = self.memory
        while memory.free() < self.num_decoding * memory.token_bytes:
            if not memory.reclaim(self.num_decoding * memory.token_bytes):
                self._preempt()

    def _admit(self, chunks: list[tuple[Flight, int]], budget: int, now: int) -> None:
        """Let waiting requests into the batch, as far as `budget` tokens go."""
        heap, running, memory = self.ready_heap, self.running, self.memory
        max_running = self.config.max_running
        max_adapters = self.config.max_adapters_per_batch
        while heap and budget and len(running) < max_running:
            flight = heap[0][1]
            weights = flight.weights or flight.adapter.serving
            if not weights.batch and self.num_adapters == max_adapters:
                self.aside.append(heappop(heap))
                continue
            tokens = flight.target if flight.left else flight.target + 1
            size = tokens * memory.token_bytes
            if size > memory.free() and not memory.fits(size):
                break
            heappop(heap)
            self._enter_batch(flight, now)
            if size > memory.free():
                memory.reclaim(size)
            memory.running_tokens += tokens
            if flight.left:
                chunk = min(flight.left, budget)
                chunks.append((flight, chunk))
                self.prefilling.append(flight)
            else:
                chunk = 1
                self._decode_from(flight, 1)
                self.context += tokens
            budget -= chunk

    def _enter_batch(self, flight: Flight, now: int) -> None:
        weights = flight.weights
        if weights is None:
            flight.weights = weights = self.store.bind(flight.adapter, now)
            flight.generation = weights.generation
        if not weights.batch:
            self.num_adapters += 1
            self.adapter_ranks += weights.rank
        weights.batch += 1
        flight.admission = self.num_admissions
        self.num_admissions += 1
        self.running[flight.admission] = flight
        request = flight.request
        if request.session is not None and flight.left:
            key = (request.session, request.key, weights.generation)
            cached = self.memory.prefixes.take(key)
            cached = min(cached, request.prefix_tokens, flight.target - 1)
            flight.cached_tokens = cached
            flight.left -= cached
            self.tallies[flight.router].prefill -= cached

    # --- sequences ---------------------------------------------------------------

    def _decode_from(self, flight: Flight, written: int) -> None:
        """From the next iteration on the sequence decodes; it has `written` tokens."""
        assert flight.weights is not None
        flight.offset = written - self.iteration
        ends_at = self.iteration + flight.output_tokens - written
        heappush(self.ends, (ends_at, flight.admission, flight))
        self.num_decoding += 1
        self.decode_ranks += flight.weights.rank
        tally = self.tallies[flight.router]
        tally.unwritten -= 1
        tally.decoding += 1
        tally.offsets += flight.offset

    def _stop_decoding(self, flight: Flight, tokens: int) -> None:
        """The opposite, for a sequence whose KV has `tokens`."""
        assert flight.weights is not None
        self.num_decoding -= 1
        self.decode_ranks -= flight.weights.rank
        self.context -= tokens
        tally = self.tallies[flight.router]
        tally.decoding -= 1
        tally.offsets -= flight.offset

    def _finish_decoding(self, flight: Flight, now: int) -> None:
        tokens = flight.request.prompt_tokens + flight.output_tokens - 1
        self._stop_decoding(flight, tokens)
        self._retire(flight, tokens, now)
        self._finish(flight, now)

    def _finish_chunks(self, now: int) -> None:
        """What was prefilled in the iteration counts; finished prompts get a token."""
        for flight, chunk in self.chunks:
            flight.left -= chunk
            tally = self.tallies[flight.router]
            tally.prefill -= chunk
            if flight.left:
                continue
            written = flight.target - flight.request.prompt_tokens + 1
            if flight.first_token < 0:
                flight.first_token = now
            if written == flight.output_tokens:
                tally.unwritten -= 1
                self._retire(flight, flight.target, now)
                self._finish(flight, now)
            elif self.config.role == "prefill":
                tally.unwritten -= 1
                self._retire(flight, flight.target, now)
                flight.weights = None
                self.station.handed_on(flight, now)
            else:
                self._decode_from(flight, written)
                self.context += flight.target
        self.prefilling = [flight for flight in self.prefilling if flight.left]

    def _finish(self, flight: Flight, now: int) -> None:
        self.output_sum += flight.output_tokens
        self.output_count += 1
        self.station.ended(flight, now)

    def _retire(self, flight: Flight, tokens: int, now: int) -> None:
        """A sequence whose KV has `tokens` leaves for good."""
        weights, request = flight.weights, flight.request
        assert weights is not None
        del self.running[flight.admission]
        self.num_requests -= 1
        self.memory.running_tokens -= tokens
        if request.session is not None:
            key = (request.session, request.key, weights.generation)
            self.memory.prefixes.put(key, tokens, now)
        self._leave_batch(flight)
        self.store.leave(weights, now)

    def _preempt(self) -> None:
        """The sequence admitted last gives its room back and waits in front."""
        _, flight = self.running.popitem()
        tally = self.tallies[flight.router]
        if flight.left:
            self.prefilling.pop()
            self.memory.running_tokens -= flight.target
            tally.prefill -= flight.left
        else:
            written = self.iteration + flight.offset
            tokens = flight.request.prompt_tokens + written - 1
            self._stop_decoding(flight, tokens)
            self.memory.running_tokens -= tokens
            tally.unwritten += 1
            flight.target = tokens + 1
        flight.left = flight.target
        tally.prefill += flight.target
        flight.preemptions += 1
        self._leave_batch(flight)
        heappush(self.ready_heap, (self.front_place, flight))
        self.front_place -= 1

    def _leave_batch(self, flight: Flight) -> None:
        weights = flight.weights
        assert weights is not None
        weights.batch -= 1
        if not weights.batch:
            self.num_adapters -= 1
            self.adapter_ranks -= weights.rank
            if self.aside:
                self._reconsider()

    def _reconsider(self) -> None:
        """Those that were passed over may have a chance now."""
        self.ready_heap += self.aside
        self.aside = []
        heapify(self.ready_heap)

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
        self.settle(now)
        expected = self.output_sum // self.output_count
        work = {
            name: tally.work_ns(self.work_costs, expected, self.iteration)
            for name, tally in zip(self.routers, self.tallies, strict=True)
        }
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
            if flight.weights is None:
                self.store.give_up(flight.adapter, now)
            else:
                self.store.leave(flight.weights, now)
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
        self.replan(now)

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
        for _, flight in waiting:
            flight.written = flight.target - flight.request.prompt_tokens
        for flight in self.running.values():
            if flight.left:
                flight.written = flight.target - flight.request.prompt_tokens
            else:
                flight.written = self.iteration + flight.offset
        return [*self.running.values(), *(flight for _, flight in waiting)]
