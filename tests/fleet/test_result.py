"""Results as tables and dictionaries."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tensorfleet.fleet.metrics import SLO, measure
from tensorfleet.fleet.result import ROWS, Comparison, Result
from tests.fleet.made_up import MS, flight

FLIGHTS = [
    flight(0, arrival=0, ttft=123, tpot=7),
    flight(1, arrival=1000, status="shed", instance=""),
]
RESULT = Result(
    scenario="made_up",
    policy="first",
    seed=3,
    instances=2,
    rate=1.0,
    slo=SLO(200 * MS, 20 * MS),
    metrics=measure(FLIGHTS, SLO(200 * MS, 20 * MS), {"gpu-0": 1, "gpu-1": 1}),
    flights=FLIGHTS,
    busy_ns={"gpu-0": 1, "gpu-1": 1},
)
OTHER = replace(RESULT, policy="the <second>")


class Cells(HTMLParser):
    """The cells of a table, row by row; refuses elements left open."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.stack = [], []
        self.feed(text)
        assert not self.stack

    def handle_starttag(self, tag, attrs):
        self.stack.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if self.stack[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_the_table_says_what_was_run():
    title = str(RESULT).splitlines()[0]
    assert title == (
        "made_up: 2 requests at 1.0/s on 2 instances, seed 3, "
        "TTFT ≤ 200 ms, TPOT ≤ 20 ms"
    )


def test_the_table_shows_the_metrics():
    lines = dict(
        re.split(r"  +", line, maxsplit=1) for line in str(RESULT).splitlines()[4:]
    )
    assert lines["within the SLO, %"] == "50.00"
    assert lines["TTFT p99, ms"] == "123.0"
    assert lines["TPOT p50, ms"] == "7.0"
    assert lines["end to end p99, s"] == "0.19"
    assert lines["shed"] == "1"
    assert len(lines) == len(ROWS)


def test_a_comparison_has_a_column_for_each_policy():
    comparison = Comparison((RESULT, OTHER))
    lines = str(comparison).splitlines()
    assert re.split(r"  +", lines[2].strip()) == ["first", "the <second>"]
    assert len({len(line) for line in lines[3:]}) == 1
    for line in lines[4:]:
        name, first, second = re.split(r"  +", line)
        assert first == second, name


def test_html_has_the_same_cells_as_the_text():
    comparison = Comparison((RESULT, OTHER))
    text = [re.split(r"  +", line) for line in str(comparison).splitlines()[4:]]
    head, *body = Cells(comparison._repr_html_()).rows
    assert head == ["", "first", "the <second>"]
    assert body == text
    assert Cells(RESULT._repr_html_()).rows == [row[:2] for row in [head, *body]]


def test_what_is_missing_is_a_dash():
    metrics = measure(FLIGHTS[1:], RESULT.slo, {})
    lines = str(replace(RESULT, metrics=metrics)).splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("TTFT p50")] == ["–"]


def test_the_dictionary_survives_json():
    """Everything that was measured is in it, and nothing else than JSON's types."""
    data = RESULT.to_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["policy"] == "first"
    assert data["metrics"]["ttft"] == {
        "p50": 123 * MS,
        "p90": 123 * MS,
        "p99": 123 * MS,
    }
    assert set(data["metrics"]) == set(RESULT.metrics.__dataclass_fields__)


def test_without_flights_it_is_equal_but_smaller():
    small = RESULT.without_flights()
    assert small == RESULT
    assert not small.flights
    assert RESULT.flights


def test_bad_comparisons():
    with pytest.raises(ValueError, match="given were none"):
        Comparison(())
    with pytest.raises(ValueError, match="made_up, elsewhere"):
        Comparison((RESULT, replace(RESULT, scenario="elsewhere")))
