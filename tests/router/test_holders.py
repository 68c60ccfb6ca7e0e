"""The index of holders, against the lists that it turns around."""

from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.router.holders import Holders
from tests.router.beliefs import KEY

NAMES = st.sampled_from("xyz")
KEYS = st.sampled_from([KEY._replace(adapter=str(i)) for i in range(5)])
EVENTS = st.one_of(
    st.tuples(st.just("reports"), NAMES, st.lists(KEYS)),
    st.tuples(st.just("is sent"), NAMES, KEYS),
    st.tuples(st.just("leaves"), NAMES),
)


@given(st.lists(EVENTS, max_size=30))
def test_it_is_what_the_instances_hold(events):
    holders, held = Holders(), {}
    for what, name, *more in events:
        if what == "reports":
            held[name] = dict.fromkeys(*more)
            holders.follow(name, held[name])
        elif what == "is sent" and name in held:
            held[name][more[0]] = None
            holders.add(name, more[0])
        elif what == "leaves" and name in held:
            del held[name]
            holders.forget(name)
        truth = {}
        for holder, keys in held.items():
            for key in keys:
                truth.setdefault(key.adapter, set()).add(holder)
                assert holder in holders.of(key)
        found = {name: set(names) for name, names in holders.by_adapter.items()}
        assert found == truth


def test_nobody_holds_an_unknown_adapter():
    assert list(Holders().of(KEY)) == []
