"""One server that batches continuously, small enough to see what its signals say.

All running sequences decode together, a token each a step. Between two steps finished
ones leave, and those that wait join, in order of arrival, until `MAX_RUNNING` are
running. Who joins has its whole prompt read in that step, and its first token at its
end. A step with n sequences, of which some join with p prompt tokens together, takes

    WEIGHTS_TIME + SEQUENCE_TIME * n + PROMPT_TIME * p

since the weights are read once for all, each sequence's cache once, and each prompt
token is computed once. Between two changes of the batch all steps are alike, so a
stretch of them is one multiplication of integers, and exact.

Does not handle: prompts read in chunks, KV memory and preemption, prefix caches,
adapters, context lengths (a long context makes its sequence's share larger). The
simulator of the fleet chapter does.
"""

from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush

# Nanoseconds. The first two are vllm-project/semantic-router's for a 70-billion
# parameter model on eight H100 with contexts of 8,192 tokens
# (src/fleet-sim/fleet_sim/gpu_profiles/profiles.py: W and H).
WEIGHTS_TIME = 4_000_000  # a step
SEQUENCE_TIME = 320_000  # a step and sequence
# 2 operations a parameter and token, 70e9 parameters, on eight H100 at half of their
# 989e12 operations a second: 35.4 microseconds.
PROMPT_TIME = 35_400  # a prompt token
MAX_RUNNING = 64


@dataclass
class Request:
    """A request: tokens to read and to write, and moments in ns, -1 until they come."""

    arrival: int
    prompt: int
    output: int
    first_token: int = -1
    finished: int = -1


class Server:
    """Running sequences, waiting requests, and a clock.

    The state is that of the last moment advanced to: `advance` before you look.
    """

    def __init__(self) -> None:
        self.waiting: deque[Request] = deque()
        self.unread = 0  # prompt tokens not yet read, of waiting and joining requests
        self.unwritten = 0  # output tokens to come, of waiting and running requests
        self._running: list[tuple[int, int, Request]] = []  # (last step, number, it)
        self._joining: list[Request] = []  # those that joined for the step in progress
        self._clock = 0  # when the step in progress began
        self._steps = 0  # steps completed
        self._submitted = 0

    @property
    def num_running(self) -> int:
        return len(self._running)

    def submit(self, request: Request) -> None:
        """Take a request at its arrival, to which the server was advanced before.

        It joins after the step in progress, or at once where there is none. Raises
        ValueError for a request without prompt or output.
        """
        if request.prompt < 1 or request.output < 1:
            raise ValueError(f"{request} needs a prompt and an output of 1 or more")
        self.waiting.append(request)
        self.unread += request.prompt
        self.unwritten += request.output
        if not self._running:
            self._clock = request.arrival
            self._admit()

    def advance(self, now: int) -> None:
        """Complete every step that ends by `now`."""
        while self._running:
            within = (now - self._clock) // self._step_time()
            if within <= 0:
                return
            self._complete(min(self._equal_steps(), within))

    def finish(self) -> None:
        """Complete every step until nothing is left to do."""
        while self._running:
            self._complete(self._equal_steps())

    def _complete(self, steps: int) -> None:
        self._clock += steps * self._step_time()
        self._steps += steps
        self.unwritten -= steps * len(self._running)
        for request in self._joining:
            request.first_token = self._clock
            self.unread -= request.prompt
        self._joining.clear()
        while self._running and self._running[0][0] == self._steps:
            heappop(self._running)[2].finished = self._clock
        self._admit()

    def _step_time(self) -> int:
        prompts = sum(request.prompt for request in self._joining)
        return WEIGHTS_TIME + SEQUENCE_TIME * len(self._running) + PROMPT_TIME * prompts

    def _equal_steps(self) -> int:
        """Steps until the batch may change: one where a prompt is read or can be."""
        if self._joining or (self.waiting and len(self._running) < MAX_RUNNING):
            return 1
        return self._running[0][0] - self._steps

    def _admit(self) -> None:
        while self.waiting and len(self._running) < MAX_RUNNING:
            request = self.waiting.popleft()
            self._joining.append(request)
            self._submitted += 1
            last_step = self._steps + request.output
            heappush(self._running, (last_step, self._submitted, request))
