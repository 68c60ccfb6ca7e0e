"""What the simulation asks of a router, and what happens to a request on the way."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from tensorfleet.router.messages import (
    Action,
    AdapterKey,
    Decision,
    Report,
    Request,
    Revision,
)


class RouterLike(Protocol):
    """What the simulation asks of a router. Times are integer nanoseconds.

    Each call of `route` that names an instance is followed by exactly one `finish`, or
    by one `retry`, which ends the attempt that failed and begins another when it
    returns a decision with an instance. `finish` says with `ok` whether the instance
    did its part: a request that no instance could serve ends with `ok` and no tokens.
    A request that moves to a decode instance is finished in its prefill stage, without
    output tokens, and routed again as a request of stage "decode" with the same id.
    """

    @property
    def name(self) -> str: ...
    def route(self, request: Request, now: int) -> Decision: ...
    def finish(
        self, request: Request, now: int, *, ok: bool = True, output_tokens: int = 0
    ) -> None: ...
    def retry(
        self, request: Request, now: int, *, tokens_sent: int
    ) -> Decision | None: ...
    def observe(self, report: Report, now: int) -> object: ...
    def step(self, now: int) -> Sequence[Action]: ...
    def join(
        self, instance: str, now: int, *, model: str, weight: float, role: str
    ) -> None: ...
    def leave(self, instance: str, now: int) -> None: ...
    def publish(self, key: AdapterKey, revision: Revision, now: int) -> None: ...
    def adopt(
        self, replicas: Mapping[AdapterKey, tuple[str, ...]], now: int
    ) -> None: ...
