"""The batching server against one that steps through every token, and the signals."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.choices import notes_score, server
from tensorfleet.choices.server import (
    MAX_RUNNING,
    PROMPT_TIME,
    SEQUENCE_TIME,
    WEIGHTS_TIME,
    Request,
    Server,
)
from tensorfleet.choices.signals import MILLISECOND, SIGNALS, simulate, workload

REQUESTS = st.lists(
    st.tuples(st.integers(0, 40_000_000), st.integers(1, 400), st.integers(1, 12)),
    max_size=12,
)


def stepped(arrivals, max_running):
    """First token and end of each request, one step at a time, without shortcuts."""
    waiting, running, result, clock = list(arrivals), [], {}, 0
    number = 0
    while waiting or running:
        if not running and waiting[0][0] > clock:
            clock = waiting[0][0]
        joining = []
        while waiting and waiting[0][0] <= clock and len(running) < max_running:
            _, prompt, output = waiting.pop(0)
            running.append([number, output])
            joining.append((number, prompt))
            number += 1
        clock += WEIGHTS_TIME + SEQUENCE_TIME * len(running)
        clock += sum(PROMPT_TIME * prompt for _, prompt in joining)
        for job, _ in joining:
            result[job] = [clock, -1]
        for job in running:
            job[1] -= 1
            if job[1] == 0:
                result[job[0]][1] = clock
        running = [job for job in running if job[1]]
    return [tuple(result[k]) for k in range(number)]


@settings(max_examples=200)
@given(REQUESTS, st.integers(1, 4), st.lists(st.integers(0, 90_000_000), max_size=6))
def test_stretches_of_steps_are_the_steps(gaps, max_running, looks):
    """Also when it is advanced at other moments in between, as looking at it does."""
    arrivals, now = [], 0
    for gap, prompt, output in gaps:
        now += gap + 1  # no two at once: who is first would be a matter of convention
        arrivals.append((now, prompt, output))
    events = sorted([(a, 0, k) for k, (a, _, _) in enumerate(arrivals)])
    events += [(look, -1, -1) for look in looks]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "MAX_RUNNING", max_running)
        machine, made = Server(), []
        for moment, _, k in sorted(events):
            machine.advance(moment)
            if k >= 0:
                made.append(Request(*arrivals[k]))
                # A step that ends as this arrives has ended; the request joins the
                # next one, as in `stepped`, unless that next one has begun already.
                machine.submit(made[-1])
        machine.finish()
    expected = stepped(arrivals, max_running)
    found = [(request.first_token, request.finished) for request in made]
    assert found == expected
    assert (machine.unread, machine.unwritten, machine.num_running) == (0, 0, 0)


def test_a_request_alone():
    request = Request(arrival=100, prompt=1000, output=3)
    machine = Server()
    machine.submit(request)
    machine.finish()
    step = WEIGHTS_TIME + SEQUENCE_TIME
    assert request.first_token == 100 + step + 1000 * PROMPT_TIME
    assert request.finished == request.first_token + 2 * step


def test_the_batch_holds_no_more_than_its_limit():
    machine = Server()
    for _ in range(MAX_RUNNING + 5):
        machine.submit(Request(0, 1, 10))
    machine.advance(10**9)  # the first two steps and more
    assert machine.num_running <= MAX_RUNNING
    machine = Server()
    for _ in range(MAX_RUNNING + 5):
        machine.submit(Request(0, 1, 1000))
    machine.advance(60_000_000)  # the first, alone, has joined; now the rest
    assert (machine.num_running, len(machine.waiting)) == (MAX_RUNNING, 5)


def state(num_running, num_waiting=0):
    machine = Server()
    for _ in range(num_running):
        machine.submit(Request(0, 1, 1000))
    machine.advance(60_000_000)
    for _ in range(num_waiting):
        machine.submit(Request(60_000_000, 1, 1000))
    return machine


def test_the_notes_score_is_blind_from_one_sequence_to_a_full_batch():
    scores = [SIGNALS["notes"](state(n)) for n in (0, 1, 2, 30, MAX_RUNNING)]
    assert scores == [0, 1, 1, 1, 1]
    for signal in ("requests", "work", "foresight"):
        values = [SIGNALS[signal](state(n)) for n in (0, 1, 2, 30, MAX_RUNNING)]
        assert values == sorted(set(values))


@given(st.floats(0.001, 1000), st.floats(0.001, 1000))
def test_no_weights_change_the_order_of_the_notes_score(alpha, beta):
    """Nothing waits at an idle server, so its states have one order for all weights."""
    states = [(0, 0.0), (0, 1.0), (1, 1.0), (2, 1.0), (50, 1.0)]
    scores = [notes_score(queue, util, alpha, beta) for queue, util in states]
    assert scores == sorted(set(scores))


@pytest.mark.slow
def test_signals_rank_as_the_chapter_says():
    """For three seeds; the gaps are several times what changes from seed to seed."""
    for seed in (1, 2, 3):
        first, whole, tied = {}, {}, {}
        for signal in SIGNALS:
            outcome = simulate(signal, 0.8, 8_000, seed)
            first[signal] = outcome.first_token_ms()
            whole[signal] = outcome.end_to_end_ms()
            tied[signal] = outcome.tied
        mean_whole = {signal: sum(v) / len(v) for signal, v in whole.items()}
        mean_first = {signal: sum(v) / len(v) for signal, v in first.items()}
        assert tied["random"] == 1
        assert tied["notes"] > 0.5 > 0.1 > tied["work"]
        assert mean_whole["work"] < 0.95 * mean_whole["notes"]
        assert mean_whole["work"] < 0.95 * mean_whole["foresight"]
        assert mean_first["work"] < 0.95 * mean_first["notes"]
        assert mean_first["notes"] < 0.95 * mean_first["requests"]
        assert max(mean_whole, key=mean_whole.get) == "random"


def test_every_signal_meets_the_same_requests():
    runs = [simulate(signal, 0.5, 300, seed=9).requests for signal in SIGNALS]
    asked = [[(r.arrival, r.prompt, r.output) for r in run] for run in runs]
    assert all(run == asked[0] for run in asked)
    for run in runs:
        assert all(r.arrival < r.first_token <= r.finished for r in run)


def test_outcomes_are_in_milliseconds_and_sorted():
    outcome = simulate("work", 0.5, 200, seed=9)
    times = [(r.first_token - r.arrival) / MILLISECOND for r in outcome.requests]
    assert outcome.first_token_ms() == sorted(times)
    times = [(r.finished - r.arrival) / MILLISECOND for r in outcome.requests]
    assert outcome.end_to_end_ms() == sorted(times)


def test_the_workload_asks_for_the_load_it_says():
    """Arrivals a second times the mean cost, over all servers, is the load."""
    made = workload(0.7, 40_000, 20, Random(1))
    cost = sum(
        PROMPT_TIME * r.prompt + r.output * (SEQUENCE_TIME + WEIGHTS_TIME / MAX_RUNNING)
        for r in made
    )
    # The sum of 40 000 lognormal costs and exponential gaps: standard deviation 1%.
    assert cost / (20 * made[-1].arrival) == pytest.approx(0.7, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("queue", 0.5, 10, 1), "signal is 'queue': there are random, notes"),
        (("work", 1.0, 10, 1), "load is 1.0: it must be between 0 and 1"),
        (("work", 0.5, 10, 1, 1), "n is 1: a pair needs at least 2"),
    ],
)
def test_bad_simulations(arguments, message):
    with pytest.raises(ValueError, match=message):
        simulate(*arguments)


def test_requests_must_read_and_write():
    for prompt, output in ((0, 1), (1, 0)):
        with pytest.raises(ValueError, match="needs a prompt and an output"):
            Server().submit(Request(0, prompt, output))
