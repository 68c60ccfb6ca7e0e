"""The BLEU explorable shows what the library computes, whatever is typed."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.bleu import sentence_bleu, sentence_chrf
from tensorfleet.bleu.panel import LONGEST, BleuPanel, rounded
from tensorfleet.bleu.panel_picture import BARS, WIDTH
from tensorfleet.bleu.panel_picture import LONGEST as LONGEST_BAR
from tensorfleet.bleu.reference import statistics
from tensorfleet.bleu.tokenizers import find_tokenizer
from tensorfleet.explore.marks import Line, Rect, Text
from tests.driving import marks_of

TEXTS = st.one_of(
    st.lists(
        st.sampled_from(
            ("the", "cat", "sat", "on", "mat,", "very", "3.5", "猫坐", "don't")
        ),
        max_size=9,
    ).map(lambda words: " ".join(words)[:LONGEST]),
    st.text("aW 猫.!", max_size=LONGEST),
)


def figures(panel):
    return panel.frame().figures


@given(
    TEXTS,
    TEXTS,
    TEXTS,
    st.integers(1, 4),
    st.sampled_from(("13a", "zh", "char")),
    st.sampled_from(("exp", "floor", "add-k", "none")),
)
@settings(max_examples=60)
def test_it_shows_the_librarys_score(candidate, first, second, order, cut, smoothing):
    panel = BleuPanel(
        candidate=candidate,
        first=first,
        second=second,
        order=order,
        tokenizer=cut,
        smoothing=smoothing,
    )
    texts = [text for text in (first, second) if text.strip()] or [""]
    expected = sentence_bleu(candidate, texts, smoothing, cut)
    shown = figures(panel)
    assert shown["BLEU"] == rounded(expected.score, 1)
    assert shown["brevity penalty"] == rounded(expected.bp, 3)
    assert shown["candidate tokens"] == expected.sys_len
    assert shown["closest reference"] == expected.ref_len
    assert shown[f"{order}-grams that count"] == expected.counts[order - 1]
    assert shown["chrF"] == rounded(sentence_chrf(candidate, texts), 1)
    lines = marks_of(panel, Line)
    # An n-gram that goes on in another row has a line in each.
    solid = {key.split()[1] for key, line in lines.items() if not line.dashed}
    dashed = {key.split()[1] for key, line in lines.items() if line.dashed}
    assert len(solid) == expected.counts[order - 1]
    assert len(dashed) == shown["clipped away"]
    for bar, percent in enumerate(expected.precisions, 1):
        width = marks_of(panel, Rect, f"bar {bar}")[f"bar {bar}"].width
        assert width == pytest.approx(LONGEST_BAR * percent / 100, abs=0.08)
    assert_product(panel, expected.bp)


def assert_product(panel, penalty):
    """The score is the product that the picture says it is."""
    mean, bleu = (
        marks_of(panel, Rect, key)[key].width for key in ("bar mean", "bar bleu")
    )
    # Both are rounded to a tenth of a percent.
    assert mean * penalty == pytest.approx(bleu, abs=LONGEST_BAR * 0.1 / 100 + 1e-6)


def test_what_add_k_makes_up_is_shown():
    panel = BleuPanel(candidate="the dog", smoothing="add-k")
    told = [mark.text for mark in marks_of(panel, Text).values()]
    assert told.count("0/0 → 100.0*") == 2
    assert "* smoothed" in told
    texts = [str(panel.state[name]) for name in ("first", "second")]
    assert_product(panel, sentence_bleu("the dog", texts, "add-k").bp)
    panel.act("smoothing", "floor")
    assert [mark.text for mark in marks_of(panel, Text).values()].count("none") == 2


@given(TEXTS, TEXTS, st.integers(1, 4))
@settings(max_examples=30)
def test_without_clipping_nothing_is_clipped(candidate, first, order):
    panel = BleuPanel(candidate=candidate, first=first, order=order, clip=False)
    cut = find_tokenizer("13a")
    references = [first] if first.strip() else []
    loose = statistics(
        cut(candidate),
        [cut(text) for text in [*references, str(panel.state["second"])]],
        clip=False,
    )
    assert figures(panel)["clipped away"] == 0
    assert figures(panel)[f"{order}-grams that count"] == loose.counts[order - 1]


@given(TEXTS, TEXTS, st.integers(1, 4), st.sampled_from(("13a", "zh", "char")))
@settings(max_examples=40)
def test_nothing_overlaps_or_leaves_the_picture(candidate, first, order, cut):
    panel = BleuPanel(candidate=candidate, first=first, order=order, tokenizer=cut)
    for picture in panel.frame().pictures:
        boxes = [mark for mark in picture.marks if isinstance(mark, Rect)]
        for box in boxes:
            assert box.x >= 0
            assert box.x + box.width <= WIDTH
            assert box.y + box.height <= picture.height
        chips = [box for box in boxes if box.key.endswith("chip")]
        for one, other in pairwise(chips):
            assert one.y < other.y or one.x + one.width < other.x
        for mark in picture.marks:
            if isinstance(mark, Line):
                assert min(mark.points[::2]) >= 0
                assert max(mark.points[::2]) <= WIDTH
                assert not any(
                    chip.y < mark.points[1] < chip.y + chip.height for chip in chips
                )


def test_numbers_keep_clear_of_the_bars():
    """The longest words that a row can have, at 7 units a letter."""
    panel = BleuPanel(candidate="a " * 36, first="a " * 36, tokenizer="char")
    told = [
        mark
        for mark in panel.frame().pictures[1].marks
        if isinstance(mark, Text) and mark.anchor == "end"
    ]
    assert all(mark.x - 7 * len(mark.text) > BARS + LONGEST_BAR for mark in told)


def test_an_empty_field_is_no_reference_unless_both_are():
    panel = BleuPanel(candidate="a b c", first="", second="a b c d")
    assert figures(panel)["closest reference"] == 4
    panel.act("second", " ")
    assert figures(panel)["closest reference"] == 0
    panel.act("candidate", "")
    assert figures(panel)["BLEU"] == 0
    assert "0 tokens" in panel.frame().pictures[0].alt


# --- what the page says to try ----------------------------------------------------


def try_1_seven_times_the(panel):
    panel.act("candidate", "the the the the the the the")
    panel.act("order", 1)
    lines = marks_of(panel, Line).values()
    assert [line.dashed for line in lines] == [False] * 2 + [True] * 5
    assert figures(panel)["1-grams that count"] == 2
    panel.act("clip", False)
    assert figures(panel)["1-grams that count"] == 7
    told = {mark.text for mark in marks_of(panel, Text).values()}
    assert {"7/7 → 100.0", "0/6 → 0.0", "0/5 → 0.0", "0/4 → 0.0"} <= told
    assert figures(panel)["BLEU"] == 0


def try_2_too_short_and_too_long(panel):
    panel.act("clip", True)
    panel.act("candidate", "the cat")
    shown = [mark.text for mark in marks_of(panel, Text).values()]
    assert "2/2 → 100.0" in shown
    assert "1/1 → 100.0" in shown
    assert figures(panel)["brevity penalty"] == figures(panel)["BLEU"] / 100
    assert figures(panel)["BLEU"] < 15
    panel.act("candidate", "the cat is on the mat and so on and so on and so on")
    assert figures(panel)["brevity penalty"] == 1
    assert 30 < figures(panel)["BLEU"] < 50


def try_3_the_opposite_in_chinese(panel):
    panel.act("smoothing", "none")
    panel.act("tokenizer", "13a")
    panel.act("second", "")
    panel.act("first", "病人服药期间不得饮酒")
    panel.act("candidate", "病人服药期间可以饮酒")
    assert figures(panel)["candidate tokens"] == 1
    assert figures(panel)["BLEU"] == 0
    panel.act("tokenizer", "zh")
    wrong = figures(panel)["BLEU"]
    assert wrong > 55
    panel.act("candidate", "用药时患者请勿喝酒")
    assert figures(panel)["BLEU"] == 0
    panel.act("smoothing", "exp")
    assert 0 < figures(panel)["BLEU"] < wrong / 3


TRIES = (
    try_1_seven_times_the,
    try_2_too_short_and_too_long,
    try_3_the_opposite_in_chinese,
)


@pytest.mark.parametrize("attempt", TRIES)
def test_each_try(attempt):
    attempt(BleuPanel())


def test_the_tries_one_after_the_other():
    """As a reader does them, with what the one before leaves behind."""
    panel = BleuPanel()
    for attempt in TRIES:
        attempt(panel)
