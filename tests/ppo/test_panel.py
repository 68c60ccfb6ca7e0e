"""The PPO explorable shows what the library computes, whatever is done to it."""

from itertools import combinations
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.explore.marks import Circle, Line, Path, Rect, Text
from tensorfleet.ppo import advantages, clipped_surrogate, state_values
from tensorfleet.ppo.best import best_policy
from tensorfleet.ppo.mdp import average
from tensorfleet.ppo.moments import centred, gae_moments
from tensorfleet.ppo.panel import EPOCHS, GRID, KNOWS, ROUNDS, SAYS_0, PpoPanel
from tensorfleet.ppo.panel_advantages import Action
from tensorfleet.ppo.panel_clip import FARTHEST
from tests.driving import do, marks_of

ACTIONS = st.one_of(
    st.sampled_from([("one_epoch", None), ("one_round", None), ("pick", "4")]),
    st.tuples(st.just("gamma"), st.sampled_from([0.0, 0.5, 0.99])),
    st.tuples(st.just("lam"), st.sampled_from([0.0, 0.9, 1.0])),
    st.tuples(st.just("critic"), st.sampled_from([KNOWS, SAYS_0])),
    st.tuples(st.just("clip"), st.booleans()),
    st.tuples(st.just("epsilon"), st.sampled_from([0.05, 0.5])),
    st.tuples(st.just("rounds"), st.sampled_from([0, 2])),
    st.tuples(st.just("seed"), st.integers(1, 20)),
)


def shown_values(panel):
    return [
        float(mark.text.replace("−", "-"))
        for mark in marks_of(panel, Text, "number ").values()
    ]


def start(panel):
    return panel.frame().figures["value of the start"]


@pytest.mark.slow
@given(st.lists(ACTIONS, max_size=5))
@settings(max_examples=20)
def test_every_frame_shows_what_the_library_computes(actions):
    panel = PpoPanel()
    for name, value in actions:
        do(panel, name, value)
    gamma, lam = panel.state["gamma"], panel.state["lam"]
    true = [float(v) for v in state_values(GRID.mdp, panel.policy, gamma)]
    assert shown_values(panel) == pytest.approx(true, abs=0.00501)  # two digits
    best = state_values(GRID.mdp, best_policy(GRID.mdp, gamma), gamma)[GRID.start]
    figures = panel.frame().figures
    assert figures["best possible"] == pytest.approx(best, abs=0.000501)
    assert figures["value of the start"] <= figures["best possible"] + 0.001
    # The estimate of the batch's policy, as theory has it.
    means, variances = gae_moments(GRID.mdp, panel.old, panel.critic, gamma, lam)
    truth = advantages(GRID.mdp, panel.old, gamma)
    errors = [
        [(a - b) ** 2 for a, b in zip(*rows, strict=True)]
        for rows in zip(centred(panel.old, means), truth, strict=True)
    ]
    for name, table in (("bias at λ", errors), ("noise at λ", variances)):
        mean = sum(average(panel.old, table)) / len(table)
        assert figures[name] == pytest.approx(sqrt(max(mean, 0)), abs=0.000501)


@pytest.mark.slow
@given(st.lists(ACTIONS, max_size=4))
@settings(max_examples=12)
def test_the_same_settings_show_the_same_however_they_were_reached(actions):
    panel = PpoPanel()
    for name, value in actions:
        do(panel, name, value)
    direct = PpoPanel(**panel.state)
    direct.pick(str(panel.cell))
    assert direct.frame().to_json() == panel.frame().to_json()


def test_triangles_grow_with_the_chance_and_say_it():
    panel = PpoPanel(rounds=12)
    for key, mark in marks_of(panel, Path, "policy ").items():
        _, state, action = key.split()
        chance = panel.policy[int(state)][int(action)]
        assert f"{100 * chance:.1f}%" in mark.hint
        tip, base = mark.steps[1:3], mark.steps[4:6]
        other = mark.steps[7:9]
        middle = [(a + b) / 2 for a, b in zip(base, other, strict=True)]
        long = sum(abs(a - b) for a, b in zip(tip, middle, strict=True))
        assert long == pytest.approx(3 + 12 * chance)


@pytest.mark.parametrize("epsilon", [0.05, 0.2, 0.5])
def test_the_dots_lie_on_the_objective(epsilon):
    panel = PpoPanel(epsilon=epsilon, epochs=7)
    zero = marks_of(panel, Text)["clip y 0"].y - 4
    one = marks_of(panel, Text)["clip y 1"].y - 4
    lines = marks_of(panel, Line, "clip objective ")
    dots = marks_of(panel, Circle, "objective of ")
    assert dots
    for key, dot in dots.items():
        action = ("up", "right", "down", "left").index(key.split()[-1])
        ratio = panel.policy[panel.cell][action] / panel.old[panel.cell][action]
        sign = 1 if dot.role == "good" else -1
        height = (zero - dot.y) / (zero - one)
        assert height == pytest.approx(clipped_surrogate(ratio, sign, epsilon))
        assert f"clip objective {dot.role}" in lines


