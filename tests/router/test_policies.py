"""Every policy does what its system describes, on pools small enough to see."""

from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.hashing import HashRing
from tensorfleet.router import RouterConfig
from tensorfleet.router.policies import POLICIES
from tensorfleet.router.policy import ring_key
from tests.router.beliefs import report
from tests.router.fleets import (
    MILLISECOND,
    SECOND,
    Requests,
    key,
    make_router,
)

NAMES = "nopqr"


def chosen(router, request, now=0):
    return router.route(request, now).instance


def clockwise(adapter, names=NAMES):
    """The instances in the order in which the ring has them behind an adapter."""
    return list(HashRing(names).successors(ring_key(key(adapter))))


def test_random_is_uniform():
    router, request = make_router("random"), Requests()
    seen = Counter(chosen(router, request()) for _ in range(5000))
    # chi-square with 4 degrees of freedom: 18.5 is exceeded once in 1,000 seeds
    assert sum((seen[name] - 1000) ** 2 / 1000 for name in NAMES) < 18.5


def test_round_robin_takes_turns():
    router, request = make_router("round_robin"), Requests()
    turns = [chosen(router, request()) for _ in range(10)]
    assert turns[:5] == turns[5:]
    assert set(turns) == set(NAMES)


def test_least_outstanding_counts_requests_and_not_work():
    router, request = make_router("least_outstanding", "no"), Requests()
    first = request(tokens=1_000_000)
    assert chosen(router, first) == "n"
    assert chosen(router, request(tokens=1)) == "o"
    assert chosen(router, request(tokens=1)) == "n"
    router.finish(first, 1)
    assert chosen(router, request()) == "n"


def test_two_choices_of_all_is_the_least_loaded():
    router, request = make_router("two_choices", choices=5), Requests()
    loads = dict.fromkeys(NAMES, 0)
    for tokens in (5, 3, 8, 1, 9, 2, 2, 7):
        name = chosen(router, request(tokens=tokens))
        assert loads[name] == min(loads.values())
        loads[name] += tokens


def test_two_choices_never_takes_the_most_loaded_of_all():
    router, request = make_router("two_choices", "nop"), Requests()
    router.observe(report("p", 1, work=SECOND), 1)
    assert all(chosen(router, request(tokens=1), 1) != "p" for _ in range(200))


def test_consistent_hash_is_the_owner_whatever_its_load():
    router, request = make_router("consistent_hash"), Requests()
    for adapter in "abcdef":
        for _ in range(5):
            assert chosen(router, request(adapter, 10**6)) == clockwise(adapter)[0]


@given(epsilon=st.sampled_from([0.1, 0.25, 1.0, 3.0]), adapters=st.text("abcd"))
@settings(max_examples=50, deadline=None)
def test_bounded_hash_is_the_first_below_the_cap_of_the_theorem(epsilon, adapters):
    """The first clockwise with fewer than ⌈(1 + ε)·(m + 1)/n⌉ requests."""
    router, request = make_router("bounded_hash", epsilon=epsilon), Requests()
    loads = dict.fromkeys(NAMES, 0)
    for adapter in adapters:
        decision = router.route(request(adapter), 0)
        most = (1 + epsilon) * (sum(loads.values()) + 1) / len(NAMES)
        # a load below ⌈x⌉ is a load below x, for whole loads
        open_ = [name for name in clockwise(adapter) if loads[name] < most]
        assert decision.instance == open_[0]
        assert decision.steps == clockwise(adapter).index(open_[0])
        loads[decision.instance] += 1


def test_bounded_work_stays_at_home_below_the_floor():
    floor = 50 * MILLISECOND
    router, request = make_router("bounded_work", floor_ns=floor), Requests()
    home = clockwise("a")[0]
    taken = 0
    while True:
        name = chosen(router, request(tokens=10_000))
        if name != home:
            break
        taken += 10 * MILLISECOND
    # Alone with its requests it may hold 1.5 times the average of five only beyond the
    # floor, and a request is admitted while the load is below it.
    assert floor <= taken < floor + 10 * MILLISECOND
    assert name == clockwise("a")[1]


@pytest.mark.parametrize("policy", ["residency_first", "lora_affinity"])
def test_holders_are_preferred(policy):
    router, request = make_router(policy), Requests()
    router.observe(report("q", 1, resident={key("a"): 0}), 1)
    # other work keeps the average up, so that the holder is not far above it
    for name in "nopr":
        router.observe(report(name, 1, work=SECOND), 1)
    assert chosen(router, request("a"), 1) == "q"


