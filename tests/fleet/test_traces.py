"""Trace files: three formats, what is wrong with a line, sessions, and replay.

The files in traces/ were written for these tests in the formats of public traces.
"""

import itertools
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from tensorfleet.fleet import traces
from tensorfleet.fleet.popularity import adapter_keys
from tensorfleet.fleet.traces import Row, Trace, TraceWorkload

FILES = Path(__file__).parent / "traces"
SECOND = 1_000_000_000

AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
BURST = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n"


def moon(timestamp=0, prompt=600, output=5, blocks=(1, 2)):
    return (
        f'{{"timestamp": {timestamp}, "input_length": {prompt}, '
        f'"output_length": {output}, "hash_ids": {list(blocks)}}}\n'
    )


def write(folder, text, name="trace"):
    path = folder / name
    path.write_text(text)
    return path


def test_azure():
    """Seven decimals of a second are kept; the request without output is skipped."""
    trace = traces.load(FILES / "azure.csv")
    assert trace.name == "azure.csv"
    assert trace.skipped == 1
    assert trace.rows == (
        Row(0, 120, 30, None, 0),
        Row(250_000_100, 2048, 1, None, 0),
        Row(59_500_000_000, 17, 400, None, 0),
    )
    assert trace.rate == pytest.approx(2 / 59.5)


def test_burstgpt():
    trace = traces.load(str(FILES / "burstgpt.csv"))
    assert trace.skipped == 1
    assert trace.rows == (
        Row(0, 472, 18, None, 0),
        Row(40_250_000_000, 1087, 230, None, 0),
        Row(113 * SECOND, 417, 276, None, 0),
    )


def test_mooncake_sessions():
    """The third request repeats both whole blocks of the first, the fifth all four of
    the third's; the second and the fourth share with it the system prompt alone.
    """
    trace = traces.load(FILES / "mooncake.jsonl")
    assert trace.rows == (
        Row(0, 1100, 300, 0, 0),
        Row(500_000_000, 1500, 40, 1, 0),
        Row(1_500_000_000, 2100, 100, 0, 1024),
        Row(1_500_500_000, 600, 9, 2, 0),
        Row(9 * SECOND, 2560, 5, 0, 2048),
    )


def test_a_prompt_seen_in_whole_still_computes_a_token(tmp_path):
    text = moon(0, 1024, 5, (1, 2)) + moon(1, 1024, 5, (1, 2))
    rows = traces.load(write(tmp_path, text)).rows
    assert rows[1] == Row(1_000_000, 1024, 5, 0, 1023)


def test_of_two_that_continue_a_session_the_second_begins_another(tmp_path):
    text = moon(0, 1024, 5, (1, 2)) + moon(1, 1536, 5, (1, 2, 3))
    text += moon(2, 1536, 5, (1, 2, 4))
    assert [row.session for row in traces.load(write(tmp_path, text)).rows] == [0, 0, 1]


@pytest.mark.parametrize(
    "time", ["2020-02-29 12:00:00", "2020-02-29 12:00:00.0+00:00", "2020-02-29T12:00"]
)
def test_spellings_of_a_time(tmp_path, time):
    text = f"{AZURE}{time},1,1\n2020-03-01 12:00:00.000000001+00:00,1,1\n"
    rows = traces.load(write(tmp_path, text)).rows
    assert rows[1].time == 86_400 * SECOND + 1


def test_columns_may_come_in_any_order_and_blank_lines_anywhere(tmp_path):
    text = "\ufeff\n\nGeneratedTokens,Note,ContextTokens,TIMESTAMP\n \n"
    text += '7,"a, b",9,2020-01-01 00:00:00\n\n'
    path = tmp_path / "trace"
    path.write_text(text, encoding="utf-8")
    assert traces.load(path).rows == (Row(0, 9, 7, None, 0),)


