"""Request traces from files, with adapters laid over them.

Three public formats are recognised by their content:

- Azure (AzurePublicDataset, LLM inference 2023): CSV with the columns TIMESTAMP,
  ContextTokens, GeneratedTokens.
- BurstGPT (arXiv 2401.17644): CSV with Timestamp (seconds), Request tokens, Response
  tokens, and others that are not read.
- Mooncake (arXiv 2407.00079): one JSON object a line with timestamp (milliseconds),
  input_length, output_length and hash_ids, one for each block of 512 tokens. An id
  stands for the block and all before it, so equal ids mean equal prefixes.

No public trace says which adapter was asked for. A seeded Zipf law is laid over: each
request, or each session where the trace has them, draws one adapter.

*Sessions* are found in Mooncake's ids: a request continues the earlier one whose last
whole block it repeats, unless that is the first block, which is a system prompt that
strangers share. Its prefix is every leading block that was seen before.

A line that cannot be read raises ValueError with file and line number, as do times that
go backwards. Blank lines are skipped, and so are requests that wrote no token (they
failed when the trace was taken), which are counted.

Does not handle: prefixes shared by strangers, compressed files, or files that do not
fit in memory.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

from tensorfleet.fleet.distributions import zipf
from tensorfleet.fleet.formats import BLOCK_TOKENS, Line, read_lines
from tensorfleet.fleet.popularity import adapter_keys
from tensorfleet.fleet.workloads import Arrival
from tensorfleet.router.messages import AdapterKey, Request

SECOND = 1_000_000_000


class Row(NamedTuple):
    """One request of a trace; `time` is ns since the first, `session` a number."""

    time: int
    prompt_tokens: int
    output_tokens: int
    session: int | None
    prefix_tokens: int


@dataclass(frozen=True, slots=True)
class Trace:
    """The requests of a file, in order of time; `skipped` wrote no token."""

    name: str
    rows: tuple[Row, ...]
    skipped: int = 0

    @property
    def rate(self) -> float:
        """Requests per second, from the first to the last."""
        return (len(self.rows) - 1) * SECOND / max(self.rows[-1].time, 1)


def load(path: str | Path) -> Trace:
    """Read a trace file; ValueError names the line that cannot be read."""
    rows: list[Row] = []
    skipped = 0
    first: int | None = None
    sessions = _Sessions()
    previous = None
    for line in read_lines(Path(path)):
        if previous is not None and line.time < previous:
            raise ValueError(
                f"{path}:{line.number}: the time goes back by "
                f"{(previous - line.time) / SECOND:g} s: requests must be in order"
            )
        previous = line.time
        if line.output_tokens == 0:
            skipped += 1
            continue
        first = line.time if first is None else first
        session, prefix = sessions.place(line)
        rows.append(
            Row(
                line.time - first,
                line.prompt_tokens,
                line.output_tokens,
                session,
                prefix,
            )
        )
    if not rows:
        raise ValueError(f"{path}: there is no request in it")
    return Trace(Path(path).name, tuple(rows), skipped)


class _Sessions:
    """Which session a request continues, and how much of its prompt was seen before."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.tips: dict[int, int] = {}  # a request's last whole block: its session
        self.started = 0

    def place(self, line: Line) -> tuple[int | None, int]:
        """(session, prefix tokens) of a request; no session without block ids."""
        if line.blocks is None:
            return None, 0
        depth = 0
        while depth < len(line.blocks) and line.blocks[depth] in self.seen:
            depth += 1
        session = self.tips.pop(line.blocks[depth - 1], None) if depth > 1 else None
        # At least one token of a prompt is always computed.
        prefix = min(depth * BLOCK_TOKENS, line.prompt_tokens - 1)
        if session is None:
            session, prefix = self.started, 0
            self.started += 1
        self.seen.update(line.blocks)
        whole = line.prompt_tokens // BLOCK_TOKENS
        if whole > 1:
            self.tips[line.blocks[whole - 1]] = session
        return session, prefix


@dataclass(frozen=True, slots=True)
class TraceWorkload:
    """The first `requests` of a trace as a workload, brought to `rate` per second.

    Times are stretched as a whole, so that bursts keep their shape. `adapters`, `model`
    and `zipf` are the law laid over.
    """

    trace: Trace
    rate: float
    requests: int
    adapters: int
    model: str = "llama-3.1-8b"
    zipf: float = 1.0

    def __post_init__(self) -> None:
        if not 1 <= self.requests <= len(self.trace.rows):
            raise ValueError(
                f"requests is {self.requests}: {self.trace.name} has "
                f"{len(self.trace.rows)}"
            )
        if not 1e-3 <= self.rate <= 1e7:
            raise ValueError(
                f"rate is {self.rate}: it must be from 0.001 to 10 million"
            )
        if self.rows[-1].time == 0 and self.requests > 1:
            raise ValueError(
                f"the requests of {self.trace.name} have all the same time"
            )
        if self.adapters < 1:
            raise ValueError(f"adapters is {self.adapters}: it must be 1 or more")
        if not 0 <= self.zipf <= 10:
            raise ValueError(f"zipf is {self.zipf}: it must be from 0 to 10")

    @property
    def rows(self) -> tuple[Row, ...]:
        """The requests that are replayed."""
        return self.trace.rows[: self.requests]

    @property
    def duration_ns(self) -> int:
        """The time of the last arrival."""
        return round((self.requests - 1) / self.rate * SECOND)

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """All arrivals in order of time; the seed decides on the adapters alone."""
        keys = adapter_keys(self.adapters, self.model)
        law, bits = zipf(self.adapters, self.zipf), Random(f"trace {seed}").getrandbits
        span, duration = self.rows[-1].time, self.duration_ns
        chosen: dict[int, AdapterKey] = {}
        rows = islice(self.trace.rows, self.requests)
        for number, (time, prompt, output, session, prefix) in enumerate(rows):
            name = None
            if session is None:
                key = keys[law.draw(bits)]
            else:
                if session not in chosen:
                    chosen[session] = keys[law.draw(bits)]
                key, name = chosen[session], f"s{session}"
            moved = time * duration // span if span else 0
            yield moved, Request(number, key, prompt, name, prefix), output
