"""The BERT explorable shows what the library computes, whatever is done to it."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.bert import WordPiece, words
from tensorfleet.bert.panel import NEXT, OTHER, BertPanel, vocabulary
from tensorfleet.bert.panel_lines import LINES
from tensorfleet.bert.panel_picture import HEIGHT, WIDTH, width_of
from tensorfleet.explore.marks import Rect, Text
from tests.driving import do, marks_of

ACTIONS = st.one_of(
    st.sampled_from([("draw", None), ("many", None), ("pick", "3"), ("pick", "15")]),
    st.tuples(st.just("sentence"), st.integers(1, len(LINES) - 1)),
    st.tuples(st.just("second"), st.sampled_from([NEXT, OTHER])),
    st.tuples(st.just("own"), st.sampled_from(["", "A zebra!", "keeper " * 8])),
    st.tuples(st.just("size"), st.sampled_from([45, 70, 100])),
    st.tuples(st.just("length"), st.sampled_from([16, 24, 36])),
    st.tuples(st.just("percent"), st.sampled_from([5, 15, 100])),
    st.tuples(st.just("place"), st.sampled_from([0, 9, 35])),
)


def shown(panel, begins):
    """Words that are shown at each position."""
    return {
        int(key.removeprefix(begins)): mark.text
        for key, mark in marks_of(panel, Text, begins).items()
    }


def tokens_of(panel):
    return [text for _, text in sorted(shown(panel, "token ").items())]


@given(st.lists(ACTIONS, max_size=6))
@settings(max_examples=60)
def test_every_frame_shows_a_pair_as_the_chapter_builds_it(actions):
    panel = BertPanel()
    for name, value in actions:
        do(panel, name, value)
    figures, scene = panel.frame().figures, panel.frame()
    tokens, asked = tokens_of(panel), shown(panel, "asked ")
    padding = figures["padding"]
    assert figures["tokens"] + padding == panel.state["length"]
    if padding:
        assert tokens.pop() == f"[PAD] × {padding}"
    assert len(tokens) == figures["tokens"]
    assert tokens[0] == "[CLS]"
    assert tokens[-1] == "[SEP]"
    assert tokens.count("[SEP]") == 2
    assert asked.pop(0) == f"next: {figures['second is next']}"
    assert len(asked) == figures["to predict"]
    # With the answers back in their places, the pieces are those of the two texts.
    for place, answer in asked.items():
        assert tokens[place] not in ("[CLS]", "[SEP]")
        tokens[place] = answer
    pieces = WordPiece(vocabulary()[: panel.state["size"]])
    texts = [
        line.removeprefix(f"{name}: ")
        for name, line in zip("AB", scene.log, strict=True)
    ]
    middle = tokens.index("[SEP]")
    parts = tokens[1:middle], tokens[middle + 1 : -1]
    for text, part in zip(texts, parts, strict=True):
        whole = [piece for word in words(text) for piece in pieces.pieces(word)]
        assert part == whole[: len(part)]
        if not figures["cut off"]:
            assert part == whole
    follows = texts[1] == LINES[panel.state["sentence"]]
    assert follows == (figures["second is next"] == "yes")
    assert texts[0] != texts[1]


@given(st.lists(ACTIONS, max_size=4))
@settings(max_examples=60)
def test_nothing_is_outside_of_its_picture_and_no_cell_on_another(actions):
    panel = BertPanel(percent=100, length=36)
    for name, value in actions:
        do(panel, name, value)
    for mark in marks_of(panel, Text).values():
        wide = width_of(mark.text, mark.size)
        left = mark.x - {"start": 0, "middle": wide / 2, "end": wide}[mark.anchor]
        assert 0 <= left <= WIDTH - wide, mark
        assert mark.size <= mark.y <= HEIGHT, mark
    cells = [
        (mark.x, mark.y, mark.width) for mark in marks_of(panel, Rect, "cell ").values()
    ]
    for (x, y, wide), (next_x, next_y, _) in itertools.pairwise(cells):
        assert next_y > y + 40 or next_x > x + wide


def test_every_part_of_the_tally_is_counted():
    panel = BertPanel()
    seen = dict.fromkeys(("masked", "replaced", "kept"), 0)
    for _ in range(30):
        now = panel.frame().figures["masked, replaced, kept"].split(", ")
        for fate, number in zip(seen, now, strict=True):
            seen[fate] += int(number)
        assert panel.tally == seen
        panel.act("draw")


def test_the_first_frame_has_masks_and_a_replaced_token():
    figures = BertPanel().frame().figures
    assert figures["masked, replaced, kept"] == "3, 1, 0"
    assert figures["second is next"] == "yes"
    assert figures["cut off"] == 0


def test_a_position_says_what_is_asked_there():
    panel = BertPanel()
    asked = shown(panel, "asked ")
    masked = next(place for place in asked if place)
    for place, words_there in (
        (0, "Answer: yes"),
        (masked, f"Answer: {asked[masked]}"),
        (1, ""),
        (35, ""),
    ):
        panel.act("place", place)
        assert marks_of(panel, Text)["answer"].text == words_there
    assert "Padding" in marks_of(panel, Text)["question"].text


def test_bad_picks_are_named():
    with pytest.raises(ValueError, match="no position '32': there are 0 to 31"):
        BertPanel().pick("32")
    with pytest.raises(ValueError, match="no position 'a'"):
        BertPanel().pick("a")


# --- the three things to try -----------------------------------------------------


def test_a_green_cell_asks_for_what_is_seen():
    panel = BertPanel()
    for _ in range(10):
        green = [
            key
            for key, mark in marks_of(panel, Rect, "cell ").items()
            if mark.role == "good"
        ]
        if green:
            break
        panel.act("draw")
    place = green[0].removeprefix("cell ")
    panel.pick(place)
    seen = shown(panel, "token ")[int(place)]
    assert marks_of(panel, Text)["answer"].text == f"Answer: {seen}"


def test_a_hundred_draws_come_near_eighty_ten_and_ten():
    panel = BertPanel()
    panel.act("many")
    shares = [mark.text for mark in marks_of(panel, Text, "share ").values()]
    assert sum(panel.tally.values()) == 101 * 4
    for share, rule in zip(shares, (80, 10, 10), strict=True):
        assert abs(float(share.removesuffix("%")) - rule) < 3


def test_with_the_smallest_vocabulary_words_fall_into_letters_and_the_pair_is_cut():
    panel = BertPanel()
    assert "keeper" in tokens_of(panel)
    panel.act("size", 45)
    tokens = tokens_of(panel)
    asked = shown(panel, "asked ")
    first = [asked.get(n, tokens[n]) for n in range(2, 8)]
    assert first == ["k", "##e", "##e", "##p", "##e", "##r"]
    figures = panel.frame().figures
    assert figures["cut off"] > 0
    assert figures["padding"] == 0
    panel.act("length", 36)
    assert panel.frame().figures["cut off"] > 0


def test_a_word_that_was_never_seen_is_made_of_pieces_or_unknown():
    panel = BertPanel()
    panel.act("own", "The lamplighter keeps a zebra.")
    tokens, asked = tokens_of(panel), shown(panel, "asked ")
    tokens = [asked.get(n, token) if n else token for n, token in enumerate(tokens)]
    assert tokens[1:11] == [
        *("the", "lamp", "##l", "##ight", "##er", "keep", "##s", "a", "[UNK]", ".")
    ]
    assert panel.frame().figures["unknown"] == 1
    assert not any("z" in line.lower() for line in LINES)


def test_the_three_things_can_be_tried_one_after_the_other_on_one_panel():
    panel = BertPanel()
    panel.act("draw")
    panel.act("many")
    panel.act("size", 45)
    panel.act("length", 36)
    assert panel.frame().figures["cut off"] > 0
    panel.act("size", 100)
    panel.act("own", "The lamplighter keeps a zebra.")
    tokens, asked = tokens_of(panel), shown(panel, "asked ")
    pieces = {*tokens, *(asked[place] for place in asked if place)}
    assert {"lamp", "##l", "##ight", "##er"} <= pieces
    assert panel.frame().figures["unknown"] == 1