GOOD = "2020-01-01 00:00:01,10,10\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (AZURE + GOOD + "2020-01-01 00:00:02,ten,10\n", ":3: ContextTokens is 'ten'"),
        (AZURE + GOOD + "\n\n2020-01-01 00:00:02,10,-1\n", ":5: GeneratedTokens is -1"),
        (AZURE + GOOD + "2020-01-01 00:00:02,0,5\n", ":3: ContextTokens is 0"),
        (AZURE + GOOD + "2020-01-01 00:00:02,1_0,5\n", ":3: ContextTokens is '1_0'"),
        (AZURE + GOOD + "2020-01-01 00:00:02,10\n", ":3: 2 fields instead of 3"),
        (AZURE + GOOD + "yesterday,10,10\n", ":3: TIMESTAMP is 'yesterday'"),
        (AZURE + "2020-01-01 00:00:01.x,10,10\n", ":2: TIMESTAMP"),
        (AZURE + GOOD + "2020-01-01 00:00:00,5,5\n", ":3: the time goes back by 1 s"),
        (AZURE, "there is no request in it"),
        ("", "there is no request in it"),
        (AZURE + "2020-01-01 00:00:01,10,0\n", "there is no request in it"),
        ("when,what\n1,2\n", ":1: not a known trace"),
        ("\n\n\x00\x01binary\n", ":3: not a known trace"),
        (BURST + "nan,m,1,2,3,x\n", ":2: Timestamp is 'nan'"),
        (BURST + "-1,m,1,2,3,x\n", ":2: Timestamp is '-1'"),
        (BURST + "1e99,m,1,2,3,x\n", ":2: Timestamp is '1e99'"),
        (BURST + "soon,m,1,2,3,x\n", ":2: Timestamp is 'soon'"),
        (moon() + "{broken\n", ":2: not JSON"),
        (moon() + "\n[1, 2]\n", ":3: '\\[1, 2\\]' is not a JSON object"),
        (moon() + '{"timestamp": 1}\n', ":2: there is no input_length"),
        (moon() + moon("true"), ":2: timestamp is True"),
        (moon() + moon("NaN"), ":2: timestamp is nan"),
        (moon() + moon(-5), ":2: timestamp is -5"),
        (moon() + moon("1e999999999"), ":2: timestamp is"),
        (moon() + moon(prompt=1.5), ":2: input_length is"),
        (moon() + moon(prompt='"6"'), ":2: input_length is '6'"),
        (moon() + moon(output=-1), ":2: output_length is -1"),
        (moon() + moon(blocks=(1, 2, 3)), ":2: 3 hash_ids for 600 tokens"),
        (moon() + moon(blocks=()), ":2: 0 hash_ids for 600 tokens"),
        (moon(7) + moon(6), ":2: the time goes back by 0.001 s"),
        ("{broken", ":1: not JSON"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_line(tmp_path, text, message):
    path = write(tmp_path, text, "some.trace")
    with pytest.raises(ValueError, match=message) as error:
        traces.load(path)
    assert str(error.value).startswith(str(path))


def test_bytes_that_are_not_text_are_a_malformed_line(tmp_path):
    path = tmp_path / "trace"
    path.write_bytes(AZURE.encode() + b"2020-01-01 00:00:01,\xff,1\n")
    with pytest.raises(ValueError, match=":2: ContextTokens"):
        traces.load(path)


def test_time_begins_at_the_first_request_that_is_kept(tmp_path):
    text = AZURE + "2020-01-01 00:00:00,10,0\n" + GOOD + GOOD
    trace = traces.load(write(tmp_path, text))
    assert [row.time for row in trace.rows] == [0, 0]
    assert trace.skipped == 1


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        traces.load(tmp_path / "none")


ROWS = tuple(Row(7 * k * k, 10 + k, 1 + k % 5, None, 0) for k in range(2000))
TRACE = Trace("made up", ROWS)


def test_replay_brings_a_trace_to_a_rate():
    """Times keep their proportions."""
    workload = TraceWorkload(TRACE, rate=50.0, requests=1000, adapters=20)
    arrivals = list(workload.arrivals(1))
    times = [time for time, *_ in arrivals]
    assert times[0] == 0
    assert times[-1] == workload.duration_ns == 999 * SECOND // 50
    for time, row in zip(times, ROWS, strict=False):
        assert time == row.time * times[-1] // ROWS[999].time
    for number, (_, request, output) in enumerate(arrivals):
        row = ROWS[number]
        assert request.id == number
        assert (request.prompt_tokens, output) == (row.prompt_tokens, row.output_tokens)


def test_the_seed_decides_on_the_adapters_alone():
    workload = TraceWorkload(TRACE, rate=50.0, requests=2000, adapters=20)
    first, again, other = (list(workload.arrivals(seed)) for seed in (1, 1, 2))
    assert first == again
    assert [r.key for _, r, _ in first] != [r.key for _, r, _ in other]
    assert [t for t, *_ in first] == [t for t, *_ in other]
    counts = Counter(request.key for _, request, _ in first)
    places = [counts[key] for key in adapter_keys(20, workload.model)]
    # Zipf with exponent 1: the first has twice the second's, within five deviations.
    share = 1 / sum(1 / k for k in range(1, 21))
    assert places[0] == pytest.approx(2000 * share, abs=5 * (2000 * share) ** 0.5)
    assert places[0] > places[4] > places[19]


def test_a_session_keeps_its_adapter():
    trace = traces.load(FILES / "mooncake.jsonl")
    workload = TraceWorkload(trace, rate=1.0, requests=5, adapters=1000)
    for seed in range(20):
        requests = [request for _, request, _ in workload.arrivals(seed)]
        assert [request.session for request in requests] == [
            "s0",
            "s1",
            "s0",
            "s2",
            "s0",
        ]
        assert len({requests[k].key for k in (0, 2, 4)}) == 1
    keys = {
        request.key for seed in range(20) for _, request, _ in workload.arrivals(seed)
    }
    assert len(keys) > 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"requests": 0}, "requests is 0: made up has 2000"),
        ({"requests": 2001}, "requests is 2001: made up has 2000"),
        ({"rate": 0}, "rate is 0"),
        ({"adapters": 0}, "adapters is 0"),
        ({"zipf": -1}, "zipf is -1"),
        ({"trace": Trace("at once", (Row(0, 1, 1, None, 0),) * 10)}, "the same time"),
    ],
)
def test_bad_replays(change, message):
    good = TraceWorkload(TRACE, rate=1.0, requests=10, adapters=20)
    with pytest.raises(ValueError, match=message):
        replace(good, **change)


def test_times_are_sorted_after_scaling():
    workload = TraceWorkload(TRACE, rate=1e6, requests=2000, adapters=2)
    times = [time for time, *_ in workload.arrivals(0)]
    assert all(a <= b for a, b in itertools.pairwise(times))
