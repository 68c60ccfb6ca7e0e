"""The fast instance against the plain one, and timelines worked out by hand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fleet.fleets import random_run

RECORD = (
    "status",
    "reason",
    "first_token",
    "end",
    "instance",
    "cold",
    "adapter_wait",
    "generation",
    "retries",
    "preemptions",
    "cached_tokens",
    "written",
)


def record(flight):
    return (flight.request.id, *(getattr(flight, name) for name in RECORD))


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 60))
def test_fast_and_reference_agree(seed, count):
    """On every request's record, and on all that the routers are told on the way."""
    build = random_run(seed, count)
    fast, plain = build(reference=False), build(reference=True)
    fast.run()
    plain.run()
    for one, other in zip(fast.flights, plain.flights, strict=True):
        assert record(one) == record(other)
    for one, other in zip(fast.routers, plain.routers, strict=True):
        assert one.diary == other.diary
    assert fast.now == plain.now
    for name in fast.instances:
        assert fast.busy_ns(name) == plain.busy_ns(name)
