"""Who is on the instance of the explorable: conversations, and newcomers among them.

Each has a lane of its own. In a conversation's lane a prompt follows a while after the
answer to the one before. A newcomer comes once, when it is sent, to the lane that has
been free for longest.
"""

from collections import deque
from dataclasses import dataclass, field
from functools import partial
from random import Random

from tensorfleet.fleet.config import HubConfig, InstanceConfig
from tensorfleet.fleet.instance_bench import Bench, Entry
from tensorfleet.fleet.machines import MILLISECOND
from tensorfleet.router.messages import AdapterKey, Request

LETTERS = "ABCDEFGH"  # a lane each for conversations
NEWCOMERS = 4  # lanes for them
WHOLE = 1 << 17  # tokens: a budget beyond all prompts together
RANK = 32  # of every adapter
PAUSE = 25 * MILLISECOND  # between an answer and the next prompt of a conversation
PROMPT = 200  # tokens of a conversation's prompt
SHORTEST, LONGEST = 60, 180  # tokens of an answer in a conversation
ANSWER = 40  # tokens of the answer to a newcomer
PROMPTS = {"long": 16_000, "short": 500, "cold": 500}  # tokens, by kind of newcomer
HISTORY = 8  # requests that a lane remembers


@dataclass(slots=True, eq=False)
class Lane:
    """A row: its name, whether it is taken, and its requests, the last one last."""

    name: str
    is_taken: bool = False
    freed: int = 0
    entries: deque[Entry] = field(default_factory=lambda: deque(maxlen=HISTORY))


@dataclass(slots=True, eq=False)
class Newcomer:
    """One that was sent: its kind, and under which budget (0: whole prompts)."""

    kind: str
    budget: int
    entry: Entry


class Lanes:
    """The lanes over a bench; `wanted` conversations go on, others end."""

    def __init__(self, config: InstanceConfig, hub: HubConfig, seed: int) -> None:
        self.bench = Bench(config, hub, lambda key: RANK, self._ended)
        self.model = config.model
        self.random = Random(seed)
        self.conversations = [Lane(letter) for letter in LETTERS]
        self.newcomers = [Lane("") for _ in range(NEWCOMERS)]
        self.wanted = 0
        self.num_requests = 0
        self._lanes: dict[int, Lane] = {}  # by request

    def set_wanted(self, conversations: int) -> None:
        """So many conversations from now on; those beyond end with their answer."""
        self.wanted = conversations
        for lane in self.conversations[:conversations]:
            if not lane.is_taken:
                self._go_on(lane)

    def send(self, kind: str) -> Entry | None:
        """A newcomer comes now; returns None when all lanes are taken."""
        free = [lane for lane in self.newcomers if not lane.is_taken]
        if not free:
            return None
        lane = min(free, key=lambda lane: lane.freed)
        lane.name = kind
        adapter = "hot"
        if kind == "cold":
            adapter = f"cold {self.newcomers.index(lane)}"
        return self._submit(lane, adapter, PROMPTS[kind], ANSWER)

    def _go_on(self, lane: Lane) -> None:
        """The next prompt of a conversation, if it is still wanted."""
        lane.is_taken = self.conversations.index(lane) < self.wanted
        if lane.is_taken:
            answer = self.random.randrange(SHORTEST, LONGEST)
            self._submit(lane, "hot", PROMPT, answer)

    def _submit(self, lane: Lane, adapter: str, prompt: int, answer: int) -> Entry:
        number = self.num_requests
        self.num_requests += 1
        lane.is_taken = True
        self._lanes[number] = lane
        key = AdapterKey(adapter, self.model)
        entry = self.bench.submit(Request(number, key, prompt), answer)
        lane.entries.append(entry)
        return entry

    def _ended(self, entry: Entry, now: int) -> None:
        request = entry.flight.request
        lane = self._lanes.pop(request.id)
        lane.freed = now
        if lane in self.conversations:
            self.bench.later(now + PAUSE, partial(self._go_on, lane))
            return
        lane.is_taken = False
        if request.key.adapter != "hot":
            self.bench.later(now, partial(self.bench.unload, request.key))
