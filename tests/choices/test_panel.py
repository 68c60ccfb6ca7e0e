"""The choices explorable shows what the library counts, whatever is done to it."""

import json
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.choices import theory
from tensorfleet.choices.bins import loads
from tensorfleet.choices.panel import FALL, MOST, ChoicesPanel
from tensorfleet.choices.panel_picture import TALL, TOP, UNDER
from tensorfleet.choices.reference import draw
from tensorfleet.explore.marks import Circle, Rect
from tests.driving import do

ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["ten", "round", "empty"]), st.none()),
    st.tuples(st.just("d"), st.sampled_from([2, 3, 20])),
    st.tuples(st.just("bins"), st.sampled_from([10, 20, 80])),
    st.tuples(st.just("report_every"), st.sampled_from([1, 2, 30, 200])),
    st.tuples(st.just("rate"), st.sampled_from([0, 7, 50])),
    st.tuples(st.just("seed"), st.sampled_from([1, 50])),
    st.tuples(st.just("pass"), st.sampled_from([0.05, 0.31, 1.0, 60.0])),
)


def do_all(panel, actions):
    for name, value in actions:
        do(panel, name, value)


def expected(balls, num_bins, d, report_every, seed):
    """Loads and the last report after so many balls, thrown by hand."""
    random, counts, reported = Random(seed), [0] * num_bins, [0] * num_bins
    for ball in range(balls):
        if ball % report_every == 0:
            reported = list(counts)
        counts[min(draw(num_bins, d, random), key=reported.__getitem__)] += 1
    return counts, list(counts) if balls % report_every == 0 else reported


def shown(picture, num_bins):
    """Loads and what was reported of them, read off the columns."""
    heights = {
        mark.key: mark.height for mark in picture.marks if isinstance(mark, Rect)
    }
    # Both axes of balls end at the same number, which the lower one names.
    ticks = [mark.text for mark in picture.marks if mark.key.startswith("held x ")]
    unit = TALL / max(int(tick) for tick in ticks if tick.isdigit())
    reported = [heights[f"bin {n}"] / unit for n in range(num_bins)]
    landed = [
        reported[n] + heights.get(f"since {n}", 0) / unit for n in range(num_bins)
    ]
    return pytest.approx(landed), pytest.approx(reported)


@given(st.lists(ACTIONS, max_size=7))
@settings(max_examples=60, deadline=None)
def test_every_frame_shows_what_the_library_counts(actions):
    panel = ChoicesPanel()
    for action in actions:
        do_all(panel, [action])
        state, scene = panel.state, panel.frame()
        json.dumps(scene.to_dict(), allow_nan=False)
        scene.to_svg()
        num_bins, balls = state["bins"], scene.figures["balls"]
        assert balls <= MOST * num_bins
        assert len(panel.ages) <= FALL * 50 + 1
        for picture, d in zip(scene.pictures, (1, state["d"]), strict=True):
            every = state["report_every"]
            counts, reported = expected(balls, num_bins, d, every, state["seed"])
            if every == 1:
                assert counts == loads(balls, num_bins, d, Random(state["seed"]))
            landed, known = shown(picture, num_bins)
            assert landed == counts
            assert known == (counts if d == 1 else reported)
            name = "one choice" if d == 1 else f"best of {d}"
            assert scene.figures[f"fullest, {name}"] == max(counts)
            assert f"the fullest bin holds {max(counts)}, " in picture.alt
            held = scene.figures[f"at {num_bins} balls, {name}"].partition(";")[0]
            at_one_each, _ = expected(num_bins, num_bins, d, every, state["seed"])
            if balls < num_bins:
                assert held == "not there yet"
            else:
                assert held == f"{max(at_one_each)}"


@given(st.lists(ACTIONS, max_size=6))
@settings(max_examples=15, deadline=None)
def test_the_same_actions_give_the_same_frames(actions):
    first, second = ChoicesPanel(seed=3), ChoicesPanel(seed=3)
    do_all(first, actions)
    do_all(second, actions)
    assert first.frame().to_dict() == second.frame().to_dict()


def circles(panel, side, begin):
    marks = panel.frame().pictures[side].marks
    return [m for m in marks if isinstance(m, Circle) and m.key.startswith(begin)]


