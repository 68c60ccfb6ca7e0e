"""The result of a run: its metrics, as a table to read and a dictionary to keep."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from html import escape
from typing import Any

from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.metrics import MILLISECOND, SLO, Metrics


@dataclass(frozen=True, slots=True)
class Result:
    """One run of a scenario under a policy.

    `rate` is the rate that was asked for, per second; `flights` are the requests, in
    the order of arrival, and `busy_ns` is each instance's computing time. Printed, and
    in a notebook, it is a table.
    """

    scenario: str
    policy: str
    seed: int
    instances: int
    rate: float
    slo: SLO
    metrics: Metrics
    flights: Sequence[Flight] = field(repr=False, compare=False)
    busy_ns: dict[str, int] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """All but the flights, of types that JSON knows."""
        return {
            "scenario": self.scenario,
            "policy": self.policy,
            "seed": self.seed,
            "instances": self.instances,
            "rate": self.rate,
            "slo": asdict(self.slo),
            "metrics": asdict(self.metrics),
        }

    def without_flights(self) -> "Result":
        """The same without the requests, which take most of the memory."""
        return replace(self, flights=())

    def __str__(self) -> str:
        return str(Comparison((self,)))

    def _repr_html_(self) -> str:
        return Comparison((self,))._repr_html_()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results of one scenario side by side, a column for each policy.

    Raises ValueError when there is none, or they are of different scenarios.
    """

    results: tuple[Result, ...]

    def __post_init__(self) -> None:
        if len({result.scenario for result in self.results}) != 1:
            names = ", ".join(result.scenario for result in self.results) or "none"
            raise ValueError(f"a comparison is of one scenario: given were {names}")

    @property
    def title(self) -> str:
        """What was run: scenario, size, seed and SLO."""
        first = self.results[0]
        return (
            f"{first.scenario}: {first.metrics.requests:,} requests at "
            f"{first.rate:,.1f}/s on {first.instances} instances, seed {first.seed}, "
            f"{first.slo}"
        )

    def __str__(self) -> str:
        header = ["", *(result.policy for result in self.results)]
        body = [
            [name, *(show(result.metrics) for result in self.results)]
            for name, show in ROWS
        ]
        widths = [max(map(len, column)) for column in zip(header, *body, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if place else cell.ljust(width)
                for place, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in [header, ["-" * width for width in widths], *body]
        ]
        return "\n".join([self.title, "", *lines])

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col">{escape(result.policy)}</th>' for result in self.results
        )
        body = "".join(
            f'<tr><th scope="row">{escape(name)}</th>'
            + "".join(f"<td>{show(result.metrics)}</td>" for result in self.results)
            + "</tr>"
            for name, show in ROWS
        )
        return (
            f"<table><caption>{escape(self.title)}</caption>"
            f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


def _milliseconds(value: int | None) -> str:
    return "–" if value is None else f"{value / MILLISECOND:,.1f}"


# What a table shows, in its order.
ROWS: tuple[tuple[str, Callable[[Metrics], str]], ...] = (
    ("within the SLO, %", lambda m: f"{100 * m.goodput_share:.2f}"),
    ("goodput, requests/s", lambda m: f"{m.goodput_per_s:,.1f}"),
    ("TTFT p50, ms", lambda m: _milliseconds(m.ttft.p50)),
    ("TTFT p90, ms", lambda m: _milliseconds(m.ttft.p90)),
    ("TTFT p99, ms", lambda m: _milliseconds(m.ttft.p99)),
    ("TTFT p99, coldest tenth, ms", lambda m: _milliseconds(m.coldest_ttft_p99)),
    ("TPOT p50, ms", lambda m: _milliseconds(m.tpot.p50)),
    ("TPOT p90, ms", lambda m: _milliseconds(m.tpot.p90)),
    ("TPOT p99, ms", lambda m: _milliseconds(m.tpot.p99)),
    ("end to end p50, s", lambda m: _seconds(m.end_to_end.p50)),
    ("end to end p99, s", lambda m: _seconds(m.end_to_end.p99)),
    ("adapter hit rate, %", lambda m: f"{100 * m.hit_rate:.2f}"),
    ("cold loads", lambda m: f"{m.cold_loads:,}"),
    ("keys moved", lambda m: f"{m.keys_moved:,}"),
    ("steps per request", lambda m: f"{m.steps_per_request:.3f}"),
    ("overflows", lambda m: f"{m.overflows:,}"),
    ("imbalance, max/mean", lambda m: f"{m.imbalance:.3f}"),
    ("failed", lambda m: f"{m.failed:,}"),
    ("shed", lambda m: f"{m.shed:,}"),
    ("retried", lambda m: f"{m.retried:,}"),
    ("preempted", lambda m: f"{m.preempted:,}"),
)


def _seconds(value: int | None) -> str:
    return "–" if value is None else f"{value / (1000 * MILLISECOND):,.2f}"
