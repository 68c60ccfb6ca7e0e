"""Continuous batching, advanced from event to event.

An engine works in iterations (Orca, Yu et al. 2022, section 3.1; chunked prefill as in
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

This module gives the same results without stepping. While the batch only decodes, its
steps form a *run* (see `runs`), which goes on to the iteration in which the next
sequence ends or the room for KV is used up; a heap knows which ends next, as each
iteration gives every sequence one token. An event from outside (a request, an adapter
that arrives) cuts the run at the end of the iteration that is under way. So the work is
proportional to events, not to iterations or to the size of the batch.

What happens at an instant: events from outside come before the ends of iterations.

Does not handle: pipeline and tensor parallelism (give the costs of the group), swapping
KV to host memory, and speculative decoding.
"""

from heapq import heappop, heappush

from tensorfleet.fleet.batch import IDLE, Batch
from tensorfleet.fleet.events import LAST
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.revisions import READY, Weights
from tensorfleet.fleet.runs import duration, ended_within


class Engine(Batch):
    """Takes requests in, and carries out iterations, a run of them at a time."""

    __slots__ = ()

    # --- requests ----------------------------------------------------------------

    def submit(self, flight: Flight, now: int) -> None:
        """Take a flight in, or refuse one that can never be served here."""
        request, store = flight.request, self.store
        prompt = flight.target = request.prompt_tokens
        if self.steps > 1:
            self.settle(now)
        adapter = store.adapters.get(request.key)
        if (
            adapter is None
            or adapter.serving is None
            or flight.transferred
            or request.revision is not None
            or prompt + flight.output_tokens > self.most_tokens
        ):
            weights = self._find_weights(flight, now)
            if weights is None:
                return
        else:
            flight.adapter = adapter
            weights = adapter.serving
            adapter.waiting += 1
            if weights in store.idle:
                store.not_idle(weights)
        flight.submitted = now
        flight.place = place = self.next_place
        self.next_place = place + 1
        self.num_requests += 1
        flight.left = 0 if flight.transferred else prompt
        tally = self.tallies[flight.router]
        tally.prefill += flight.left
        tally.unwritten += 1
        if weights.state != READY:
            flight.cold = True
            line = weights.line if flight.weights else weights.adapter.line
            line.append(flight)
            self.replan(now)  # a load may have taken room
            return
        heap = self.ready_heap
        heappush(heap, (place, flight))
        # Behind others that cannot enter, it cannot either.
        if len(heap) == 1 and len(self.running) < self.config.max_running:
            self.replan(now)

    def _find_weights(self, flight: Flight, now: int) -> Weights | None:
        """For a flight whose adapter is not here, or that insists on a generation.

        None, if it has been refused.
        """
        request, store = flight.request, self.store
        key = request.key
        generation: int | None = None
        if flight.transferred:
            generation = flight.generation
        elif request.revision is not None:
            generation = self.hub.generation(key, request.revision)
        tokens = request.prompt_tokens + flight.output_tokens
        size = store.size_of(key)
        if tokens > self.most_tokens:
            reason = f"{tokens - 1} tokens of KV do not fit beside the adapters"
        elif size > self.config.adapter_pool_bytes:
            reason = f"an adapter of {size} bytes does not fit"
        elif request.revision is not None and generation is None:
            reason = f"revision {request.revision} was never published"
        elif generation is None:
            flight.adapter = store.enter(key, now)
            return flight.adapter.serving
        else:
            flight.weights = weights = store.enter_named(key, generation, now)
            flight.adapter, flight.generation = weights.adapter, generation
            return weights
        self.station.refused(flight, now, reason)
        return None

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
        iteration = self.iteration = self.iteration + further + 1
        if further:
            grown = self.num_decoding * further
            self.context += grown
            self.memory.running_tokens += grown
        before = self.num_requests
        ends, running = self.ends, self.running
        while ends and ends[0][0] <= iteration:
            _, admission, flight = heappop(ends)
            if admission in running:
                tokens = flight.request.prompt_tokens + flight.output_tokens - 1
                self._stop_decoding(flight, tokens)
                self._finish(flight, tokens, now)
        if self.chunks:
            self._finish_chunks(now)
        if self.store.loads and self.num_requests < before:
            self.store.grant(now)
        self._begin(now)

    def settle(self, now: int) -> None:
        """Count the iterations of the run that have ended before `now`."""
        elapsed = now - self.run_start - 1
        first, growth = self.first, self.growth
        if self.steps < 2 or elapsed < first or self.stalled_at != IDLE:
            return
        ended = ended_within(first, growth, elapsed)
        self.run_start += duration(first, growth, ended)
        self.first += ended * growth
        self.steps -= ended
        self.iteration += ended
        grown = self.num_decoding * ended
        self.context += grown
        self.memory.running_tokens += grown

    def replan(self, now: int) -> None:
        """Memory or waiting requests have changed: start, cut or shorten a run.

        The run has been settled.
        """
        if self.aside:
            self._reconsider()
        if self.boundary_at == IDLE:
            if self.ready_heap and self.stalled_at == IDLE:
                self._begin(now)
        elif self.steps > 1:
            room = self.memory.free_tokens() // self.num_decoding
            self._shorten(1 if self.ready_heap else 1 + room)

    def _shorten(self, steps: int) -> None:
        """End the run after at most `steps` iterations, the one under way included."""
        if self.steps > steps:
            self.steps = steps
            end = self.run_start + duration(self.first, self.growth, steps)
            self.boundary_at = end
            heappush(self.queue.heap, (end, LAST + self.index))

    def _begin(self, now: int) -> None:
        """Begin an iteration, and with it a run, or go idle."""
        memory, n = self.memory, self.num_decoding
        if memory.token_room - memory.running_tokens - memory.prefixes.tokens < n:
            self._make_room()
            n = self.num_decoding
        memory.running_tokens += n
        self.context += n
        if self.prefilling or self.ready_heap:
            self.chunks = chunks = self._fill(now)
            n = self.num_decoding
        else:
            self.chunks = chunks = []
        # What follows is costs.step_ns, from sums that are kept up to date.
        costs = self.costs
        tokens, ranks = n, self.decode_ranks
        first = costs.overhead_ns + costs.kv_token_ns * self.context
        for flight, chunk in chunks:
            assert flight.weights is not None
            tokens += chunk
            ranks += chunk * flight.weights.rank
            first += costs.chunk_ns(chunk, flight.target - flight.left)
        linear = tokens * costs.token_ps // 1000
        first += linear if linear > costs.weights_ns else costs.weights_ns
        lora = ranks * costs.rank_token_ps // 1000
        reading = self.adapter_ranks * costs.rank_ns
        first += lora if lora > reading else reading
        if costs.sequence_ns:
            first += costs.sequence_ns * (n + len(chunks))
        if chunks:
            self.steps = 1
            end = now + first
        elif n:
            ends, running = self.ends, self.running
            while ends[0][1] not in running:
                heappop(ends)  # preempted since
            growth = n * costs.kv_token_ns
            steps = ends[0][0] - self.iteration
            free = memory.token_room - memory.running_tokens - memory.prefixes.tokens
            if steps * n > free:
                steps = min(steps, 1 + free // n)
            self.growth, self.steps = growth, steps
            end = now + steps * first + growth * (steps * (steps - 1) // 2)
        else:
            self._go_idle(now)
            return
        if self.busy_since == IDLE:
            self.busy_since = now
        self.run_start, self.first, self.boundary_at = now, first, end
        heappush(self.queue.heap, (end, LAST + self.index))

    def _go_idle(self, now: int) -> None:
        if self.busy_since != IDLE:
            self.busy_before += now - self.busy_since
            self.busy_since = IDLE
        self.boundary_at = IDLE
        self.steps = 0

    def _fill(self, now: int) -> list[tuple[Flight, int]]:
        """Spend the token budget on prompts; returns the chunks.

        First come those that have begun, then those that wait.
        """
        budget = self.config.token_budget - self.num_decoding
        chunks = []
        for flight in self.prefilling:
            chunk = min(flight.left, budget)
            if not chunk:
                break
            chunks.append((flight, chunk))
            budget -= chunk
        heap, running, memory = self.ready_heap, self.running, self.memory
        max_running = self.config.max_running
        max_adapters = self.config.max_adapters_per_batch
        while heap and budget and len(running) < max_running:
            flight = heap[0][1]
            weights = flight.weights
            if weights is None:
                assert flight.adapter is not None
                weights = flight.adapter.serving
                assert weights is not None
            if not weights.batch and self.num_adapters == max_adapters:
                self.aside.append(heappop(heap))
                continue
            tokens = flight.target if flight.left else flight.target + 1
            has_room = tokens <= memory.free_tokens()
            if not (has_room or memory.fits(tokens * memory.token_bytes)):
                break
            heappop(heap)
            self._admit(flight, weights, now)
            if not has_room:
                memory.reclaim(tokens * memory.token_bytes)
            memory.running_tokens += tokens
            if flight.left:
                chunk = min(flight.left, budget)
                chunks.append((flight, chunk))
                self.prefilling.append(flight)
                budget -= chunk
            else:  # its KV came from another instance
                self._decode_from(flight, 1)
                self.context += tokens
                budget -= 1
        return chunks
