"""Messages drive a panel just as calls do, and what goes wrong is said in one line."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore import Picture, Scene
from tensorfleet.explore.session import Sessions, do, find_panel, in_words
from tensorfleet.hashing.panel import HashingPanel

PATH = "tensorfleet.hashing.panel:HashingPanel"


def say(sessions, **message):
    return json.loads(sessions.handle(json.dumps({"id": "one"} | message)))


def opened(**state):
    sessions = Sessions()
    answer = say(sessions, do="open", panel=PATH, state=state, after=0)
    return sessions, answer


MESSAGES = st.one_of(
    st.sampled_from([
        {"do": "act", "name": "add"},
        {"do": "act", "name": "drop"},
        {"do": "act", "name": "bounded", "value": True},
        {"do": "advance", "seconds": 0.5},
        {"do": "reset"},
        {"do": "show"},
    ]),
    st.builds(
        lambda value: {"do": "act", "name": "num_keys", "value": value},
        st.integers(10, 200),
    ),
)  # fmt: skip


@given(st.lists(MESSAGES, max_size=6))
@settings(max_examples=30)
def test_messages_do_what_calls_do(messages):
    sessions, answer = opened(num_keys=30)
    panel = HashingPanel(num_keys=30)
    for message in messages:
        answer = say(sessions, **message)
        do(panel, message)
    told = json.loads(json.dumps({"scene": panel.frame().to_dict()}))
    assert answer == told | {"state": panel.state, "id": "one", "n": None}


def test_an_answer_has_the_number_of_its_message():
    sessions, _ = opened()
    assert say(sessions, do="show", n=7)["n"] == 7


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            {"do": "act", "name": "num_keys", "value": 999},
            "num_keys is 999: it must be",
        ),
        ({"do": "act", "name": "num_keys", "value": None}, "it needs a value"),
        (
            {"do": "act", "name": "nothing"},
            "there is no control 'nothing': there are num_keys",
        ),
        ({"do": "advance", "seconds": -1}, "seconds is -1"),
        ({"do": "pick", "value": "z"}, "there is no node 'z'"),
        ({"do": "dance"}, "the message says 'dance': it must be act, advance"),
        ({"do": "act"}, "KeyError: name"),
    ],
)
def test_what_is_wrong_is_said_and_the_panel_goes_on(message, said):
    sessions, before = opened()
    assert said in say(sessions, **message)["error"]
    after = say(sessions, do="show")
    assert (after["scene"], after["state"]) == (before["scene"], before["state"])


def test_sessions_are_apart_and_closed_ones_are_gone():
    sessions, _ = opened()
    say(sessions, id="two", do="open", panel=PATH, state={}, after=0)
    say(sessions, id="two", do="act", name="add")
    assert say(sessions, do="show")["scene"]["figures"]["nodes"] == 4
    assert say(sessions, id="two", do="show")["scene"]["figures"]["nodes"] == 5
    say(sessions, id="two", do="close")
    assert "no session 'two'" in say(sessions, id="two", do="show")["error"]
    assert list(sessions.panels) == ["one"]


@pytest.mark.parametrize(
    "path",
    [
        "os:system",
        "tensorfleet.hashing.panel:NAMES",
        "tensorfleet.hashing.panel:Fraction",
        "tensorfleet.hashing.panel",
        "json:JSONDecoder",
    ],
)
def test_nothing_but_a_panel_of_the_package_is_opened(path):
    with pytest.raises(ValueError, match="it must be tensorfleet"):
        find_panel(path)


def test_a_frame_that_json_cannot_hold_is_an_error_not_a_broken_message():
    class Odd(HashingPanel):
        def frame(self):
            return Scene([Picture("p", 9, 9, [], alt="x")], figures={"n": float("nan")})

    sessions, _ = opened()
    sessions.panels["one"] = Odd()
    assert "must be finite" in say(sessions, do="show")["error"]


@given(st.text(max_size=30))
def test_errors_are_one_line(words):
    for error in (ValueError(words), KeyError(words), RuntimeError(), TypeError(words)):
        assert in_words(error)
        assert "\n" not in in_words(error)
