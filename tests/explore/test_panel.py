"""Panels check what comes from outside against what they declare."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.explore import (
    Button,
    Choice,
    Panel,
    Picture,
    Scene,
    Slider,
    Toggle,
    Words,
)
from tensorfleet.explore.panel import LONGEST_STEP


class Counter(Panel):
    """Counts what happens to it."""

    controls = (
        Slider("rate", "rate", 0, 10, 2, 4, "1/s"),
        Slider("share", "share", 0.1, 0.9, 0.1, 0.5),
        Choice("colour", "colour", ("red", "blue"), "red"),
        Toggle("fast", "fast"),
        Words("name", "name", "x", longest=5),
        Button("drop", "drop one"),
    )

    def reset(self):
        self.resets = getattr(self, "resets", 0) + 1
        self.drops = 0
        self.time = 0.0

    def pressed(self, name):
        self.drops += 1

    def passed(self, seconds):
        self.time += seconds

    def frame(self):
        return Scene([Picture("p", 9, 9, [], alt="x")], figures={"drops": self.drops})


def test_state_begins_with_the_defaults_and_what_is_given():
    panel = Counter(rate=8, name="me")
    assert panel.state == {
        "rate": 8, "share": 0.5, "colour": "red", "fast": False, "name": "me"
    }  # fmt: skip


def test_a_setting_begins_again_and_a_button_does_not():
    panel = Counter()
    panel.act("drop")
    panel.act("drop")
    assert panel.frame().figures == {"drops": 2}
    panel.act("colour", "blue")
    assert (panel.state["colour"], panel.drops, panel.resets) == ("blue", 0, 2)


@given(st.floats(0.1, 0.9))
def test_a_slider_gives_one_of_its_steps(value):
    panel = Counter()
    panel.act("share", value)
    got = panel.state["share"]
    assert got in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert abs(got - value) <= 0.05 + 1e-9


def test_a_slider_of_whole_steps_gives_whole_numbers():
    panel = Counter()
    panel.act("rate", 6.9)
    assert panel.state["rate"] == 6
    assert isinstance(panel.state["rate"], int)


@given(st.lists(st.floats(0, 100), max_size=9))
def test_a_page_that_was_away_does_not_catch_up(steps):
    panel = Counter()
    for seconds in steps:
        panel.advance(seconds)
    assert panel.time == pytest.approx(sum(min(s, LONGEST_STEP) for s in steps))


@pytest.mark.parametrize(
    ("name", "value", "error", "said"),
    [
        ("rate", 11, ValueError, "rate is 11: it must be from 0 to 10"),
        ("rate", nan, ValueError, "rate is nan"),
        ("rate", "4", TypeError, "rate is '4': it must be a number"),
        ("rate", True, TypeError, "rate is True: it must be a number"),
        ("rate", None, ValueError, "rate is not a button: it needs a value"),
        ("colour", "green", ValueError, "must be one of red, blue"),
        ("colour", 1, ValueError, "colour is 1: it must be one of"),
        ("fast", 1, TypeError, "fast is 1: it must be true or false"),
        ("name", "abcdef", ValueError, "6 characters: it must be one line of 5"),
        ("name", "a\nb", ValueError, "must be one line"),
        ("name", 7, TypeError, "name is 7: it must be a text"),
        ("drop", 1, ValueError, "drop is a button: 1 cannot be set on it"),
        ("stop", None, KeyError, "no control 'stop': there are rate, share"),
    ],
)
def test_what_is_not_declared_is_refused_and_changes_nothing(name, value, error, said):
    panel = Counter()
    before = dict(panel.state), panel.resets
    with pytest.raises(error, match=said):
        panel.act(name, value)
    assert (panel.state, panel.resets) == before


def test_a_state_from_outside_is_checked_too():
    with pytest.raises(ValueError, match="rate is 99"):
        Counter(rate=99)
    with pytest.raises(KeyError, match="no control 'speed'"):
        Counter(speed=1)
    with pytest.raises(ValueError, match="drop is a button: it has no state"):
        Counter(drop=1)


@pytest.mark.parametrize("seconds", [-0.1, nan, inf])
def test_time_only_passes_forwards(seconds):
    with pytest.raises(ValueError, match="it must be 0 or more"):
        Counter().advance(seconds)
