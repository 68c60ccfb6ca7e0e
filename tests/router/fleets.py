"""Small routers with instances that have reported what a test needs."""

from dataclasses import replace

from tensorfleet.router import AdapterKey, Request, Router, RouterConfig
from tests.router.beliefs import report

MODEL = "llama"
MILLISECOND = 1_000_000
SECOND = 1_000_000_000
# A prompt token costs a microsecond of work and an answer nothing, so that a request of
# n tokens is n microseconds.
COSTS = replace(RouterConfig().costs, prefill_ns_per_token=1000, decode_ns_per_token=0)


def key(adapter: str = "a") -> AdapterKey:
    return AdapterKey(adapter, MODEL)


def make_router(policy: str, names: str = "nopqr", seed: int = 0, **config) -> Router:
    """A router whose instances have joined and reported that they are idle."""
    settings = RouterConfig(policy=policy, costs=COSTS, **config)
    router = Router(settings, seed=seed)
    for name in names:
        router.join(name, 0, model=MODEL)
        router.observe(report(name, 0), 0)
    return router


class Requests:
    """Requests with numbers of their own."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, adapter: str = "a", tokens: int = 1000, **fields) -> Request:
        self.count += 1
        return Request(self.count, key(adapter), tokens, **fields)
