"""Conversations: requests whose prompt repeats all that was said before.

Turn k sends the whole conversation so far (the prompts and the answers of turns
1 … k - 1, which is its prefix) and a few new tokens. Where the prefix's KV is still
cached, only the new tokens are computed. A conversation keeps its adapter.

The number of turns is geometric: after each turn there is another with chance
1 - 1/mean. The next turn is sent when the answer would have been read out at
`token_ns` a token and the think time has passed; it does not wait for the simulated
answer, so that every policy meets the same arrivals (an open loop).

At time 0 conversations are under way, as many as there are on average, each so old as
a conversation met at random is (geometric turns have no memory). Where a pause stands
at time 0 is approximate: all of its thought is left, and an even share of its reading.

Does not handle: openings shared between conversations, edited turns, or several
branches of one conversation.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random

from tensorfleet.fleet.distributions import Table, exponential
from tensorfleet.router.messages import AdapterKey, Request

SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Sessions:
    """Conversations of `turns` turns on average, with `think_ns` of thought between.

    A conversation ends before it would hold more than `context` tokens. `token_ns` is
    the time in which one token of an answer is read.
    """

    turns: float = 5.0
    think_ns: int = 10 * SECOND
    token_ns: int = 20_000_000
    context: int = 8192

    def __post_init__(self) -> None:
        if not 1 <= self.turns <= 1000:
            raise ValueError(f"turns is {self.turns}: it must be from 1 to 1000")
        if self.think_ns < 1 or self.token_ns < 0:
            raise ValueError(
                f"think_ns is {self.think_ns} and token_ns is {self.token_ns}: the "
                "first must be 1 or more, the second 0 or more"
            )
        if self.context < 2:
            raise ValueError(f"context is {self.context}: it must be 2 or more")


def converse(
    starts: Iterable[tuple[int, AdapterKey]],
    under_way: Iterable[AdapterKey],
    sessions: Sessions,
    prompts: Table,
    follow_ups: Table,
    outputs: Table,
    random: Random,
) -> Iterator[tuple[int, Request, int]]:
    """Arrivals of all turns, sorted, of the conversations that begin at `starts`.

    `under_way` are the adapters of those that began before time 0. The first turn's new
    tokens are drawn from `prompts`, the others' from `follow_ups`, the answers' from
    `outputs`.
    """
    talk = _Talk(sessions, prompts, follow_ups, outputs, random)
    numbers = count()
    for key in under_way:
        talk.resume(next(numbers), key)
    due = talk.due
    for start, key in starts:
        while due and due[0][0] <= start:
            yield talk.turn(*heappop(due))
        yield talk.turn(start, next(numbers), key, 0)
    while due:
        yield talk.turn(*heappop(due))


class _Talk:
    """The conversations that have another turn before them."""

    def __init__(
        self,
        sessions: Sessions,
        prompts: Table,
        follow_ups: Table,
        outputs: Table,
        random: Random,
    ) -> None:
        self.sessions = sessions
        self.prompts, self.follow_ups, self.outputs = prompts, follow_ups, outputs
        self.thoughts = exponential(sessions.think_ns)
        self.bits = random.getrandbits
        self.goes_on = round((1 - 1 / sessions.turns) * (1 << 30))
        self.next_id = 0
        # (time, number, key, prefix): numbers are distinct, so that of two turns at one
        # time that of the older conversation comes first.
        self.due: list[tuple[int, int, AdapterKey, int]] = []

    def turn(
        self, time: int, number: int, key: AdapterKey, prefix: int
    ) -> tuple[int, Request, int]:
        """A turn is sent; the next, if there is one, becomes due."""
        length, output = self._lengths(prefix)
        request = Request(self.next_id, key, prefix + length, f"s{number}", prefix)
        self.next_id += 1
        said = prefix + length + output
        if self._goes_on(said):
            pause = output * self.sessions.token_ns + self.thoughts.draw(self.bits)
            heappush(self.due, (time + pause, number, key, said))
        return time, request, output

    def resume(self, number: int, key: AdapterKey) -> None:
        """A conversation is in a pause at time 0, after a geometric number of turns."""
        said = output = 0
        while not said or self._goes_on(said):
            length, output = self._lengths(said)
            said += length + output
        if said + 2 <= self.sessions.context:
            reading = output * self.sessions.token_ns * self.bits(10) >> 10
            pause = reading + self.thoughts.draw(self.bits)
            heappush(self.due, (pause, number, key, said))

    def _lengths(self, prefix: int) -> tuple[int, int]:
        """New tokens and answer of a turn, within what the context leaves."""
        table = self.follow_ups if prefix else self.prompts
        room = self.sessions.context - prefix
        length = min(table.draw(self.bits), room - 1)
        return length, min(self.outputs.draw(self.bits), room - length)

    def _goes_on(self, said: int) -> bool:
        """Whether there is another turn: it needs room for a token of each kind."""
        return self.bits(30) < self.goes_on and said + 2 <= self.sessions.context
