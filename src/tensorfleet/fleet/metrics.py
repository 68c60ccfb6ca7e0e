"""What a run was like for those who sent requests, and for those who pay for it.

Of each request three times are kept: arrival, first token, last token.

- TTFT, time to first token: first token - arrival;
- TPOT, time per output token: (last - first token) / (tokens - 1), of requests that
  wrote two tokens or more;
- end-to-end: last token - arrival.

Percentiles are by nearest rank: p99 of n values is the ⌈0.99·n⌉-th smallest, a value
that did occur. They are of served requests; failed and shed ones have no times, and
count against goodput instead.

*Goodput* counts the requests that were served within both limits of the SLO. One whose
single token came in time meets the limit on TPOT.

Does not handle: limits on the longest pause between two tokens, and fairness.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tensorfleet.fleet.flights import Flight
from tensorfleet.router.messages import AdapterKey

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
NOTICED_NS = 1000


@dataclass(frozen=True, slots=True)
class SLO:
    """Limits on TTFT and TPOT, in nanoseconds."""

    ttft_ns: int
    tpot_ns: int

    def __post_init__(self) -> None:
        for name in ("ttft_ns", "tpot_ns"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(
                    f"{name} is {value!r}: it must be an integer number of "
                    "nanoseconds, 1 or more"
                )

    def is_met(self, flight: Flight) -> bool:
        """Whether the request was served within both limits."""
        first = flight.first_token
        return (
            flight.status == "served"
            and first - flight.arrival <= self.ttft_ns
            and flight.end - first <= self.tpot_ns * (flight.output_tokens - 1)
        )

    def __str__(self) -> str:
        return (
            f"TTFT ≤ {self.ttft_ns / MILLISECOND:g} ms, "
            f"TPOT ≤ {self.tpot_ns / MILLISECOND:g} ms"
        )


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Nearest-rank percentiles in nanoseconds; None when there was nothing to rank."""

    p50: int | None
    p90: int | None
    p99: int | None


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of one run. Times are nanoseconds, shares are from 0 to 1.

    - `retried`: requests that were sent to another instance after a failure;
      `preempted`: those that lost their KV to make room;
    - `goodput_per_s`: requests within the SLO per second, over the time in which
      requests arrived; `goodput_share`: of all requests;
    - `hit_rate`: the share of the requests that reached an instance which did not wait
      for their adapter there, or less than a microsecond;
    - `cold_loads`: the loads that requests waited for; those that waited for the same
      one count it once;
    - `coldest_ttft_p99`: p99 TTFT over the tenth (rounded up) of the adapters that were
      asked for least often in this run, of ties the first by name;
    - `keys_moved`: how often an adapter was first served by an instance that had not
      served it before, its first instance apart;
    - `steps_per_request`: full instances that decisions passed over;
    - `overflows`: decisions that found everyone in reach full;
    - `imbalance`: the largest of the instances' computing times over their mean.
    """

    requests: int
    served: int
    failed: int
    shed: int
    retried: int
    preempted: int
    ttft: Percentiles
    tpot: Percentiles
    end_to_end: Percentiles
    goodput_per_s: float
    goodput_share: float
    hit_rate: float
    cold_loads: int
    coldest_ttft_p99: int | None
    keys_moved: int
    steps_per_request: float
    overflows: int
    imbalance: float


def is_cold(flight: Flight) -> bool:
    """Whether the request waited noticeably for its adapter."""
    return flight.adapter_wait >= NOTICED_NS


def load_of(flight: Flight) -> tuple[AdapterKey, str, int]:
    """The load that a cold request waited for: others may have waited for the same."""
    there = flight.submitted + flight.adapter_wait
    return flight.request.key, flight.instance, there


def has_tpot(flight: Flight) -> bool:
    """Whether the request was served, with more than one token."""
    return flight.status == "served" and flight.output_tokens > 1


def tpot_ns(flight: Flight) -> int:
    """Time per output token after the first, for a flight that has one."""
    return (flight.end - flight.first_token) // (flight.output_tokens - 1)


def measure(flights: Sequence[Flight], slo: SLO, busy_ns: Mapping[str, int]) -> Metrics:
    """The metrics of a finished run; `busy_ns` is each instance's computing time.

    Raises ValueError when there is no flight.
    """
    if not flights:
        raise ValueError("there are no flights: a run has at least one request")
    served = [flight for flight in flights if flight.status == "served"]
    placed = [flight for flight in flights if flight.instance]
    good = sum(map(slo.is_met, flights))
    arrivals = [flight.arrival for flight in flights]
    span = max(max(arrivals) - min(arrivals), 1)
    pairs = {(flight.request.key, flight.instance) for flight in served}
    loads = {load_of(flight) for flight in placed if is_cold(flight)}
    hits = sum(not is_cold(flight) for flight in placed)
    decisions = [flight.decision for flight in flights if flight.decision]
    return Metrics(
        requests=len(flights),
        served=len(served),
        failed=sum(flight.status == "failed" for flight in flights),
        shed=sum(flight.status == "shed" for flight in flights),
        retried=sum(flight.retries > 0 for flight in flights),
        preempted=sum(flight.preemptions > 0 for flight in flights),
        ttft=percentiles(flight.first_token - flight.arrival for flight in served),
        tpot=percentiles(tpot_ns(flight) for flight in served if has_tpot(flight)),
        end_to_end=percentiles(flight.end - flight.arrival for flight in served),
        goodput_per_s=good * SECOND / span,
        goodput_share=good / len(flights),
        hit_rate=hits / len(placed) if placed else 0.0,
        cold_loads=len(loads),
        coldest_ttft_p99=coldest(flights).p99,
        keys_moved=len(pairs) - len({key for key, _ in pairs}),
        steps_per_request=sum(flight.steps for flight in flights) / len(flights),
        overflows=sum(decision.overflow for decision in decisions),
        imbalance=imbalance(busy_ns),
    )


def nearest_rank(ordered: Sequence[int], per_mille: int) -> int:
    """The ⌈per_mille/1000 · n⌉-th of n values in ascending order.

    Raises ValueError when there is none, or per_mille is not from 1 to 1000.
    """
    if not ordered:
        raise ValueError("there is no value: a percentile needs one")
    if not 1 <= per_mille <= 1000:
        raise ValueError(f"per_mille is {per_mille}: it must be from 1 to 1000")
    return ordered[-(-per_mille * len(ordered) // 1000) - 1]


def percentiles(values: Iterable[int]) -> Percentiles:
    """p50, p90 and p99 of values in any order."""
    ordered = sorted(values)
    if not ordered:
        return Percentiles(None, None, None)
    return Percentiles(*(nearest_rank(ordered, rank) for rank in (500, 900, 990)))


def coldest(flights: Iterable[Flight]) -> Percentiles:
    """TTFT percentiles over the tenth of the adapters asked for least often."""
    by_key: defaultdict[AdapterKey, list[Flight]] = defaultdict(list)
    for flight in flights:
        by_key[flight.request.key].append(flight)
    order = sorted(by_key, key=lambda key: (len(by_key[key]), key))
    return percentiles(
        flight.first_token - flight.arrival
        for key in order[: -(-len(order) // 10)]
        for flight in by_key[key]
        if flight.status == "served"
    )


def imbalance(busy_ns: Mapping[str, int]) -> float:
    """The largest value over the mean; 1 when all are equal, or nobody did anything."""
    total = sum(busy_ns.values())
    return max(busy_ns.values()) * len(busy_ns) / total if total else 1.0
