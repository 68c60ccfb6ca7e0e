"""Arrivals: rates, gaps, popularity, lengths, the hours of a day, crowds, sessions."""

import itertools
import math
import statistics
from collections import Counter, defaultdict
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.fleet import popularity
from tensorfleet.fleet.popularity import Churn, adapter_keys, ask
from tensorfleet.fleet.sessions import Sessions
from tensorfleet.fleet.workloads import (
    DAY_STEPS,
    SECOND,
    Crowd,
    Day,
    Lengths,
    Workload,
    change_clock,
)
from tensorfleet.router.messages import AdapterKey

PLAIN = Workload(rate=100, requests=20_000, adapters=200)
KINDS = {
    "plain": PLAIN,
    "bursts": replace(PLAIN, cv=4.0),
    "bursty adapters": replace(PLAIN, adapter_cv=4.0),
    "churn": replace(PLAIN, churn=Churn(20)),
    "day": replace(PLAIN, day=Day()),
    "crowd": replace(PLAIN, crowd=Crowd()),
    "sessions": replace(PLAIN, sessions=Sessions()),
    "everything": replace(
        PLAIN, cv=2.0, churn=Churn(5), day=Day(), crowd=Crowd(), sessions=Sessions()
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_arrivals_are_sorted_numbered_and_well_formed(kind):
    arrivals = list(KINDS[kind].arrivals(1))
    assert len(arrivals) == PLAIN.requests
    times = [time for time, _, _ in arrivals]
    assert times == sorted(times)
    assert times[0] >= 0
    assert all(type(time) is int for time in times)
    assert [request.id for _, request, _ in arrivals] == list(range(len(arrivals)))
    keys = set(adapter_keys(PLAIN.adapters, PLAIN.model))
    for _, request, output in arrivals:
        assert request.key in keys
        assert 0 <= request.prefix_tokens < request.prompt_tokens
        assert output >= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_fixes_the_arrivals(kind):
    workload = replace(KINDS[kind], requests=500)
    first = list(workload.arrivals(1))
    assert first == list(workload.arrivals(1))
    assert first != list(workload.arrivals(2))


def test_arrivals_are_made_as_they_are_taken():
    endless = Workload(rate=100, requests=10**12, adapters=5)
    assert len(list(itertools.islice(endless.arrivals(1), 10))) == 10


@pytest.mark.parametrize("cv", [0.5, 1.0, 4.0])
def test_gaps_have_the_rate_and_the_cv(cv):
    arrivals = replace(PLAIN, cv=cv).arrivals(5)
    times = [0, *(time for time, _, _ in arrivals)]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    mean = statistics.fmean(gaps)
    # Five standard errors of the mean.
    assert mean == pytest.approx(SECOND / 100, rel=5 * cv / math.sqrt(len(gaps)))
    # The standard error of a sample's CV is cv·sqrt((kurtosis + 2)/4n) or so; a gamma's
    # excess kurtosis is 6·cv².
    error = cv * math.sqrt((6 * cv**2 + 2) / (4 * len(gaps)))
    assert statistics.pstdev(gaps) / mean == pytest.approx(cv, abs=5 * error)


@pytest.mark.parametrize("cv", [0.5, 4.0])
def test_adapters_keep_their_own_gaps(cv):
    """CV and rate for single adapters, and hardly more than chance for all together."""
    workload = replace(PLAIN, adapter_cv=cv, requests=60_000, adapters=20, zipf=0.0)
    by_key = defaultdict(list)
    for time, request, _ in workload.arrivals(4):
        by_key[request.key].append(time)
    assert len(by_key) == 20
    gaps = [
        (after - before) * workload.rate / 20 / SECOND
        for times in by_key.values()
        for before, after in itertools.pairwise(times)
    ]
    # Five standard errors, as above. The end of a run cuts long gaps off.
    mean = statistics.fmean(gaps)
    assert mean == pytest.approx(1, abs=5 * cv / math.sqrt(len(gaps)))
    error = cv * math.sqrt((6 * cv**2 + 2) / (4 * len(gaps)))
    assert statistics.pstdev(gaps) / mean == pytest.approx(cv, abs=5 * error)


def test_bursty_adapters_are_in_equilibrium_from_the_beginning():
    """8,000 adapters, each asked for five times: a fifth of it in each fifth."""
    workload = replace(
        PLAIN, adapter_cv=4.0, rate=1000, requests=40_000, adapters=8000, zipf=0.0
    )
    counts = Counter(
        time * 5 // workload.duration_ns for time, _, _ in workload.arrivals(1)
    )
    # The last part is cut off by the number of requests. A burst is about 16 requests
    # (the variance of counts is cv² times a Poisson's): five standard errors.
    for part in range(4):
        assert counts[part] == pytest.approx(8000, abs=5 * math.sqrt(16 * 8000))


def test_poisson_counts_have_the_variance_of_a_poisson_process():
    """Counts in equal intervals: variance and mean agree."""
    arrivals = replace(PLAIN, requests=50_000).arrivals(2)
    counts = Counter(time // SECOND for time, _, _ in arrivals)
    values = [counts[second] for second in range(490)]
    ratio = statistics.variance(values) / statistics.fmean(values)
    # The index of dispersion of n Poisson counts has standard error sqrt(2/n).
    assert ratio == pytest.approx(1, abs=5 * math.sqrt(2 / len(values)))


def test_rates_differ_in_times_alone():
    """The requests are the same, and their times scale, up to rounding of each gap."""
    slow = list(replace(PLAIN, cv=4.0).arrivals(3))
    fast = list(replace(PLAIN, cv=4.0, rate=200).arrivals(3))
    assert [(r, o) for _, r, o in slow] == [(r, o) for _, r, o in fast]
    for number, ((before, *_), (after, *_)) in enumerate(zip(slow, fast, strict=True)):
        assert abs(before - 2 * after) <= 2 * (number + 1)


def test_popularity_follows_zipf():
    keys = adapter_keys(PLAIN.adapters, PLAIN.model)
    counts = Counter(request.key for _, request, _ in PLAIN.arrivals(1))
    total = sum(1 / k for k in range(1, PLAIN.adapters + 1))
    for place in (1, 2, 5, 20):
        share = 1 / place / total
        error = math.sqrt(share * (1 - share) / PLAIN.requests)
        measured = counts[keys[place - 1]] / PLAIN.requests
        assert measured == pytest.approx(share, abs=5 * error)


def test_lengths_are_lognormal_and_clamped():
    lengths = Lengths(400, 0.5, 100, 900)
    workload = replace(PLAIN, prompt=lengths, output=lengths)
    arrivals = list(workload.arrivals(1))
    table = lengths.table()
    mean, deviation = float(table.mean), math.sqrt(table.variance)
    for values in (
        [request.prompt_tokens for _, request, _ in arrivals],
        [output for *_, output in arrivals],
    ):
        assert min(values) == 100
        assert max(values) == 900
        error = deviation / math.sqrt(len(values))
        assert statistics.fmean(values) == pytest.approx(mean, abs=5 * error)
    pairs = [(request.prompt_tokens, output) for _, request, output in arrivals]
    # Independent of each other: five standard errors of a correlation of 0.
    assert abs(statistics.correlation(*zip(*pairs, strict=True))) < 5 / math.sqrt(
        20_000
    )


def test_churn_swaps_places_and_keeps_the_law():
    keys = adapter_keys(50, "m")
    times = range(0, 100_000)
    asked = list(ask(times, keys, 1.0, Random(1), Churn(9, popular=1), 100_000))
    by_part = [
        Counter(key for _, key in asked[i : i + 10_000]) for i in range(0, 10**5, 10**4)
    ]
    leaders = [part.most_common(1)[0] for part in by_part]
    # Someone else leads after nearly every swap, with the leader's share.
    assert len({key for key, _ in leaders}) >= 7
    share = 1 / sum(1 / k for k in range(1, 51))
    error = math.sqrt(share * (1 - share) / 10_000)
    for _, count in leaders:
        assert count / 10_000 == pytest.approx(share, abs=5 * error)
    assert keys == adapter_keys(50, "m")


def test_ranks_are_equally_frequent_and_unrelated_to_popularity():
    keys = adapter_keys(20_000, "m")
    for part in (keys[:2000], keys[2000:]):
        counts = Counter(map(popularity.rank_of, part))
        assert set(counts) == set(popularity.RANKS)
        for count in counts.values():
            error = math.sqrt(3 / 16 / len(part))
            assert count / len(part) == pytest.approx(1 / 4, abs=5 * error)
    # A property of the name, not of the model or of the run.
    assert popularity.rank_of(AdapterKey("a", "m")) == popularity.rank_of(
        AdapterKey("a", "n")
    )


def test_the_rate_follows_the_day():
    day = Day(days=2, swing=0.5)
    workload = replace(PLAIN, day=day)
    duration = workload.duration_ns
    counts = Counter()
    for time, _, _ in workload.arrivals(1):
        counts[time * 8 // duration] += 1
    # The means of 1 - cos/2 over the quarters of each of the two days.
    for part in range(8):
        begin, end = part % 4 * math.pi / 2, (part % 4 + 1) * math.pi / 2
        mean = 1 - 0.5 * (math.sin(end) - math.sin(begin)) / (end - begin)
        expected = mean * workload.requests / 8
        assert counts[part] == pytest.approx(expected, abs=5 * math.sqrt(expected))


@given(
    st.lists(st.integers(0, 10**7), max_size=30),
    st.builds(Day, st.integers(1, 3), st.floats(0.01, 0.99)),
)
def test_the_clock_is_the_inverse_of_the_rate(times, day):
    """Counting the rate up to the new time gives the old time back."""
    times.sort()
    duration = 5_000_000
    step = duration // (day.days * DAY_STEPS * 1000) * 1000
    rates = day.steps()
    assert sum(rates) == 1000 * DAY_STEPS
    for old, new in zip(times, change_clock(times, day, duration), strict=True):
        whole, rest = divmod(new, step)
        passed = sum(step // 1000 * rates[k % DAY_STEPS] for k in range(whole))
        # The new time is rounded down, so the next nanosecond is too late.
        rate = rates[whole % DAY_STEPS]
        assert passed * 1000 + rest * rate <= old * 1000
        assert old * 1000 < passed * 1000 + (rest + 1) * rate


def test_a_crowd_comes_beside_the_others_and_goes():
    workload = replace(PLAIN, crowd=Crowd(0.2, 0.5, 0.5, place=-1))
    crowd_key = adapter_keys(PLAIN.adapters, PLAIN.model)[-1]
    arrivals = list(workload.arrivals(1))
    begin, end = 0.2 * workload.duration_ns, 0.7 * workload.duration_ns
    inside = [r.key for time, r, _ in arrivals if begin <= time < end]
    outside = [r.key for time, r, _ in arrivals if not begin <= time < end]
    crowd = 0.5 * 100 * (end - begin) / SECOND
    assert inside.count(crowd_key) == pytest.approx(crowd, abs=6 * math.sqrt(crowd))
    assert outside.count(crowd_key) < 50
    # The last arrival comes when it is expected, within five standard errors.
    assert arrivals[-1][0] == pytest.approx(
        workload.duration_ns, rel=5 / math.sqrt(workload.requests)
    )
    # The others come as they would without it.
    plain = [(t, r.key) for t, r, _ in PLAIN.arrivals(1) if r.key != crowd_key]
    rest = [(t, r.key) for t, r, _ in arrivals if r.key != crowd_key]
    assert rest == plain[: len(rest)]


def conversations(arrivals):
    by_session = defaultdict(list)
    for time, request, output in arrivals:
        by_session[request.session].append((time, request, output))
    return by_session


def test_a_turn_repeats_all_that_was_said():
    sessions = Sessions(turns=4, think_ns=5 * SECOND, context=3000)
    workload = replace(PLAIN, requests=5000, sessions=sessions)
    begun = set()
    for name, turns in conversations(workload.arrivals(1)).items():
        assert name is not None
        assert len({request.key for _, request, _ in turns}) == 1
        for (time, before, output), (later, after, _) in itertools.pairwise(turns):
            assert after.prefix_tokens == before.prompt_tokens + output
            # Read out at token_ns a token; thinking takes time.
            assert later > time + output * sessions.token_ns
        for _, request, output in turns:
            assert request.prefix_tokens < request.prompt_tokens
            assert request.prompt_tokens + output <= sessions.context
        if turns[0][1].prefix_tokens == 0:
            begun.add(name)
    assert len(begun) > 500


def test_the_number_of_turns_is_geometric():
    """Of conversations that begin early enough to end within the run."""
    sessions = Sessions(turns=3, think_ns=SECOND, token_ns=0, context=10**6)
    workload = replace(PLAIN, sessions=sessions)
    early = workload.duration_ns // 2
    counts = [
        len(turns)
        for turns in conversations(workload.arrivals(1)).values()
        if turns[0][1].prefix_tokens == 0 and turns[0][0] < early
    ]
    # A geometric number with mean m has variance m·(m - 1).
    error = math.sqrt(3 * 2 / len(counts))
    assert statistics.fmean(counts) == pytest.approx(3, abs=5 * error)
    share = sum(count == 1 for count in counts) / len(counts)
    error = math.sqrt(2 / 9 / len(counts))
    assert share == pytest.approx(1 / 3, abs=5 * error)


def test_sessions_keep_the_rate_from_the_beginning():
    """Conversations are under way at time 0, so that there is no slow start."""
    workload = replace(PLAIN, sessions=Sessions(turns=5, think_ns=10 * SECOND))
    arrivals = list(workload.arrivals(1))
    # The context limit shortens some, and turns come in clusters: 10%.
    for part in range(4):
        begin, end = (workload.duration_ns * k // 4 for k in (part, part + 1))
        count = sum(begin <= time < end for time, _, _ in arrivals)
        assert count == pytest.approx(workload.requests / 4, rel=0.1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: replace(PLAIN, rate=0), "rate is 0"),
        (lambda: replace(PLAIN, rate=float("nan")), "rate is nan"),
        (lambda: replace(PLAIN, requests=0), "requests is 0"),
        (lambda: replace(PLAIN, requests=2.5), "requests is 2.5"),
        (lambda: replace(PLAIN, adapters=-1), "adapters is -1"),
        (lambda: replace(PLAIN, zipf=-0.1), "zipf is -0.1"),
        (lambda: replace(PLAIN, cv=0.01), "cv is 0.01"),
        (lambda: replace(PLAIN, adapter_cv=30), "adapter_cv is 30"),
        (lambda: replace(PLAIN, adapter_cv=2, day=Day()), "it must be 1 with"),
        (lambda: replace(PLAIN, crowd=Crowd(place=200)), "place is 200"),
        (lambda: Lengths(100, 1.0, 0, 5), "lowest is 0"),
        (lambda: Lengths(100, 1.0, 6, 5), "from 6 to 5"),
        (lambda: Day(swing=1), "swing is 1"),
        (lambda: Day(days=0), "days is 0"),
        (lambda: Crowd(start=0.8, length=0.4), "from 0.8 for 0.4"),
        (lambda: Crowd(rate_share=0), "rate_share is 0"),
        (lambda: Churn(0), "swaps is 0"),
        (lambda: Sessions(turns=0.5), "turns is 0.5"),
        (lambda: Sessions(think_ns=0), "think_ns is 0"),
        (lambda: Sessions(context=1), "context is 1"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
