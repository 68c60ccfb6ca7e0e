"""What every panel of the package keeps, whatever a reader does to it."""

import gc
import json
import tracemalloc
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from book_ext.runtime import all_panels
from tensorfleet.explore.panel import Button, Choice, Slider, Toggle
from tensorfleet.explore.session import do, find_panel

PANELS = [panel["path"] for panel in all_panels()]


def values(control):
    match control:
        case Button():
            return st.none()
        case Slider():
            return st.sampled_from((control.lowest, control.highest, control.default))
        case Choice():
            return st.sampled_from(control.options)
        case Toggle():
            return st.booleans()
    return st.sampled_from(("", "the cat sat", control.default))


def actions(kind):
    """Messages that a page may send."""
    acts = [
        st.fixed_dictionaries(
            {"do": st.just("act"), "name": st.just(control.name)}
            | ({} if isinstance(control, Button) else {"value": values(control)})
        )
        for control in kind.controls
    ]
    ticks = st.sampled_from((0.05, 0.3, 1.0)).map(
        lambda seconds: {"do": "advance", "seconds": seconds}
    )
    return st.lists(
        st.one_of(*acts, ticks, ticks, st.just({"do": "reset"})), max_size=6
    )


@pytest.mark.slow
@pytest.mark.parametrize("path", PANELS)
def test_every_frame_is_whole_and_the_same_actions_give_the_same(path):
    kind = find_panel(path)

    @given(actions(kind))
    @settings(max_examples=12)
    def check(messages):
        panels = kind(), kind()
        for message in messages:
            for panel in panels:
                do(panel, message)
            scene, other = (panel.frame() for panel in panels)
            assert json.loads(scene.to_json()) == json.loads(other.to_json())
            assert panels[0].state == panels[1].state
            assert scene.to_svg().startswith("<svg")
            assert scene.figures
            for picture in scene.pictures:
                assert 280 <= picture.width <= 380  # so that it is read on a phone

    check()


@pytest.mark.parametrize("path", PANELS)
def test_it_is_declared_as_readers_need_it(path):
    kind = find_panel(path)
    assert kind.title
    names = [control.name for control in kind.controls]
    assert len(set(names)) == len(names)
    assert all(control.label for control in kind.controls)


def empty_bounded_caches():
    """Those of this package, of which each call keeps one result until they are full.

    They fill slowly, over hours; an unbounded one stays as it is.
    """
    kind = type(lru_cache(int))
    for cached in [each for each in gc.get_objects() if type(each) is kind]:
        ours = cached.__module__.startswith("tensorfleet.")
        if ours and cached.cache_parameters()["maxsize"] is not None:
            cached.cache_clear()


def bytes_after(panel, seconds):
    """What Python has allocated after so many seconds more, each of them shown."""
    for _ in range(seconds):
        panel.advance(1.0)
        panel.frame().to_json()
    empty_bounded_caches()
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.slow
@pytest.mark.parametrize("path", [path for path in PANELS if find_panel(path).moves])
def test_a_tab_that_is_left_open_does_not_grow(path):
    # Half an hour and a whole one. The two fleets, with 100 requests a second on each
    # side, would take minutes for that: theirs is four minutes and eight, in which tens
    # of thousands of requests end. What router and simulator keep by themselves is
    # measured in tests/fleet.
    half = 240 if "FleetPanel" in path else 1800
    tracemalloc.start()
    try:
        panel = find_panel(path)()
        before = bytes_after(panel, half)
        after = bytes_after(panel, half)
    finally:
        tracemalloc.stop()
    assert after < before * 1.05  # what is under way differs from one moment to another
