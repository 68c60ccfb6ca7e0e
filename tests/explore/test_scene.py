"""Scenes: what they refuse, and that what they say survives SVG and JSON."""

import json
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.explore.marks import ROLES, Circle, Line, Path, Rect, Text
from tensorfleet.explore.scene import Scene

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(-9999, 9999)
SIZES = st.floats(0, 9999)
WORDS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=9)
COMMON = {"role": st.sampled_from(sorted(ROLES)), "hint": WORDS}
MARKS = st.one_of(
    st.builds(Rect, key=st.just("k"), x=NUMBERS, y=NUMBERS, width=SIZES, height=SIZES),
    st.builds(Circle, key=st.just("k"), x=NUMBERS, y=NUMBERS, radius=SIZES, **COMMON),
    st.builds(
        Line,
        key=st.just("k"),
        points=st.lists(NUMBERS, min_size=2, max_size=4).map(lambda x: (*x, *x)),
        dashed=st.booleans(),
    ),
    st.builds(Text, key=st.just("k"), x=NUMBERS, y=NUMBERS, text=WORDS, **COMMON),
    st.builds(
        Path,
        key=st.just("k"),
        steps=st.tuples(st.just("M"), NUMBERS, NUMBERS, st.just("Z")),
    ),
)


def dot(**fields):
    return Circle(**{"key": "a", "x": 1, "y": 2, "radius": 3} | fields)


@given(MARKS, WORDS)
def test_a_scene_is_well_formed_svg_that_says_what_it_was_told(mark, alt):
    scene = Scene(100, 50, [mark], alt=f"a{alt}")
    root = ElementTree.fromstring(scene.to_svg())
    assert root.get("aria-label") == f"a{alt}"
    (drawn,) = root
    assert drawn.get("class") == f"role-{mark.role}"
    title = drawn.find(f"{SVG}title")
    assert (title.text if title is not None else "") == mark.hint
    if isinstance(mark, Text):
        written = drawn.text if title is None else title.tail
        assert (written or "") == mark.text
    if isinstance(mark, Circle):
        assert float(drawn.get("cx")) == pytest.approx(mark.x, abs=0.006)
        assert float(drawn.get("r")) == pytest.approx(mark.radius, abs=0.006)


@given(MARKS)
def test_what_the_browser_gets_is_json_of_the_same_fields(mark):
    scene = Scene(100, 50, [mark], alt="x", figures={"n": 1}, log=["one"])
    (sent,) = json.loads(json.dumps(scene.to_dict(), allow_nan=False))["marks"]
    assert sent["kind"] == type(mark).__name__.lower()
    for name, value in sent.items():
        if name != "kind":
            truth = getattr(mark, name)
            if isinstance(truth, tuple):
                pairs = zip(value, truth, strict=True)
                assert all(a == b or abs(a - b) <= 0.005 + 1e-9 for a, b in pairs)
            else:
                assert value == truth or abs(value - truth) <= 0.005 + 1e-9


def test_text_of_a_reader_is_never_markup():
    evil = "<script>alert('1')</script>\"&"
    scene = Scene(9, 9, [Text(key="t", x=0, y=0, text=evil, hint=evil)], alt=evil)
    root = ElementTree.fromstring(scene.to_svg())
    assert [child.tag for child in root] == [f"{SVG}text"]
    assert root.find(f"{SVG}text/{SVG}title").tail == evil


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: dot(x=nan), ValueError, "x of 'a' is nan: it must be finite"),
        (lambda: dot(y=-inf), ValueError, "y of 'a' is -inf"),
        (lambda: dot(radius=-1), ValueError, "radius of 'a' is -1: it must be 0 or"),
        (lambda: dot(opacity=1.5), ValueError, "opacity of 'a' is 1.5: it must be 1"),
        (lambda: dot(role="red"), ValueError, "role of 'a' is 'red': it must be one"),
        (lambda: dot(key=""), ValueError, "an empty key"),
        (lambda: dot(hint=3), TypeError, "hint is 3: it must be a string"),
        (lambda: dot(hint="a\nb"), ValueError, "must be one line of printable text"),
        (lambda: Line(key="l", points=(1, 2)), ValueError, "has 2 coordinates"),
        (lambda: Line(key="l", points=(1, 2, 3, nan)), ValueError, "points of 'l'"),
        (lambda: Path(key="p", steps=("L", 1, 2)), ValueError, "must begin with 'M'"),
        (lambda: Path(key="p", steps=("M", 1, 2, "h")), ValueError, "has 'h'"),
        (lambda: Text(key="t", x=0, y=0, text="", anchor="left"), ValueError, "'left'"),
        (lambda: Scene(0, 9, [], alt="x"), ValueError, "width is 0: it must be above"),
        (lambda: Scene(9, 9, [], alt=""), ValueError, "alt is empty"),
        (lambda: Scene(9, 9, [dot(), dot()], alt="x"), ValueError, "have the key 'a'"),
        (
            lambda: Scene(9, 9, [], alt="x", figures={"p99": nan}),
            ValueError,
            "the figure 'p99' is nan: it must be finite",
        ),
        (
            lambda: Scene(9, 9, [], alt="x", figures={"up": True}),
            TypeError,
            "the figure 'up' is True: it must be a number or a text",
        ),
    ],
)
def test_what_cannot_be_painted_is_named(make, error, said):
    with pytest.raises(error, match=said):
        make()