@pytest.mark.parametrize(("d", "bins"), [(2, 50), (20, 10), (7, 80)])
def test_dots_show_where_the_last_ball_looked(d, bins):
    panel = ChoicesPanel(d=d, bins=bins, report_every=30)
    panel.act("ten")
    for side, looks in ((0, 1), (1, min(d, bins))):
        dots = circles(panel, side, "look")
        assert len({dot.key for dot in dots}) == len(dots) == looks
        assert [dot.role for dot in dots].count("ink") == 1
        seen = {dot.role: [] for dot in dots}
        for dot in dots:
            seen[dot.role].append(int(dot.hint.split("saw ")[1].split()[0]))
        assert seen["ink"][0] <= min(seen.get("muted", [99]))


def test_balls_fall_and_land_in_the_order_in_which_they_were_thrown():
    panel = ChoicesPanel(rate=20)
    heights, landed = {}, [50]
    for _ in range(60):
        panel.advance(0.05)
        for ball in circles(panel, 1, "ball"):
            assert TOP <= ball.y >= heights.get(ball.key, 0)
            assert ball.y < UNDER
            heights[ball.key] = ball.y
        landed.append(panel.frame().figures["balls"])
    assert landed == sorted(landed)
    # In 3 seconds 60 were thrown, give or take rounding, those of the last 0.6 s fall.
    assert len(heights) in (59, 60)
    assert landed[-1] - 50 in (47, 48, 49)


def test_it_stops_and_says_so():
    panel = ChoicesPanel(bins=10, rate=50)
    for _ in range(200):
        panel.advance(1.0)
    assert panel.frame().figures["balls"] == MOST * 10
    assert not circles(panel, 0, "ball")
    assert "no more fall until you empty the bins" in panel.frame().log[0]
    panel.act("ten")
    assert panel.frame().figures["balls"] == MOST * 10
    panel.act("empty")
    assert panel.frame().figures["balls"] == 0
    panel.advance(1.0)
    assert panel.frame().figures["balls"] > 0


def test_a_setting_throws_as_many_balls_anew_and_a_rate_throws_none():
    panel = ChoicesPanel()
    panel.act("round")
    before = panel.frame().to_dict()
    panel.act("rate", 50)
    assert panel.frame().to_dict() == before
    panel.act("d", 3)
    assert panel.frame().figures["balls"] == 100
    panel.act("bins", 20)
    assert panel.frame().figures["balls"] == 20


def test_laws_are_far_from_where_rounding_would_depend_on_the_machine():
    for num_bins in range(10, 81, 10):
        panel = ChoicesPanel(bins=num_bins)
        laws = [theory.one_choice_mean_maximum(num_bins)]
        told = panel.frame().figures[f"at {num_bins} balls, one choice"]
        assert told.endswith(f"; theory {laws[0]:.1f} on average")
        for d in range(2, 21):
            laws.append(theory.d_choice_growth(num_bins, min(d, num_bins)))
            panel = ChoicesPanel(bins=num_bins, d=d)
            told = panel.frame().figures[f"at {num_bins} balls, best of {d}"]
            assert told.endswith(f"; theory {laws[-1]:.1f} + Θ(1)")
        assert all(abs(law * 10 % 1 - 0.5) > 1e-6 for law in laws)


# --- the three things to try that the page names -------------------------------------


def opened():
    """The panel of the page, which a reader finds after some time."""
    panel = ChoicesPanel()
    for _ in range(47):
        panel.advance(0.3)
    return panel


def throw_until_no_more_fall(panel):
    while "no more fall" not in "".join(panel.frame().log):
        panel.act("round")


def fullest(panel):
    """One choice, and best of d."""
    figures = panel.frame().figures
    return [value for name, value in figures.items() if name.startswith("fullest")]


def test_the_excess_grows_with_one_choice_and_stays_with_two():
    panel = opened()
    throw_until_no_more_fall(panel)
    assert panel.frame().figures["balls per bin"] == 8
    assert fullest(panel) == [16, 10]


def test_more_than_two_choices_change_little():
    panel = opened()
    for d in (2, 3, 20):
        panel.act("d", d)
        figures = panel.frame().figures
        assert figures["at 50 balls, one choice"].startswith("5;")
        assert figures[f"at 50 balls, best of {d}"].startswith("2;")


def test_old_reports_make_a_herd_and_two_choices_keep_it_small():
    panel = opened()
    panel.act("report_every", 150)
    panel.act("d", 20)
    throw_until_no_more_fall(panel)
    assert fullest(panel) == [16, 44]
    panel.act("d", 2)
    assert fullest(panel) == [16, 12]
    # The seed is not picked for it.
    for seed in range(2, 7):
        panel.act("seed", seed)
        panel.act("d", 20)
        one, herd = fullest(panel)
        panel.act("d", 2)
        assert herd > 2 * one
        assert fullest(panel)[1] < one
