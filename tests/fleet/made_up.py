"""Flights written by hand, for tests of what is made of them."""

from tensorfleet.fleet.flights import Flight
from tensorfleet.router.messages import AdapterKey, Decision, Request

MS = 1_000_000


def flight(
    number=0,
    adapter="a",
    arrival=0,
    ttft=100,
    tpot=10,
    tokens=11,
    instance="gpu-0",
    status="served",
    wait=0,
    retries=0,
    steps=0,
    overflow=False,
    preemptions=0,
):
    """A request that has ended; times are milliseconds."""
    request = Request(number, AdapterKey(adapter, "m"), 100)
    made = Flight(request, arrival * MS, tokens)
    made.status = status
    made.instance = instance
    made.submitted = made.arrival
    made.cold, made.adapter_wait = wait > 0, wait * MS
    made.retries, made.steps, made.preemptions = retries, steps, preemptions
    made.decision = Decision(instance or None, (), steps, overflow, wait > 0, 0, "rule")
    if status == "served":
        made.first_token = made.arrival + ttft * MS
        made.end = made.first_token + tpot * MS * (tokens - 1)
    else:
        made.end = made.arrival
    return made
