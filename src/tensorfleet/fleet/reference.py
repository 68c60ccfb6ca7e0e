"""One instance, stepped through every iteration: the definition of what it does.

The rules stand in `instance`, which gives the same results without stepping. Here they
are carried out as they are told, with plain lists, and every figure is counted anew
when it is asked for. Costs, memory and adapters are the same objects as there.

Does not handle: speed. It is for tests, and for reading.
"""

from collections.abc import Callable, Sequence

from tensorfleet.fleet.adapters import AdapterStore
from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.host import HostCache
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.memory import Memory
from tensorfleet.fleet.revisions import READY, Weights
from tensorfleet.fleet.station import Station
from tensorfleet.router.messages import AdapterKey

NEVER = -1


class Passenger:
    """A flight on this instance: its KV, the tokens it has written, its place."""

    def __init__(self, flight: Flight, place: int, submitted: int) -> None:
        self.flight = flight
        self.place = place
        self.submitted = submitted
        self.written = 1 if flight.transferred else 0
        self.cached = flight.request.prompt_tokens if flight.transferred else 0
        self.must_prefill = not flight.transferred

    @property
    def target(self) -> int:
        """Tokens whose KV must be there before the next token can be computed."""
        prompt = self.flight.request.prompt_tokens
        return prompt + self.written if self.must_prefill else prompt

    @property
    def context(self) -> int:
        """Tokens that are in KV once the next token is being computed."""
        return self.flight.request.prompt_tokens + self.written

    @property
    def weights(self) -> Weights:
        weights = self.flight.weights
        assert weights is not None
        return weights


