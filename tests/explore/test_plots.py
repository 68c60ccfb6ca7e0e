"""Axes and rings put marks where the definition says."""

from itertools import pairwise
from math import hypot, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes, ticks
from tensorfleet.explore.rings import Ring

VALUES = st.floats(-1e5, 1e5, allow_subnormal=False)


@given(VALUES, VALUES, st.integers(2, 9))
def test_ticks_are_few_round_and_inside(low, high, most):
    assume(low + 1e-3 < high)
    found = ticks(low, high, most)
    assert len(found) <= most
    assert len({name for _, name in found}) == len(found)
    slack = 1e-9 * max(abs(low), abs(high))
    for value, name in found:
        assert low - slack <= value <= high + slack
        assert float(name.replace(",", "")) == pytest.approx(value, abs=1e-9)
    # A round number: its first digit says it all.
    gaps = {f"{b - a:.3g}" for (a, _), (b, _) in pairwise(found)}
    assert all(gap.strip("0.")[:1] in "125" for gap in gaps)


@pytest.mark.parametrize("ends", [(1, 1), (2, 1), (nan, 1)])
def test_an_axis_has_a_beginning_and_an_end(ends):
    with pytest.raises(ValueError, match="must begin below its end"):
        ticks(*ends)
    with pytest.raises(ValueError, match="the y-axis of 'a' goes from"):
        Axes("a", 0, 0, 9, 9, (0, 1), ends)


def test_an_axis_has_two_ticks():
    with pytest.raises(ValueError, match="most is 1"):
        ticks(0, 1, 1)


@given(VALUES)
def test_data_stay_within_the_axes(value):
    axes = Axes("a", 40, 10, 200, 100, (0, 10), (-5, 5))
    assert 40 <= axes.x(value) <= 240
    assert 10 <= axes.y(value) <= 110
    if 0 <= value <= 10:
        assert axes.x(value) == pytest.approx(40 + 20 * value)
    if -5 <= value <= 5:
        assert axes.y(value) == pytest.approx(60 - 10 * value)


def test_a_histogram_has_a_bar_for_each_count_that_begins_at_zero():
    axes = Axes("a", 0, 0, 100, 100, (-0.5, 4.5), (0, 10))
    bars = axes.histogram({2: 10, 0: 0, 1: 5}, "{count} bins hold {place}")
    assert [bar.height for bar in bars] == [0, 50, 100]
    assert all(bar.y + bar.height == 100 for bar in bars)
    assert bars[1].hint == "5 bins hold 1"
    marks = [*axes.frame("balls", "bins"), *bars, axes.level("cap", 7, "the cap")]
    assert len(Picture("p", 100, 100, marks, alt="x").marks) == len(marks)  # own keys


@given(st.floats(0, 1), st.floats(0, 1))
def test_an_arc_follows_its_circle(begin, length):
    ring = Ring(50, 60, 40)
    arc = ring.arc("a", begin, begin + length)
    xs, ys = arc.points[::2], arc.points[1::2]
    for x, y in zip(xs, ys, strict=True):
        assert hypot(x - 50, y - 60) == pytest.approx(40)
    assert (xs[0], ys[0]) == pytest.approx(ring.at(begin))
    assert (xs[-1], ys[-1]) == pytest.approx(ring.at(begin + length))


def test_positions_go_clockwise_from_the_top():
    ring = Ring(0, 0, 10)
    assert ring.at(0) == pytest.approx((0, -10))
    assert ring.at(0.25) == pytest.approx((10, 0))
    assert ring.at(0.5, inwards=4) == pytest.approx((0, 6))


def test_an_arc_is_a_turn_at_most():
    with pytest.raises(ValueError, match=r"arc 'a' goes from 0\.5 to 0\.4"):
        Ring(0, 0, 1).arc("a", 0.5, 0.4)