def test_flat_regions_are_where_the_slope_is_zero():
    for epsilon in (0.05, 0.2, 0.5):
        panel = PpoPanel(epsilon=epsilon)
        flat = marks_of(panel, Rect, "flat ")
        axis = marks_of(panel, Line)["clip axis"].points
        width = axis[2] - axis[0]
        share = (FARTHEST - 1 - epsilon) / FARTHEST
        assert flat["flat good"].width == pytest.approx(share * width)
        assert flat["flat bad"].width == pytest.approx((1 - epsilon) / FARTHEST * width)
    panel.act("clip", False)
    assert not marks_of(panel, Rect, "flat ")
    assert not marks_of(panel, Line, "edge ")


def test_a_click_on_a_cell_chooses_it():
    panel = PpoPanel()
    picks = {m.pick for m in marks_of(panel, Rect).values() if m.pick}
    assert picks == {str(state) for state in range(len(GRID.cells))}
    panel.pick("4")
    assert panel.frame().figures["chosen cell"] == "row 2, column 3"
    for wrong in ("9", "-1", "x"):
        with pytest.raises(ValueError, match="there are 0 to 8"):
            panel.pick(wrong)


def test_estimates_that_cancel_but_for_rounding_have_no_sign():
    action = Action(0.0, 0.0, 0.0, seen=[0.1, 0.2, -0.3], ratio=1.0)
    assert sum(action.seen) != 0
    assert action.sign() == 0
    assert Action(0.0, 0.0, 0.0, seen=[0.1, -0.3], ratio=1.0).sign() == -1


def test_buttons_stop_where_the_sliders_end():
    panel = PpoPanel()
    for _ in range(EPOCHS + 2):
        panel.act("one_epoch")
    assert panel.state["epochs"] == EPOCHS
    assert "next round" in panel.frame().log[0]
    for _ in range(ROUNDS + 2):
        panel.act("one_round")
    assert (panel.state["rounds"], panel.state["epochs"]) == (ROUNDS, 0)


@pytest.mark.parametrize("critic", [KNOWS, SAYS_0])
@pytest.mark.parametrize("gamma", [0, 0.5, 0.99])
@pytest.mark.parametrize("clip", [True, False])
def test_words_do_not_overlap(critic, gamma, clip):
    panel = PpoPanel(critic=critic, gamma=gamma, clip=clip, lam=1.0, rounds=5)
    for picture in panel.frame().pictures:
        boxes = []
        for mark in picture.marks:
            if isinstance(mark, Text):
                assert mark.size >= 11
                wide = 0.56 * mark.size * len(mark.text)  # of a usual font
                shift = {"start": 0, "middle": 0.5, "end": 1}[mark.anchor]
                left = mark.x - shift * wide
                assert left >= -1, mark.text
                assert left + wide <= picture.width + 1, mark.text
                boxes.append((left, left + wide, mark.y - 0.75 * mark.size, mark.y))
        for a, b in combinations(boxes, 2):
            apart = a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]
            assert apart, (a, b)


# --- what the page says to try ----------------------------------------------------


def test_try_1_a_critic_that_knows_nothing_needs_lambda():
    panel = PpoPanel()
    noise = panel.frame().figures["noise at λ"]
    panel.act("lam", 0.0)
    assert panel.frame().figures["noise at λ"] < noise / 2
    assert panel.frame().figures["bias at λ"] == 0
    panel.act("critic", SAYS_0)
    biases = {}
    for lam in (0.0, 0.5, 1.0):
        panel.act("lam", lam)
        biases[lam] = panel.frame().figures["bias at λ"]
    assert biases[0.0] > biases[0.5] > biases[1.0] == 0
    panel.act("rounds", 12)
    learned = {}
    for lam in (0.0, 0.9):
        panel.act("lam", lam)
        learned[lam] = start(panel)
    assert learned[0.0] < -0.4
    assert learned[0.9] > 0.4


def test_try_2_with_a_short_sight_the_goal_is_out_of_sight():
    panel = PpoPanel(rounds=12)
    assert max(panel.policy[GRID.start]) > 0.7
    assert panel.policy[GRID.start][0] == max(panel.policy[GRID.start])  # up
    panel.act("gamma", 0.5)
    assert panel.frame().figures["best possible"] < 0
    assert max(panel.policy[GRID.start]) < 0.5
    # Next to the goal it still learns to go there.
    beside = GRID.cells.index((0, 2))
    assert panel.policy[beside][1] > 0.7


def test_try_3_the_clip_stops_the_epochs_and_protects_from_noise():
    panel = PpoPanel()
    before = panel.frame().figures["of these clipped"]
    first = start(panel)
    while "used up" not in panel.frame().log[0]:
        panel.act("one_epoch")
    assert panel.frame().figures["of these clipped"] > before
    assert abs(start(panel) - first) < 0.01
    with_clip = start(panel)
    panel.act("clip", False)
    assert start(panel) > with_clip + 0.1
    panel.act("rounds", 12)
    without = start(panel)
    panel.act("clip", True)
    assert start(panel) < without
    # The same without a critic, whose estimates are noisier.
    panel.act("clip", False)
    panel.act("critic", SAYS_0)
    panel.act("lam", 1.0)
    assert start(panel) < -0.1
    assert panel.policy[GRID.cells.index((1, 0))][3] > 0.99  # left, against the edge
    panel.act("clip", True)
    assert start(panel) > 0.4
