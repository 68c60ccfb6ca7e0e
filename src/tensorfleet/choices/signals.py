"""What should a router look at? Signals of servers that batch continuously, compared.

The servers are those of `server`. Every arrival looks at two of them, and the lower
signal wins:

    random     nothing: the first of the two.
    notes      alpha·queue_len + beta·gpu_util. Requests hardly ever wait, since they
               join at the next step until the batch is full; and the utilisation, the
               share of a sample period in which some kernel ran, is 1 as soon as a
               single sequence runs. At an idle server nothing waits, so every positive
               alpha and beta give the same order, and there is nothing to tune.
    requests   running and waiting requests: grows from the first request on, but
               takes a prompt of 50 tokens and one of 50,000 for the same.
    work       outstanding work in milliseconds: the prompts that are still to be read,
               and for each request the decode time that it adds to its batch, at the
               mean output length. All of it is known to a router that counts what it
               sends and hears of first tokens and ends.
    foresight  the same with the true number of tokens to come, which no router knows.

Does not handle: stale signals (see `queues`), outputs whose length the prompt betrays,
sample periods of the utilisation (here it is 1 while a sequence runs, else 0).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from random import Random

from tensorfleet.choices.reference import notes_score, pair
from tensorfleet.choices.server import (
    MAX_RUNNING,
    PROMPT_TIME,
    SEQUENCE_TIME,
    WEIGHTS_TIME,
    Request,
    Server,
)

MILLISECOND = 1_000_000  # nanoseconds
# Token counts are lognormal: (mean, sigma of the logarithm).
PROMPT_TOKENS = (2000, 1.2)
OUTPUT_TOKENS = (200, 1.0)


def notes(server: Server) -> float:
    return notes_score(len(server.waiting), float(server.num_running > 0), 1.0, 1.0)


def requests(server: Server) -> float:
    return server.num_running + len(server.waiting)


def work(server: Server) -> float:
    """Milliseconds."""
    decode = SEQUENCE_TIME * OUTPUT_TOKENS[0] * requests(server)
    return (PROMPT_TIME * server.unread + decode) / MILLISECOND


def foresight(server: Server) -> float:
    """Milliseconds."""
    decode = SEQUENCE_TIME * server.unwritten
    return (PROMPT_TIME * server.unread + decode) / MILLISECOND


SIGNALS: dict[str, Callable[[Server], float]] = {
    "random": lambda server: 0.0,
    "notes": notes,
    "requests": requests,
    "work": work,
    "foresight": foresight,
}


@dataclass(frozen=True)
class Outcome:
    """All requests in order of arrival, and the share of choices that were ties."""

    requests: list[Request]
    tied: float

    def first_token_ms(self) -> list[float]:
        """Time to first token (TTFT) of each request, sorted, in milliseconds."""
        return sorted((r.first_token - r.arrival) / MILLISECOND for r in self.requests)

    def end_to_end_ms(self) -> list[float]:
        """Time to the last token of each request, sorted, in milliseconds."""
        return sorted((r.finished - r.arrival) / MILLISECOND for r in self.requests)


def simulate(
    signal: str, load: float, num_requests: int, seed: int, num_servers: int = 20
) -> Outcome:
    """Send requests through empty servers, each to the better of two by `signal`.

    `load` is the arrival rate over what full batches can serve, between 0 and 1. The
    requests depend on seed, load and number of servers alone, and so do the pairs that
    are looked at: signals are compared on the same. Raises ValueError for an unknown
    signal, a load out of range or fewer than two servers.
    """
    if signal not in SIGNALS:
        raise ValueError(f"signal is {signal!r}: there are {', '.join(SIGNALS)}")
    if not 0 < load < 1:
        raise ValueError(f"load is {load}: it must be between 0 and 1")
    score, random, tied = SIGNALS[signal], Random(seed + 1), 0
    servers = [Server() for _ in range(num_servers)]
    sent = workload(load, num_requests, num_servers, Random(seed))
    for request in sent:
        first, second = (servers[index] for index in pair(num_servers, random))
        first.advance(request.arrival)
        second.advance(request.arrival)
        one, other = score(first), score(second)
        tied += one == other
        (second if other < one else first).submit(request)
    for server in servers:
        server.finish()
    return Outcome(sent, tied / max(num_requests, 1))


def workload(
    load: float, num_requests: int, num_servers: int, random: Random
) -> list[Request]:
    """Poisson arrivals with lognormal prompts and outputs."""
    mean_prompt, mean_output = PROMPT_TOKENS[0], OUTPUT_TOKENS[0]
    # What a request takes of a server whose batch is full: its share of every step.
    cost = PROMPT_TIME * mean_prompt + mean_output * (
        SEQUENCE_TIME + WEIGHTS_TIME / MAX_RUNNING
    )
    now, made = 0, []
    for _ in range(num_requests):
        now += round(random.expovariate(num_servers * load / cost))
        made.append(
            Request(now, tokens(*PROMPT_TOKENS, random), tokens(*OUTPUT_TOKENS, random))
        )
    return made


def tokens(mean: float, sigma: float, random: Random) -> int:
    """A lognormal number of tokens, at least 1."""
    return max(1, round(random.lognormvariate(log(mean) - sigma**2 / 2, sigma)))