def test_lora_affinity_leaves_a_holder_far_above_the_average():
    router, request = make_router("lora_affinity", threshold=2.0), Requests()
    router.observe(report("q", 1, resident={key("a"): 0}, work=SECOND), 1)
    assert chosen(router, request("a"), 1) != "q"


def test_lora_affinity_prefers_free_slots_to_less_work():
    router, request = make_router("lora_affinity"), Requests()
    for name in "nopq":
        router.observe(report(name, 1, free_slots=0), 1)
    router.observe(report("r", 1, free_slots=1, work=SECOND), 1)
    assert chosen(router, request("a"), 1) == "r"


def test_sticky_tokens_moves_only_when_its_place_is_far_above_the_average():
    """A load L beside an idle one is above 1.5 times (L + 100)/2 from L = 301 on."""
    router = make_router("sticky_tokens", "no", threshold=1.5)
    request = Requests()
    places = [chosen(router, request(tokens=100)) for _ in range(5)]
    assert places[:4] == [places[0]] * 4
    assert places[4] != places[0]


def test_predicted_ttft_weighs_work_against_a_cold_load():
    router = make_router("predicted_ttft", "no", cold_ns=100 * MILLISECOND)
    request = Requests()
    router.observe(report("n", 1, resident={key("a"): 0}, work=99 * MILLISECOND), 1)
    assert chosen(router, request("a", 1), 1) == "n"
    router.observe(report("n", 2, resident={key("a"): 0}, work=200 * MILLISECOND), 2)
    assert chosen(router, request("a", 1), 2) == "o"


@pytest.mark.parametrize("policy", ["predicted_ttft", "all_resident", "tensorfleet"])
def test_a_session_goes_where_its_prefix_saves_more_than_the_wait_costs(policy):
    router, request = make_router(policy, "no", cold_ns=0), Requests()
    first = request(session="s", tokens=1000)
    place = chosen(router, first)
    router.finish(first, 1)
    router.observe(report(place, 2, work=20 * MILLISECOND), 2)
    stays = request(session="s", tokens=90_000, prefix_tokens=80_000)
    assert chosen(router, stays, 2) == place
    router.finish(stays, 3)
    router.observe(report(place, 4, work=200 * MILLISECOND), 4)
    leaves = request(session="s", tokens=90_000, prefix_tokens=80_000)
    assert chosen(router, leaves, 4) != place


def test_notes_compare_two_of_the_replicas_by_queue_and_utilisation():
    router = make_router("notes", replicas=2, alpha=1.0, beta=1.0)
    request = Requests()
    first, second = clockwise("a")[:2]
    router.observe(report(first, 1, waiting=3, gpu_util=0.5), 1)
    router.observe(report(second, 1, waiting=3, gpu_util=0.4), 1)
    assert chosen(router, request("a"), 1) == second
    router.observe(report(second, 2, waiting=4, gpu_util=0.0), 2)
    assert chosen(router, request("a"), 2) == first


