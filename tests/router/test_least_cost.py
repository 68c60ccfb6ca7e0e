"""Where two choices do not settle it, the cheapest candidate takes the request."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.router.tensorfleet_policy import MAX_HOLDERS
from tests.router.beliefs import report
from tests.router.fleets import MILLISECOND, MODEL, Requests, key, make_router

NAMES = "abcdefghijklmnop"


def states(loads):
    """Load in ms, whether it holds the adapter, and free slots, for each instance."""
    return st.lists(
        st.tuples(loads, st.booleans(), st.integers(-1, 2)),
        min_size=len(NAMES),
        max_size=len(NAMES),
    )


def cost(policy, name, asked, first_home):
    """The work ahead, and what a missing adapter adds, as the module has it."""
    config, instance = policy.config, policy.pool.instances[name]
    added = 0
    if asked.key not in instance.held:
        added = config.warm_ns if name == first_home else config.cold_ns
        added += config.crowded_ns * max(1 - instance.free_slots, 0)
    return policy.pool.loads[name] + added


def cheapest(policy, asked, serving, work, now):
    """The first of the cheapest with room: by listing all that come into question."""
    ring, table = policy.pool.ring, policy.table
    holders = list(policy.pool.holders.of(asked.key))[:MAX_HOLDERS]
    others = holders or table.near(asked.key)
    least = min(ring.loads, key=lambda n: (ring.loads[n] / ring.weights[n], n))
    candidates = dict.fromkeys((*serving, *others, least))
    roomy = [n for n in candidates if ring.loads[n] < ring.cap(n, now, work)]
    return min(roomy, key=lambda n: cost(policy, n, asked, serving[0]), default=least)


@given(
    # Narrow spreads, where a missing adapter decides, and wide ones, where load does.
    instances=st.one_of(states(st.integers(90, 140)), states(st.integers(0, 2000))),
    heavy=st.sets(st.sampled_from(NAMES)),
    replicas=st.integers(1, 4),
    tokens=st.integers(1, 200_000),
)
@settings(max_examples=300, deadline=None)
def test_it_is_the_cheapest_of_those_with_room(instances, heavy, replicas, tokens):
    router = make_router("tensorfleet", names="", replicas=replicas, max_replicas=16)
    asked = Requests()("a", tokens)
    for name, (load, holds, free_slots) in zip(NAMES, instances, strict=True):
        weight = 2.0 if name in heavy else 1.0
        router.join(name, 0, model=MODEL, weight=weight)
        resident = {key("a"): 0} if holds else {}
        said = {"work": load * MILLISECOND, "resident": resident}
        router.observe(report(name, 1, free_slots=free_slots, **said), 1)
    policy, work = router.members.prefilling[MODEL], router.expected_work(asked)
    serving = policy.table.serving(asked.key, 1)
    expected = cheapest(policy, asked, serving, work, 1)
    ring = policy.pool.ring
    is_full = ring.loads[expected] >= ring.cap(expected, 1, work)
    name, _, _, _, overflow = policy._settle(asked, serving, work, 1)
    assert (name, overflow) == (expected, is_full)
