"""One plain instance on a bench: requests go in, each iteration is written down.

    submit → an instance, without routers and other instances → what each request got

The instance is that of `reference_instance`, which steps through every iteration; the
bench looks at the one under way after each event, and changes nothing. What it writes
down of the past is bounded, so that it can run for hours.

Does not handle: the fast instance, which does not step through iterations, and
instances that fail.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from tensorfleet.fleet.config import HubConfig, InstanceConfig
from tensorfleet.fleet.events import LAST, EventQueue
from tensorfleet.fleet.flights import Flight, Status
from tensorfleet.fleet.hub import Hub
from tensorfleet.fleet.reference import NEVER
from tensorfleet.fleet.reference_instance import ReferenceInstance
from tensorfleet.router.messages import AdapterKey, Request

KEPT = 160  # iterations, of which the past is known


def past() -> deque[tuple[int, ...]]:
    """An empty record of the last iterations."""
    return deque(maxlen=KEPT)


@dataclass(slots=True, eq=False)
class Entry:
    """What one request got; times in nanoseconds, of which some may be still to come.

    - `tokens`: (end of an iteration that gave it a token, time since its last token);
      the first token has no last one before it, and 0;
    - `chunks`: (begin, end, tokens) of iterations that read of its prompt;
    - `written`: its tokens, counting that of the iteration under way;
    - `stall`: the longest time between two tokens of any other request, in iterations
      that began after this one came and before it had its first token.
    """

    flight: Flight
    tokens: deque[tuple[int, ...]] = field(default_factory=past)
    chunks: deque[tuple[int, ...]] = field(default_factory=past)
    written: int = 0
    stall: int = 0


class Bench:
    """The instance at the time `now`, and the requests that have not ended.

    `ended` is called with each entry whose request has been served or refused, when
    that is known. `gaps` has, for each iteration that gave tokens to requests that had
    some, its end and the longest time since their last; `written`, for each iteration
    that gave any, its end and their number. `begin`, `end` and `computed` are those of
    the iteration under way, or of the last one: when it began and ends, and its tokens.
    """

    def __init__(
        self,
        config: InstanceConfig,
        hub: HubConfig,
        rank_of: Callable[[AdapterKey], int],
        ended: Callable[[Entry, int], object],
    ) -> None:
        self.now = 0
        self.queue = EventQueue()
        self.entries: dict[int, Entry] = {}
        self.gaps = past()
        self.written = past()
        self.begin = self.end = NEVER
        self.computed = 0
        self._ended = ended
        self.instance = ReferenceInstance(
            config, 0, ["bench"], self.queue, Hub(hub), rank_of, self
        )

    def submit(self, request: Request, output_tokens: int) -> Entry:
        """A request comes now. Its id must be that of no other under way."""
        flight = Flight(request, self.now, output_tokens)
        entry = self.entries[request.id] = Entry(flight)
        self.instance.submit(flight, self.now)
        self._note()
        return entry

    def unload(self, key: AdapterKey) -> None:
        """Let an adapter go when nothing uses it."""
        self.instance.unload(key, self.now)
        self._note()

    def later(self, time: int, function: Callable[[], object]) -> None:
        """Call `function` at `time`."""
        self.queue.push(time, lambda now: function())

    def set_token_budget(self, tokens: int) -> None:
        """From the next iteration on, one has at most so many tokens."""
        config = replace(self.instance.config, token_budget=tokens)
        self.instance.config = config

    def advance(self, until: int) -> None:
        """Up to and including time `until`."""
        heap = self.queue.heap
        while heap and heap[0][0] <= until:
            self.now, order, *event = self.queue.pop()
            if order >= LAST:
                self.instance.boundary(self.now)
            else:
                event[0](self.now, *event[1:])
            self._note()
        self.now = until

    # --- what the instance reports -------------------------------------------------

    def ended(self, flight: Flight, now: int) -> None:
        self._end(flight, now, "served")

    def refused(self, flight: Flight, now: int, reason: str) -> None:
        flight.reason = reason
        self._end(flight, now, "failed")

    def handed_on(self, flight: Flight, now: int) -> None:
        raise ValueError("a prefill instance has nobody on a bench to send the KV to")

    def _end(self, flight: Flight, now: int, status: Status) -> None:
        flight.status, flight.end = status, now
        flight.weights = flight.adapter = None
        self._ended(self.entries.pop(flight.request.id), now)

    # --- writing down --------------------------------------------------------------

    def _note(self) -> None:
        """If an iteration has begun with the last event, write down what it does."""
        plain = self.instance
        if plain.boundary_at in (self.end, NEVER):
            return
        self.begin, self.end = self.now, plain.boundary_at
        self.computed = written = len(plain.decoding)
        longest = 0
        for passenger in plain.decoding:
            entry = self.entries[passenger.flight.request.id]
            longest = max(longest, self._token(entry))
        for passenger, tokens in plain.chunks:
            self.computed += tokens
            entry = self.entries[passenger.flight.request.id]
            entry.chunks.append((self.now, self.end, tokens))
            if passenger.cached + tokens == passenger.target:
                longest = max(longest, self._token(entry))
                written += 1
        if longest:
            self.gaps.append((self.end, longest))
        if written:
            self.written.append((self.end, written))
        for entry in self.entries.values():
            if entry.flight.first_token < 0:
                entry.stall = max(entry.stall, longest)

    def _token(self, entry: Entry) -> int:
        """One more token at the end of the iteration; returns the time since its last.

        That is 0 for the first.
        """
        gap = self.end - entry.tokens[-1][0] if entry.tokens else 0
        entry.tokens.append((self.end, gap))
        entry.written += 1
        return gap