class TestTensorFleet:
    def test_stays_at_home_below_the_floor_and_then_takes_the_cheapest(self):
        router = make_router("tensorfleet", replicas=1, floor_ns=50 * MILLISECOND)
        request, home = Requests(), clockwise("a")[0]
        names = [chosen(router, request("a", 10_000)) for _ in range(6)]
        assert names[:5] == [home] * 5
        assert names[5] != home

    def test_a_full_home_makes_way_for_a_holder_before_an_idle_stranger(self):
        router = make_router(
            "tensorfleet", replicas=1, floor_ns=0, cold_ns=100 * MILLISECOND
        )
        request = Requests()
        home, *others = clockwise("a")
        holder = others[-1]
        router.observe(report(home, 1, resident={key("a"): 0}, work=SECOND), 1)
        router.observe(
            report(holder, 1, resident={key("a"): 0}, work=50 * MILLISECOND), 1
        )
        assert chosen(router, request("a"), 1) == holder

    def test_it_goes_to_a_free_slot_before_one_that_must_be_waited_for(self):
        router = make_router("tensorfleet", replicas=1, floor_ns=0)
        request = Requests()
        home, *others = clockwise("a")
        router.observe(report(home, 1, work=SECOND), 1)
        for name in others[:2] + others[3:]:
            router.observe(report(name, 1, free_slots=0), 1)
        assert chosen(router, request("a"), 1) == others[2]

    def test_two_spills_within_a_second_make_a_replica(self):
        router = make_router("tensorfleet", replicas=1, floor_ns=0, max_replicas=3)
        request, home = Requests(), clockwise("a")[0]
        now = count(1)
        for _ in range(2):
            time = next(now)
            router.observe(report(home, time, work=SECOND), time)
            assert chosen(router, request("a"), time) != home
        assert len(router.replicas()[key("a")]) == 2

    def test_a_clock_that_is_set_back_makes_none(self):
        router = make_router("tensorfleet", replicas=1, floor_ns=0)
        request, home = Requests(), clockwise("a")[0]
        for time in (3600 * SECOND, SECOND):
            router.members.instances[home].report_time = -1
            router.observe(report(home, time, work=SECOND), time)
            assert chosen(router, request("a"), time) != home
        assert not router.replicas()

    def test_a_new_session_prefers_no_home_that_it_was_never_at(self):
        router = make_router("tensorfleet", replicas=2, sticky_ns=0)
        request = Requests()
        for name in NAMES:
            router.observe(report(name, 1, free_slots=40), 1)
        for number in range(40):
            adapter = f"adapter-{number}"
            asked = request(adapter, 100, session=f"session-{number}")
            assert chosen(router, asked) == clockwise(adapter)[0]
            router.finish(asked, 0)

    def test_spills_far_apart_make_none(self):
        router = make_router("tensorfleet", replicas=1, floor_ns=0)
        request, home = Requests(), clockwise("a")[0]
        for time in (1, 2 * SECOND):
            for name in NAMES:
                router.observe(report(name, time), time)
            router.observe(report(home, time + 1, work=SECOND), time + 1)
            assert chosen(router, request("a"), time + 2) != home
        assert not router.replicas()

    @given(loads=st.lists(st.integers(0, 10), min_size=5, max_size=5))
    @settings(max_examples=30, deadline=None)
    def test_someone_always_has_room(self, loads):
        """The least load is at most the average, and so below the cap."""
        router = make_router("tensorfleet", epsilon=0.001, floor_ns=0, window=1)
        request = Requests()
        for name, load in zip(NAMES, loads, strict=True):
            router.observe(report(name, 1, work=load * SECOND), 1)
        decision = router.route(request("a", 1), 1)
        assert not decision.overflow
        taken = loads[NAMES.index(decision.instance)]
        assert taken <= sum(loads) / len(loads) * 1.001 + 1e-6  # its own microsecond

    def test_a_new_session_of_two_routers_goes_to_one_replica(self):
        """They have not met, and agree by rendezvous hashing."""
        routers = [
            make_router("tensorfleet", seed=seed, replicas=3) for seed in range(2)
        ]
        request = Requests()
        for number in range(20):
            places = {
                chosen(router, request("a", 10, session=f"s{number}"))
                for router in routers
            }
            assert len(places) == 1


@pytest.mark.parametrize("policy", POLICIES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_any_policy_chooses_a_member_and_counts_what_it_sent(policy, data):
    """Whatever happens, instances are members and outstanding work drains to zero."""
    router, request = make_router(policy, "nop"), Requests()
    outstanding, now = {}, 0
    for _ in range(data.draw(st.integers(1, 30))):
        now += data.draw(st.integers(1, SECOND))
        if outstanding and data.draw(st.booleans()):
            number = data.draw(st.sampled_from(sorted(outstanding)))
            router.finish(outstanding.pop(number), now, output_tokens=5)
            continue
        for name in "nop":
            router.observe(report(name, now), now)
        tokens = data.draw(st.integers(1, 5000))
        session = data.draw(st.sampled_from([None, "s", "t"]))
        asked = request(data.draw(st.sampled_from("abc")), tokens, session=session)
        decision = router.route(asked, now)
        assert decision.instance in set("nop")
        assert decision.why.startswith(decision.instance)
        outstanding[asked.id] = asked
    for asked in outstanding.values():
        router.finish(asked, now)
    assert router.sent == {}
    for instance in router.members.instances.values():
        assert instance.num_requests == instance.recent_work == instance.included == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epsilon", 0),
        ("replica_share", -1.0),
        ("alpha", -0.1),
        ("replicas", 0),
        ("max_replicas", 0),
        ("floor_ns", 1.5),
        ("cooldown_ns", -1),
    ],
)
def test_an_impossible_configuration_names_the_value(field, value):
    with pytest.raises(ValueError, match=f"{field} is {value}"):
        RouterConfig(**{field: value})


def test_an_unknown_policy_names_those_that_there_are():
    with pytest.raises(ValueError, match=r"'fastest'.*tensorfleet, notes"):
        make_router("fastest")
