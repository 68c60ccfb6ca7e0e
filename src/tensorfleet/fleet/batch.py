"""The batch of an engine: which sequences are in it, and what they hold.

Admission, the change from prefill to decoding, the end and preemption, each with the
sums that it changes: tokens of KV, distinct adapters, ranks, work left. They are kept
up to date, so that none of them is ever counted anew. What an iteration does with the
batch, and when, is in `engine`.

Does not handle: sharing KV between sequences that run at the same time.
"""

from collections.abc import Callable, Sequence
from heapq import heapify, heappush

from tensorfleet.fleet.adapters import AdapterStore
from tensorfleet.fleet.config import InstanceConfig
from tensorfleet.fleet.events import EventQueue
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.host import HostCache
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.memory import Memory
from tensorfleet.fleet.revisions import Weights
from tensorfleet.fleet.station import Station
from tensorfleet.fleet.tally import Tally
from tensorfleet.router.messages import AdapterKey

IDLE = -1


class Batch:
    """The sequences on instance number `index`, whose events are in `queue`.

    `routers` are the names of the routers that requests come from.
    """

    # Slots: a dictionary of so many attributes would be slower on every access.
    __slots__ = (
        "adapter_ranks",
        "aside",
        "boundary_at",
        "busy_before",
        "busy_since",
        "chunks",
        "config",
        "context",
        "costs",
        "decode_ranks",
        "ends",
        "first",
        "front_place",
        "growth",
        "hub",
        "index",
        "iteration",
        "memory",
        "most_tokens",
        "next_place",
        "num_adapters",
        "num_admissions",
        "num_decoding",
        "num_requests",
        "output_count",
        "output_sum",
        "prefilling",
        "queue",
        "rank_of",
        "ready_heap",
        "routers",
        "run_start",
        "running",
        "stalled_at",
        "station",
        "steps",
        "store",
        "tallies",
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
        self.config = config
        self.index = index
        self.routers = routers
        self.queue = queue
        self.hub = hub
        self.rank_of = rank_of
        self.station = station
        self.costs = config.costs
        # A request may have so many tokens, as the last one needs no KV.
        room = config.pool_bytes - config.adapter_pool_bytes
        self.most_tokens = room // config.costs.kv_bytes_per_token + 1
        self.stalled_at = IDLE
        self.busy_before = 0  # nanoseconds of computing, up to the last idleness
        self.busy_since = IDLE
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

    # --- what the adapter store asks for (see `slots.Owner`) ----------------------

    def settle(self, now: int) -> None:
        raise NotImplementedError

    def ready(self, flights: list[Flight], now: int) -> None:
        raise NotImplementedError

    def replan(self, now: int) -> None:
        raise NotImplementedError

    # --- sequences ---------------------------------------------------------------

    def _admit(self, flight: Flight, weights: Weights, now: int) -> None:
        if flight.weights is None:
            flight.weights = weights
            flight.generation = weights.generation
            self.store.bind(weights, now)
        if flight.first_token < 0:
            flight.started = now
        if not weights.batch:
            self.num_adapters += 1
            self.adapter_ranks += weights.rank
        weights.batch += 1
        flight.admission = admission = self.num_admissions
        self.num_admissions = admission + 1
        self.running[admission] = flight
        request = flight.request
        if request.session is not None and flight.left:
            key = (request.session, request.key, weights.generation)
            cached = self.memory.prefixes.take(key)
            cached = min(cached, request.prefix_tokens, flight.target - 1)
            flight.cached_tokens = cached
            flight.left -= cached
            self.tallies[flight.router].prefill -= cached

    def _decode_from(self, flight: Flight, written: int) -> None:
        """From the next iteration on the sequence decodes; it has `written` tokens."""
        assert flight.weights is not None
        iteration = self.iteration
        flight.offset = offset = written - iteration
        end = iteration + flight.output_tokens - written
        heappush(self.ends, (end, flight.admission, flight))
        self.num_decoding += 1
        self.decode_ranks += flight.weights.rank
        tally = self.tallies[flight.router]
        tally.unwritten -= 1
        tally.decoding += 1
        tally.offsets += offset

    def _stop_decoding(self, flight: Flight, tokens: int) -> None:
        """The opposite, for a sequence whose KV has `tokens`."""
        assert flight.weights is not None
        self.num_decoding -= 1
        self.decode_ranks -= flight.weights.rank
        self.context -= tokens
        tally = self.tallies[flight.router]
        tally.decoding -= 1
        tally.offsets -= flight.offset

    def _finish_chunks(self, now: int) -> None:
        """What was prefilled in the iteration counts; finished prompts get a token."""
        unfinished = False
        for flight, chunk in self.chunks:
            flight.left -= chunk
            tally = self.tallies[flight.router]
            tally.prefill -= chunk
            if flight.left:
                unfinished = True
                continue
            written = flight.target - flight.request.prompt_tokens + 1
            if flight.first_token < 0:
                flight.first_token = now
            if written == flight.output_tokens:
                tally.unwritten -= 1
                self._finish(flight, flight.target, now)
            elif self.config.role == "prefill":
                tally.unwritten -= 1
                self._retire(flight, flight.target, now)
                flight.weights = None
                self.station.handed_on(flight, now)
            else:
                self._decode_from(flight, written)
                self.context += flight.target
        if unfinished or len(self.prefilling) > len(self.chunks):
            self.prefilling = [flight for flight in self.prefilling if flight.left]
        else:
            self.prefilling = []

    def _finish(self, flight: Flight, tokens: int, now: int) -> None:
        self._retire(flight, tokens, now)
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
        self._leave_batch(weights)
        weights.users -= 1
        if not weights.users:
            self.store.unused(weights, now)

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
        assert flight.weights is not None
        self._leave_batch(flight.weights)
        heappush(self.ready_heap, (self.front_place, flight))
        self.front_place -= 1

    def _leave_batch(self, weights: Weights) -> None:
        weights.batch -= 1
        if not weights.batch:
            self.num_adapters -= 1
            self.adapter_ranks -= weights.rank
            if self.aside:
                self._reconsider()

    def _make_room(self) -> None:
        """Room for one token more in every decoding sequence."""
        memory = self.memory
        while memory.free_tokens() < self.num_decoding:
            if not memory.reclaim(self.num_decoding * memory.token_bytes):
                self._preempt()

    def _reconsider(self) -> None:
        """Those that were passed over may have a chance now."""
        self.ready_heap += self.aside
        self.aside = []
        heapify(self.ready_heap)
