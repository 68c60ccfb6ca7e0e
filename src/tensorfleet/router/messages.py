"""What goes into a router and what comes out: requests, reports, decisions, actions.

Times are integer nanoseconds on a clock that the caller keeps. Work is integer
nanoseconds of an instance's time. Nothing here knows who carries the messages.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class AdapterKey(NamedTuple):
    """What a ring is asked for: a LoRA adapter means something only on its base model.

    The adapter's revision is not part of it, since a new revision must not move the
    adapter to other instances. It belongs into the key of a KV cache.
    """

    adapter: str
    model: str

    def __str__(self) -> str:
        return f"{self.adapter} on {self.model}"


@dataclass(slots=True)
class Request:
    """One request as a router sees it: how much it will write, nobody knows yet.

    `prefix_tokens` of the prompt repeat what `session` sent before; where its KV is
    still cached they cost nothing. `stage` is "prefill" for a new request and "decode"
    for one whose KV moves from a prefill instance to a decode instance. A client that
    insists on a revision names it.
    """

    id: int
    key: AdapterKey
    prompt_tokens: int
    session: str | None = None
    prefix_tokens: int = 0
    revision: str | None = None
    stage: str = "prefill"


@dataclass(frozen=True, slots=True)
class Revision:
    """The content of an adapter at one time.

    The hub numbers what it publishes: a rollback brings an old hash back under a newer
    generation, so that newest always means the largest generation.
    """

    hash: str
    generation: int


@dataclass(frozen=True, slots=True)
class Report:
    """What an instance says of itself.

    `incarnation` grows when it restarts, `time` within an incarnation, so that lost,
    doubled and late reports do no harm. `work_ns` is the work left in everything it
    has accepted, `work_by_router` the same by the router that sent it. `gpu_util` is
    the share of the last period in which some kernel ran, `kv_used` the share of KV
    memory in use. `resident` names the generation that new requests of each adapter on
    the GPU are served with; an adapter that is still loading is in `loading`.
    `free_slots` counts adapter slots that are empty or hold an adapter that nothing
    uses, so that another can be loaded without waiting for one to end.
    """

    instance: str
    incarnation: int
    time: int
    waiting: int
    running: int
    work_ns: int
    work_by_router: Mapping[str, int]
    gpu_util: float
    kv_used: float
    resident: Mapping[AdapterKey, int]
    loading: Mapping[AdapterKey, int]
    free_slots: int


class Decision(NamedTuple):
    """Where a request goes, and why.

    `instance` is None when the request is shed. `considered` are the replicas compared,
    `steps` the full ones that were passed over, `overflow` says that it goes there full
    or not, `cold` that the adapter must be loaded first.
    `predicted_wait_ns` is the work ahead of the request, `rule` the name of what
    decided; `why` says it in words.
    """

    instance: str | None
    considered: tuple[str, ...]
    steps: int
    overflow: bool
    cold: bool
    predicted_wait_ns: int
    rule: str

    @property
    def why(self) -> str:
        """The decision as a sentence."""
        wait = f"{self.predicted_wait_ns / 1e6:.1f} ms"
        if self.instance is None:
            return f"shed: {self.rule}"
        parts = [f"{self.instance} by {self.rule}, {wait} of work ahead"]
        if len(self.considered) > 1:
            parts.append(f"compared {', '.join(self.considered)}")
        if self.steps:
            parts.append(f"passed over {self.steps} full")
        if self.overflow:
            parts.append("it goes there, full or not")
        if self.cold:
            parts.append("the adapter must be loaded first")
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Ask an instance to load an adapter before requests for it arrive."""

    instance: str
    key: AdapterKey
    generation: int


@dataclass(frozen=True, slots=True)
class Unload:
    """Ask an instance to drop an adapter once nothing waits for it there."""

    instance: str
    key: AdapterKey


@dataclass(frozen=True, slots=True)
class Push:
    """Ask a holder to load a newer revision beside the old and then to swap.

    It swaps when nothing waits for the adapter, at `deadline` at the latest.
    """

    instance: str
    key: AdapterKey
    revision: Revision
    deadline: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Hand the replica table to the routers that do not lead."""

    table: Mapping[AdapterKey, tuple[str, ...]] = field(hash=False)


Action = Prefetch | Unload | Push | Publish