class ReferenceEngine:
    """The same interface as `engine.Engine`."""

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
        self.stalled_at = NEVER
        self.output_sum, self.output_count = config.expected_output_tokens, 1
        self.busy_before = 0
        self.busy_since = NEVER
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
        self.waiting: list[Passenger] = []  # by place
        self.running: list[Passenger] = []  # by admission
        self.chunks: list[tuple[Passenger, int]] = []
        self.decoding: list[Passenger] = []
        self.boundary_at = NEVER
        self.num_places = 0
        self.num_preempted = 0

    # --- requests ----------------------------------------------------------------

    def submit(self, flight: Flight, now: int) -> None:
        config, request = self.config, flight.request
        kv = request.prompt_tokens + flight.output_tokens - 1
        room = config.pool_bytes - config.adapter_pool_bytes
        size = config.costs.adapter_bytes(self.rank_of(request.key))
        generation: int | None = flight.generation
        if not flight.transferred:
            generation = self.hub.generation(request.key, request.revision or "")
        if kv * config.costs.kv_bytes_per_token > room:
            reason = f"{kv} tokens of KV do not fit beside the adapters"
        elif size > config.adapter_pool_bytes:
            reason = f"an adapter of {size} bytes does not fit"
        elif request.revision is not None and generation is None:
            reason = f"revision {request.revision} was never published"
        else:
            reason = ""
        if reason:
            self.station.refused(flight, now, reason)
            return
        passenger = Passenger(flight, self.num_places, now)
        self.num_places += 1
        self.waiting.append(passenger)
        if flight.transferred or request.revision is not None:
            assert generation is not None
            weights = self.store.enter_named(request.key, generation, now)
            flight.weights, flight.adapter = weights, weights.adapter
            flight.generation = generation
            line = weights.line
        else:
            adapter = flight.adapter = self.store.enter(request.key, now)
            assert adapter.serving is not None
            weights, line = adapter.serving, adapter.line
        if weights.state != READY:
            flight.cold = True
            line.append(passenger)
        self.replan(now)

    def ready(self, passengers: list[Passenger], now: int) -> None:
        for passenger in passengers:
            passenger.flight.adapter_wait = now - passenger.submitted

    def settle(self, now: int) -> None:
        """Nothing to catch up with: every iteration has been stepped through."""

    def replan(self, now: int) -> None:
        """Begin, if nothing is under way; what is under way is never changed."""
        if self.boundary_at == NEVER and self.stalled_at == NEVER:
            self._begin(now)

    # --- one iteration -----------------------------------------------------------

    def _begin(self, now: int) -> None:
        memory = self.memory
        self.decoding = [p for p in self.running if not p.must_prefill]
        while not memory.reclaim(len(self.decoding) * memory.token_bytes):
            self._preempt(self.running.pop())
            self.decoding = [p for p in self.running if not p.must_prefill]
        memory.running_tokens += len(self.decoding)
        budget = self.config.token_budget - len(self.decoding)
        self.chunks = []
        for passenger in self.running:
            if passenger.must_prefill and budget:
                chunk = min(passenger.target - passenger.cached, budget)
                self.chunks.append((passenger, chunk))
                budget -= chunk
        for passenger in list(self.waiting):
            if not budget or len(self.running) == self.config.max_running:
                break
            flight = passenger.flight
            assert flight.adapter is not None
            weights = flight.weights or flight.adapter.serving
            if weights is None or weights.state != READY:
                continue
            batch = {id(p.weights) for p in self.running} | {id(weights)}
            if len(batch) > self.config.max_adapters_per_batch:
                continue
            tokens = passenger.target + (not passenger.must_prefill)
            if not memory.fits(tokens * memory.token_bytes):
                break
            self._admit(passenger, now)
            memory.reclaim(tokens * memory.token_bytes)
            memory.running_tokens += tokens
            if passenger.must_prefill:
                chunk = min(passenger.target - passenger.cached, budget)
                self.chunks.append((passenger, chunk))
                budget -= chunk
            else:
                self.decoding.append(passenger)
                budget -= 1
        if self.decoding or self.chunks:
            if self.busy_since == NEVER:
                self.busy_since = now
            self.boundary_at = now + self._duration()
            self.queue.push_last(self.boundary_at, self.index)
        else:
            self.busy_before = self.busy_ns(now)
            self.busy_since = self.boundary_at = NEVER

    def _admit(self, passenger: Passenger, now: int) -> None:
        flight = passenger.flight
        self.waiting.remove(passenger)
        self.running.append(passenger)
        if flight.weights is None:
            assert flight.adapter is not None
            weights = flight.weights = flight.adapter.serving
            assert weights is not None
            flight.generation = weights.generation
            self.store.bind(weights, now)
        if flight.first_token < 0:
            flight.started = now
        request = flight.request
        if request.session is not None and passenger.must_prefill:
            key = (request.session, request.key, flight.generation)
            cached = self.memory.prefixes.take(key)
            passenger.cached = min(cached, request.prefix_tokens, passenger.target - 1)
            flight.cached_tokens = passenger.cached

    def _preempt(self, passenger: Passenger) -> None:
        held = passenger.target if passenger.must_prefill else passenger.context - 1
        self.memory.running_tokens -= held
        passenger.must_prefill = True
        passenger.cached = 0
        passenger.flight.preemptions += 1
        self.num_preempted += 1
        passenger.place = -self.num_preempted
        self.waiting.insert(0, passenger)

    def _duration(self) -> int:
        ranks = {id(p.weights): p.weights.rank for p in self.running}
        token_ranks = sum(p.weights.rank for p in self.decoding)
        token_ranks += sum(p.weights.rank * chunk for p, chunk in self.chunks)
        return self.costs.step_ns(
            [p.context for p in self.decoding],
            [(chunk, p.cached) for p, chunk in self.chunks],
            sum(ranks.values()),
            token_ranks,
        )

    def boundary(self, now: int) -> None:
        if now != self.boundary_at or self.stalled_at != NEVER:
            return
        before = len(self.running)
        self.decoding.sort(key=self.running.index)
        for passenger in self.decoding:
            passenger.written += 1
            if passenger.written == passenger.flight.output_tokens:
                self._finish(passenger, passenger.context - 1, now)
        for passenger, chunk in self.chunks:
            passenger.cached += chunk
            target = passenger.target
            if passenger.cached < target:
                continue
            passenger.must_prefill = False
            passenger.written += 1
            flight = passenger.flight
            if flight.first_token < 0:
                flight.first_token = now
            if passenger.written == flight.output_tokens:
                self._finish(passenger, target, now)
            elif self.config.role == "prefill":
                self._retire(passenger, target, now)
                flight.weights = None
                self.station.handed_on(flight, now)
        if len(self.running) < before:
            self.store.grant(now)
        self._begin(now)

    def _finish(self, passenger: Passenger, tokens: int, now: int) -> None:
        self._retire(passenger, tokens, now)
        self.output_sum += passenger.flight.output_tokens
        self.output_count += 1
        self.station.ended(passenger.flight, now)

    def _retire(self, passenger: Passenger, tokens: int, now: int) -> None:
        self.running.remove(passenger)
        self.memory.running_tokens -= tokens
        request = passenger.flight.request
        if request.session is not None:
            key = (request.session, request.key, passenger.weights.generation)
            self.memory.prefixes.put(key, tokens, now)
        self.store.leave(passenger.weights, now)

    def busy_ns(self, now: int) -> int:
        running = now - self.busy_since if self.busy_since != NEVER else 0
        return self.busy_before + running
