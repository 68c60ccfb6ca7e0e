"""The loss explorable shows what the definition computes, whatever is done to it."""

from math import exp, isclose, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Line, Rect, Text
from tensorfleet.loss import example, softmax, token_loss
from tensorfleet.loss.panel import HIGHEST, LOWEST, NAMES, LossPanel
from tensorfleet.loss.panel_picture import TALL
from tests.driving import do, marks_of

ACTIONS = st.one_of(
    st.tuples(st.sampled_from(NAMES), st.sampled_from([LOWEST, 0.0, 0.3, HIGHEST])),
    st.tuples(st.just("target"), st.sampled_from(example.WORDS)),
    st.tuples(st.just("temperature"), st.sampled_from([0.2, 1.0, 4.0])),
    st.tuples(st.just("smoothing"), st.sampled_from([0.0, 0.1, 0.5])),
    st.tuples(st.just("listed"), st.booleans()),
    st.tuples(st.sampled_from(["read_0", "read_1", "read_2", "step"]), st.none()),
    st.tuples(st.just("pick"), st.sampled_from(["0", "4"])),
)


def logits(panel):
    return [panel.state[name] for name in NAMES]


def figure(panel, name):
    return float(panel.frame().figures[name])


def bars(panel, begins):
    return list(marks_of(panel, Rect, begins).values())


@given(st.lists(ACTIONS, max_size=6))
@settings(max_examples=40)
def test_every_frame_shows_what_the_definition_computes(actions):
    panel = LossPanel()
    for name, value in actions:
        do(panel, name, value)
    temperature, smoothing = panel.state["temperature"], panel.state["smoothing"]
    target = example.WORDS.index(panel.state["target"])
    p = softmax(logits(panel), temperature)
    scaled = [logit / temperature for logit in logits(panel)]
    loss = token_loss(scaled, target, smoothing)
    # What is shown is rounded to three decimals.
    assert isclose(figure(panel, "loss"), loss, abs_tol=6e-4, rel_tol=0.06)
    assert figure(panel, "probability of the target") == round(p[target], 3)
    assert figure(panel, "loss") >= figure(panel, "least possible loss")
    assert figure(panel, "sum of the gradient") == 0
    assert [bar.height for bar in bars(panel, "p bar")] == pytest.approx(
        [TALL * x for x in p]
    )
    wanted = [smoothing / 5 + (1 - smoothing) * (i == target) for i in range(5)]
    slopes = [(x - y) / temperature for x, y in zip(p, wanted, strict=True)]
    texts = [mark.text for mark in marks_of(panel, Text, "entry 1 ").values()]
    gradient = [float(text) for text in texts if text[0] in "+-"]
    for shown, slope, bar in zip(gradient, slopes, bars(panel, "slope"), strict=True):
        assert shown == pytest.approx(slope, abs=6e-4)
        assert bar.role == ("good" if slope < 0 else "bad")
    assert all(LOWEST <= logit <= HIGHEST for logit in logits(panel))


def test_the_notes_probabilities_stand_beside_their_own_logits_alone():
    panel = LossPanel()
    for row in range(3):
        panel.act(f"read_{row}")
        assert tuple(logits(panel)) == example.LOGITS[row]
        hollow = [bar.height / TALL for bar in bars(panel, "p listed")]
        assert hollow == pytest.approx(example.LISTED[row])
        (said,) = panel.frame().log
        listed = example.LISTED[row][example.TARGETS[row]]
        assert f"list {listed:.2f}" in said
        assert said.endswith(str(panel.frame().figures["probability of the target"]))
    panel.act("listed", False)
    assert not bars(panel, "p listed")
    panel.act("listed", True)
    for name, value in (("logit_0", 1.0), ("temperature", 2.0)):
        panel = LossPanel(**{name: value})
        assert not bars(panel, "p listed")


def test_a_click_makes_a_word_the_target():
    panel = LossPanel()
    assert [bar.pick for bar in bars(panel, "p bar")] == list("01234")
    panel.pick("4")
    assert panel.state["target"] == "and"
    assert marks_of(panel, Line, "target")["target"].hint == "the target is and"
    for wrong in ("5", "x", "-1", ""):
        with pytest.raises(ValueError, match=f"there is no word '{wrong}'"):
            panel.pick(wrong)


# --- what the page says to try ----------------------------------------------------


def test_the_three_tries_one_after_the_other_on_one_panel():
    panel = LossPanel()
    _try_1_the_true_softmax_is_surer_than_the_notes_list(panel)
    _try_2_downhill_towards_another_word(panel)
    _try_3_smoothing_punishes_certainty_and_temperature_evens_out(panel)


def _try_1_the_true_softmax_is_surer_than_the_notes_list(panel):
    """The three buttons; the mean of the losses is 0.490, from the list 0.569."""
    losses, listed = [], []
    for row in range(3):
        panel.act(f"read_{row}")
        losses.append(figure(panel, "loss"))
        target = example.TARGETS[row]
        listed.append(-log(example.LISTED[row][target]))
    assert losses == [0.395, 0.502, 0.573]
    assert round(sum(losses) / 3, 2) == 0.49
    assert round(sum(listed) / 3, 2) == 0.57
    # The first two targets are more probable than listed, the third is less.
    assert [exp(-a) > exp(-b) for a, b in zip(losses, listed, strict=True)] == [
        True,
        True,
        False,
    ]


def _try_2_downhill_towards_another_word(panel):
    panel.pick("4")
    roles = [bar.role for bar in bars(panel, "slope")]
    assert roles == ["bad"] * 4 + ["good"]
    stayed = []
    for _ in range(5):
        before, loss = logits(panel), figure(panel, "loss")
        panel.act("step")
        after = logits(panel)
        assert after[4] > before[4]
        assert all(now <= then for now, then in zip(after[:4], before[:4], strict=True))
        stayed.append(any(now == then for now, then in zip(after, before, strict=True)))
        assert figure(panel, "loss") < loss
    assert stayed == sorted(stayed)  # first all move, then some stay
    assert stayed[-1]
    assert not stayed[0]
    assert max(logits(panel)) == panel.state["logit_4"]
    assert figure(panel, "loss") < 0.1


def _try_3_smoothing_punishes_certainty_and_temperature_evens_out(panel):
    panel.act("read_0")
    panel.act("logit_1", 8.0)
    assert figure(panel, "loss") == 0.002
    panel.act("smoothing", 0.1)
    assert figure(panel, "loss") == 0.614
    assert figure(panel, "least possible loss") == 0.39
    assert bars(panel, "slope")[1].role == "bad"
    panel.act("temperature", 2.0)
    assert figure(panel, "loss") == 0.39
    panel.act("smoothing", 0.0)
    assert figure(panel, "loss") > 0.05
