"""Queues fed by choice, against queueing theory and a plain re-enactment."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.choices import theory
from tensorfleet.choices.queues import MEAN_SERVICE, Setting, simulate

SETTINGS = st.builds(
    lambda n, u, d, every, own, routers: Setting(
        n, u, d, every, own and every > 0, routers if every else 1
    ),
    st.integers(1, 5),
    st.floats(0.1, 0.95),
    st.integers(1, 7),
    st.sampled_from([0, 1, MEAN_SERVICE // 3, 10 * MEAN_SERVICE]),
    st.booleans(),
    st.integers(1, 3),
)


@pytest.mark.parametrize(
    ("num_servers", "d", "utilisation", "tolerance"),
    [
        # Three to four standard deviations of the mean, as a dozen other seeds show it.
        # One choice is M/M/1 for any number of servers, and few servers let it settle;
        # two and three choices need many, and settle quickly.
        (20, 1, 0.5, 0.04),
        (20, 1, 0.8, 0.06),
        (100, 2, 0.8, 0.03),
        (100, 2, 0.9, 0.05),
        (100, 3, 0.9, 0.05),
    ],
)
def test_mean_time_is_what_queueing_theory_says(num_servers, d, utilisation, tolerance):
    jobs = simulate(Setting(num_servers, utilisation, d), 200_000, seed=4).settled()
    expected = theory.queue_time(utilisation, d)
    assert jobs.mean() == pytest.approx(expected, rel=tolerance)


def test_shares_of_queue_lengths_are_the_fixed_point():
    num_servers, utilisation = 500, 0.9
    jobs = simulate(Setting(num_servers, utilisation, 2), 60_000, seed=5)
    last = jobs.arrivals[-1]
    moments = [last // 2 + k * last // 20 for k in range(9)]
    lengths = [n for moment in moments for n in jobs.lengths(moment, num_servers)]
    for level, share in enumerate(theory.queue_shares(utilisation, 2, 6)):
        found = sum(n >= level for n in lengths) / len(lengths)
        # Four standard deviations of 4500 independent observations, and 0.005 since
        # these are correlated in time, and 500 servers are not infinitely many.
        assert abs(found - share) < 4 * (share * (1 - share) / 4500) ** 0.5 + 0.005


@pytest.mark.parametrize("utilisation", [0.3, 0.9, 0.999])
def test_one_choice_is_an_mm1_queue(utilisation):
    assert theory.queue_time(utilisation, 1) == pytest.approx(1 / (1 - utilisation))
    shares = theory.queue_shares(utilisation, 1, 5)
    assert shares == pytest.approx([utilisation**i for i in range(6)])


@pytest.mark.parametrize("d", [1, 2, 3, 8])
def test_shares_are_a_fixed_point(d):
    """In equilibrium a level gains lambda(s_(i-1)^d - s_i^d), loses s_i - s_(i+1)."""
    u = 0.9
    s = theory.queue_shares(u, d, 12)
    for i in range(1, 12):
        gained = u * (s[i - 1] ** d - s[i] ** d)
        assert gained == pytest.approx(s[i] - s[i + 1], abs=1e-12)


def test_theory_names_what_is_wrong():
    for utilisation in (0, 1, -0.5):
        with pytest.raises(ValueError, match=f"utilisation is {utilisation}"):
            theory.queue_shares(utilisation, 2, 3)
    with pytest.raises(ValueError, match="d is 0"):
        theory.queue_shares(0.5, 0, 3)
    with pytest.raises(ValueError, match="d is 0"):
        theory.bin_shares(0, 3)


def reenact(setting, num_jobs, seed):
    """The same model, slowly: lengths are counted anew from all jobs, no heap."""
    workload, random = Random(seed), Random(seed + 1)
    rate = setting.num_servers * setting.utilisation / MEAN_SERVICE
    jobs, now = [], 0  # (arrival, departure, server)
    for number in range(num_jobs):
        now += round(workload.expovariate(rate))
        service = round(workload.expovariate(1 / MEAN_SERVICE))
        every = setting.report_every
        seen = now // every * every if every else now

        def known(server, router=number % setting.num_routers, seen=seen):
            length = sum(s == server and a < seen < d for a, d, s in jobs)
            # arrived at the very moment of the report: after it
            own = [
                k
                for k, (a, _, s) in enumerate(jobs)
                if s == server and a >= seen and k % setting.num_routers == router
            ]
            return length + (len(own) if setting.count_own else 0)

        def exact(server, now=now):
            return sum(s == server and d > now for _, d, s in jobs)

        look = known if every else exact
        servers = list(range(setting.num_servers))
        if setting.d >= setting.num_servers:
            low = min(map(look, servers))
            ties = [s for s in servers if look(s) == low]
            chosen = ties[int(random.random() * len(ties))]
        else:
            drawn = []
            for place in range(setting.d):
                k = place + int(random.random() * (len(servers) - place))
                servers[place], servers[k] = servers[k], servers[place]
                drawn.append(servers[place])
            chosen = min(drawn, key=look)
        free = max([d for _, d, s in jobs if s == chosen], default=0)
        jobs.append((now, max(now, free) + service, chosen))
    return jobs


@settings(max_examples=60)
@given(SETTINGS, st.integers(0, 1000))
def test_simulation_is_its_slow_reenactment(setting, seed):
    if setting.d == 2 < setting.num_servers:  # pair closes the gap another way
        setting = Setting(setting.num_servers, setting.utilisation, 3)
    jobs = simulate(setting, 40, seed)
    found = list(zip(jobs.arrivals, jobs.departures, jobs.servers, strict=True))
    assert found == reenact(setting, 40, seed)


def test_settings_of_one_seed_see_the_same_jobs():
    runs = [simulate(Setting(10, 0.8, d), 500, seed=3) for d in (1, 2, 10)]
    assert runs[0].arrivals == runs[1].arrivals == runs[2].arrivals
    assert simulate(Setting(10, 0.8, 2), 500, seed=3) == runs[1]


def mean(d, periods, **options):
    every = round(periods * MEAN_SERVICE)
    return simulate(Setting(50, 0.9, d, every, **options), 40_000, 6).settled().mean()


def test_old_reports_turn_the_best_policy_into_the_worst():
    """Mitzenmacher (2000): with old information, less of it is better.

    The margins are factors between means that differ by several times.
    """
    shortest, two, one = mean(50, 20), mean(2, 20), mean(1, 20)
    assert two < one < shortest / 1.5
    assert mean(50, 0.05) < mean(2, 0.05) / 1.3


def test_counting_ones_own_requests_ends_the_herd_of_a_lone_router():
    herd, alone = mean(50, 20), mean(50, 20, count_own=True)
    many = mean(50, 20, count_own=True, num_routers=20)
    assert alone < herd / 5
    assert 2 * alone < many < herd


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_servers": 0}, "num_servers is 0"),
        ({"d": 0}, "d is 0"),
        ({"num_routers": 0}, "num_routers is 0"),
        ({"utilisation": 1.0}, "utilisation is 1.0: it must be between 0 and 1"),
        ({"report_every": -1}, "report_every is -1"),
        ({"count_own": True}, "count_own and num_routers need a report_every"),
        ({"num_routers": 2}, "count_own and num_routers need a report_every"),
    ],
)
def test_bad_settings(fields, message):
    with pytest.raises(ValueError, match=message):
        Setting(**{"num_servers": 3, "utilisation": 0.5, "d": 2} | fields)
