"""Scenes: what they refuse, and that what they say survives SVG and JSON."""

import json
from math import inf, nan
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.explore.marks import ROLES, Circle, Line, Path, Rect, Text
from tensorfleet.explore.picture import Picture
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


def picture(*marks, alt="x", key="p"):
    return Picture(key, 100, 50, marks, alt=alt)


def dot(**fields):
    return Circle(**{"key": "a", "x": 1, "y": 2, "radius": 3} | fields)


def box(**fields):
    return Rect(**{"key": "r", "x": 1, "y": 1, "width": 1, "height": 1} | fields)


@given(MARKS, WORDS)
def test_a_picture_is_well_formed_svg_that_says_what_it_was_told(mark, alt):
    root = ElementTree.fromstring(picture(mark, alt=f"a{alt}").to_svg())
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
    scene = Scene([picture(mark)], figures={"n": 1}, log=["one"])
    told = json.loads(json.dumps(scene.to_dict(), allow_nan=False))
    # Written twice: the second time from what marks remember.
    assert json.loads(scene.to_json()) == json.loads(scene.to_json()) == told
    assert (told["figures"], told["log"]) == ({"n": 1}, ["one"])
    (sent,) = told["pictures"][0]["marks"]
    assert sent["kind"] == type(mark).__name__.lower()
    for name, value in sent.items():
        if name != "kind":
            truth = getattr(mark, name)
            if isinstance(truth, tuple):
                pairs = zip(value, truth, strict=True)
                assert all(a == b or abs(a - b) <= 0.005 + 1e-9 for a, b in pairs)
            else:
                assert value == truth or abs(value - truth) <= 0.005 + 1e-9


def test_a_screen_reader_is_told_the_first_line_or_what_is_given():
    shown = picture(Circle(key="one", role="ink", x=0, y=0, radius=1))
    for scene, said, busy in (
        (Scene([shown]), "", False),
        (Scene([shown], log=["new", "old"]), "new", False),
        (Scene([shown], log=["new"], said="done", busy=True), "done", True),
    ):
        told = scene.to_dict()
        assert (told["said"], told["busy"]) == (said, busy)


def test_text_of_a_reader_is_never_markup():
    evil = "<script>alert('1')</script>\"&"
    scene = Scene([picture(Text(key="t", x=0, y=0, text=evil, hint=evil), alt=evil)])
    root = ElementTree.fromstring(scene.to_svg())
    assert [child.tag for child in root] == [f"{SVG}text"]
    assert root.find(f"{SVG}text/{SVG}title").tail == evil


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: dot(x=nan), ValueError, "x=nan, y=2, radius=3. is not finite"),
        (lambda: dot(y=-inf), ValueError, "y=-inf, radius=3. is not finite"),
        (lambda: dot(x="1"), TypeError, "'<' not supported"),
        (lambda: dot(radius=-1), ValueError, "radius of 'a' is -1: it must be 0 or"),
        (lambda: dot(radius=inf), ValueError, "radius of 'a' is inf: it must be"),
        (lambda: dot(opacity=1.5), ValueError, "opacity of 'a' is 1.5: it must be"),
        (lambda: dot(opacity=nan), ValueError, "opacity of 'a' is nan: it must be"),
        (lambda: dot(role="red"), ValueError, "role of 'a' is 'red': it must be one"),
        (lambda: dot(key=""), ValueError, "an empty key"),
        (lambda: dot(hint=3), TypeError, "hint is 3: it must be a string"),
        (lambda: dot(hint="a\nb"), ValueError, "must be one line of printable text"),
        (lambda: box(height=-2), ValueError, "height of 'r' is -2: it must be 0 or"),
        (lambda: box(x=inf), ValueError, "x=inf, y=1, width=1, height=1. is not"),
        (lambda: Line(key="l", points=(1, 2)), ValueError, "has 2 coordinates"),
        (
            lambda: Line(key="l", points=(1, 2, 3, nan)),
            ValueError,
            "nan.*is not finite",
        ),
        (lambda: Path(key="p", steps=("L", 1, 2)), ValueError, "must begin with 'M'"),
        (lambda: Path(key="p", steps=("M", 1, 2, "h")), ValueError, "has 'h'"),
        (lambda: Path(key="p", steps=("M", nan, 2)), ValueError, "nan.*is not finite"),
        (lambda: Text(key="t", x=0, y=0, text="", anchor="left"), ValueError, "'left'"),
        (lambda: Text(key="t", x=nan, y=0, text="a"), ValueError, "is not finite"),
        (lambda: Picture("p", 0, 9, [], alt="x"), ValueError, "width of 'p' is 0"),
        (lambda: Picture("p", 9, nan, [], alt="x"), ValueError, "height of 'p' is"),
        (
            lambda: Picture("p", 9, 9, [], alt=""),
            ValueError,
            "the description of a",
        ),
        (lambda: Picture("", 9, 9, [], alt="x"), ValueError, "key of a picture is emp"),
        (lambda: picture(dot(), dot()), ValueError, "have the key 'a'"),
        (lambda: Scene([]), ValueError, "has no picture"),
        (lambda: Scene([picture(), picture()]), ValueError, "they must differ"),
        (lambda: Scene([picture()], log=[3]), TypeError, "entry of the log is 3"),
        (
            lambda: Scene([picture()], figures={"p99": nan}),
            ValueError,
            "the figure 'p99' is nan: it must be finite",
        ),
        (
            lambda: Scene([picture()], figures={"up": True}),
            TypeError,
            "the figure 'up' is True: it must be a number or a text",
        ),
    ],
)
def test_what_cannot_be_painted_is_named(make, error, said):
    with pytest.raises(error, match=said):
        make()


def test_pictures_stand_beside_each_other_in_one_svg():
    scene = Scene([picture(dot(), alt="one"), picture(alt="two", key="q")])
    root = ElementTree.fromstring(scene.to_svg())
    assert [(svg.get("x"), svg.get("width")) for svg in root] == [
        ("0", "100"),
        ("120", "100"),
    ]
    assert root.get("viewBox") == "0 0 220 50"
    assert scene.alt == "one two"
