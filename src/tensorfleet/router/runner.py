"""Drives a router in real time: a lock, a clock, and two threads in the background.

`Runner` is what several request threads share. It adds the two things that a router
leaves to others: the time of each call, and a lock around it, so that calls from any
number of threads follow one another. The lock is held while the router computes, never
while something waits: the hub is read, and actions are carried out, outside of it.

    scaling    every `step_period_ns`: step the router, carry out its actions
    revisions  every `hub_period_ns`: read the hub, publish what it has to the router

So replicas follow demand and holders follow the hub, as the notes' two threads do. The
pushes to holders come out of the step, as all actions do.

An exception in a thread, also one from `read_hub` or `execute`, ends both threads:
requests are still routed, but replicas and revisions stand still. `healthy` says so at
once, and `stop` raises it. What may fail in daily operation, a hub or an instance that
does not answer, is therefore to be caught in `read_hub` and `execute`. The loops ask
again for what was not done.

Does not handle: instances with clocks of their own. The `time` of a report must be on
the runner's clock.
"""

import threading
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

from tensorfleet.router.config import SECOND
from tensorfleet.router.messages import (
    Action,
    AdapterKey,
    Decision,
    Report,
    Request,
    Revision,
)
from tensorfleet.router.router import Router


class Runner:
    """Runs `router` between `start` and `stop`, or in a `with` statement.

    `execute` carries out an action, `read_hub` returns the hub's newest revision of
    each adapter, or of those that changed. `clock` tells the time in nanoseconds and
    must never go back. Periods are in nanoseconds; ValueError if one is below 1.
    """

    def __init__(
        self,
        router: Router,
        execute: Callable[[Action], None],
        read_hub: Callable[[], Iterable[tuple[AdapterKey, Revision]]],
        *,
        step_period_ns: int = SECOND,
        hub_period_ns: int = 5 * SECOND,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        for name, period in (("step", step_period_ns), ("hub", hub_period_ns)):
            if period < 1:
                raise ValueError(f"{name}_period_ns is {period}: it must be 1 or more")
        self.router = router
        self.execute = execute
        self.read_hub = read_hub
        self.clock = clock
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._repeat, args=loop, daemon=True)
            for loop in ((self._scale, step_period_ns), (self._revise, hub_period_ns))
        ]

    # --- requests and reports, from any thread -----------------------------------

    def route(self, request: Request) -> Decision:
        with self._lock:
            return self.router.route(request, self.clock())

    def finish(
        self, request: Request, *, ok: bool = True, output_tokens: int = 0
    ) -> None:
        with self._lock:
            self.router.finish(
                request, self.clock(), ok=ok, output_tokens=output_tokens
            )

    def retry(self, request: Request, *, tokens_sent: int = 0) -> Decision | None:
        with self._lock:
            return self.router.retry(request, self.clock(), tokens_sent=tokens_sent)

    def observe(self, report: Report) -> None:
        with self._lock:
            self.router.observe(report, self.clock())

    def join(
        self, instance: str, *, model: str, weight: float = 1.0, role: str = "both"
    ) -> None:
        with self._lock:
            self.router.join(
                instance, self.clock(), model=model, weight=weight, role=role
            )

    def leave(self, instance: str) -> None:
        with self._lock:
            self.router.leave(instance, self.clock())

    # --- the threads -------------------------------------------------------------

    @property
    def healthy(self) -> bool:
        """Whether both threads run."""
        return all(thread.is_alive() for thread in self._threads) and not self._failure

    def start(self) -> None:
        """Start the threads. Raises RuntimeError if they were started before."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the threads, wait for them, and raise what went wrong in them, if any.

        May be called again, and before `start`.
        """
        self._join()
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.stop()
        else:  # what went wrong inside the with statement comes first
            self._join()

    def _join(self) -> None:
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()

    def _repeat(self, once: Callable[[], None], period_ns: int) -> None:
        try:
            while not self._stopping.is_set():
                once()
                self._stopping.wait(period_ns / SECOND)
        except BaseException as failure:
            self._failure = self._failure or failure
            self._stopping.set()

    def _scale(self) -> None:
        with self._lock:
            actions = self.router.step(self.clock())
        for action in actions:
            self.execute(action)

    def _revise(self) -> None:
        revisions = list(self.read_hub())
        with self._lock:
            now = self.clock()
            for key, revision in revisions:
                self.router.publish(key, revision, now)
