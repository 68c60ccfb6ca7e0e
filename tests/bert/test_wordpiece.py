"""Word pieces against their definitions: the largest gain, and the longest match."""

import itertools
import subprocess
import sys
from collections import Counter
from math import log, nan
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.bert.wordpiece import (
    CLS,
    MASK,
    PAD,
    SEP,
    SPECIAL,
    UNK,
    WordPiece,
    train,
    words,
)

# Letters that change their number in lower case, marks, signs of WordPiece itself.
SIGNS = "aB1_ #[]'-äßİǅ中e\u0301\n\t\u00a0"
FEW = st.lists(st.text("abc", min_size=1, max_size=6), min_size=1, max_size=8)


def test_special_tokens_have_the_numbers_that_their_names_say():
    assert [SPECIAL[n] for n in (PAD, UNK, CLS, SEP, MASK)] == list(SPECIAL)
    assert SPECIAL[CLS] == "[CLS]"
    assert SPECIAL[MASK] == "[MASK]"


def test_words_are_runs_and_single_signs():
    assert words("Don't  merge `__init__`(2x)!") == [
        *("don", "'", "t", "merge", "`", "__init__", "`", "(", "2x", ")", "!")
    ]
    assert words(" \n") == []


@given(st.text(SIGNS))
def test_words_of_words_are_the_same(text):
    once = words(text)
    assert words(" ".join(once)) == once
    assert "".join(once) == "".join(text.lower().split())


# --- cutting ---------------------------------------------------------------------


def by_definition(vocabulary, word):
    """The longest piece at each place, out of all that fit."""
    found, place = [], 0
    while place < len(word):
        fits = [
            piece
            for piece in vocabulary[len(SPECIAL) :]
            if piece.startswith("##") == (place > 0)
            and word.startswith(piece.removeprefix("##"), place)
        ]
        if not fits:
            return ["[UNK]"]
        found.append(max(fits, key=len))
        place += len(found[-1].removeprefix("##"))
    return found


@given(
    st.sets(st.text("ab", min_size=1, max_size=3), max_size=8),
    st.sets(st.text("ab", min_size=1, max_size=3), max_size=8),
    st.text("ab", min_size=1, max_size=12),
)
@settings(max_examples=300)
def test_a_word_is_cut_into_the_longest_pieces_from_the_left(begin, inside, word):
    vocabulary = (*SPECIAL, *sorted(begin), *sorted(f"##{piece}" for piece in inside))
    assert WordPiece(vocabulary).pieces(word) == by_definition(vocabulary, word)


def test_greedy_is_not_the_fewest_pieces_and_may_find_none():
    """What longest-first gives up: `abc` `##d` `##e`, where `ab` `##cde` is shorter."""
    pieces = WordPiece([*SPECIAL, "ab", "abc", "##cde", "##d", "##e"])
    assert pieces.pieces("abcde") == ["abc", "##d", "##e"]
    assert WordPiece([*SPECIAL, "ab", "abc", "##cd"]).pieces("abcd") == ["[UNK]"]


def test_no_text_becomes_a_special_token():
    names = " ".join(SPECIAL)
    pieces = train([names], 100)
    assert min(pieces.encode(names)) >= len(SPECIAL)
    assert pieces.pieces("[CLS]") == ["[UNK]"]  # `words` cuts it into three


def test_no_word_begins_with_a_piece_that_continues_one():
    pieces = WordPiece([*SPECIAL, "##s", "#", "###"])
    assert pieces.pieces("##s") == ["#", "###", "##s"]
    assert WordPiece([*SPECIAL, "##s"]).pieces("##s") == ["[UNK]"]


@given(st.lists(st.text(SIGNS, max_size=12), max_size=5), st.text(SIGNS, max_size=30))
def test_decode_undoes_encode(others, text):
    """But for white space and capitals; [UNK] cannot come back."""
    texts = [*others, text, "a"]
    size = len(SPECIAL) + 2 * len(set("".join(texts).lower())) + 200
    pieces = train(texts, size)
    assert pieces.decode(pieces.encode(text)) == " ".join(words(text))


def test_what_is_unknown_is_one_token_a_word():
    pieces = train(["aa ab"], 20)
    assert pieces.encode("ab xyz! ab") == [
        *pieces.encode("ab"),
        UNK,
        UNK,
        *pieces.encode("ab"),
    ]
    assert pieces.decode([CLS, *pieces.encode("ab"), SEP]) == "[CLS] ab [SEP]"


# --- training --------------------------------------------------------------------


def likelihood(corpus):
    """ln of the probability of all pieces, each drawn by its share."""
    counts = Counter()
    for word, how_often in corpus:
        for piece in word:
            counts[piece] += how_often
    total = counts.total()
    return sum(n * log(n / total) for n in counts.values())


def with_merged(corpus, pair):
    """Every word with `pair` made one piece, from the left, and how often that was."""
    result, merges = [], 0
    for word, n in corpus:
        left, out = list(word), []
        while left:
            if tuple(left[:2]) == pair:
                out.append(pair[0] + pair[1].removeprefix("##"))
                merges += n
                del left[:2]
            else:
                out.append(left.pop(0))
        result.append((tuple(out), n))
    return result, merges


def trained_by_definition(texts, size):
    """Try every merge, and keep the one after which the text is the most likely."""
    corpus = [
        (tuple(c if n == 0 else f"##{c}" for n, c in enumerate(word)), how_often)
        for word, how_often in Counter(w for t in texts for w in words(t)).items()
    ]
    vocabulary = [*SPECIAL, *sorted({piece for word, _ in corpus for piece in word})]
    while len(vocabulary) < size:
        before = likelihood(corpus)
        tried = []
        for pair in sorted({p for w, _ in corpus for p in itertools.pairwise(w)}):
            merged, merges = with_merged(corpus, pair)
            gain = round(likelihood(merged) - before, 6)
            if merges >= 2 and gain > 0:
                tried.append((gain, pair, merged))
        if not tried:
            break
        _, (first, second), corpus = max(tried, key=lambda one: one[0])
        piece = first + second.removeprefix("##")
        if piece not in vocabulary:
            vocabulary.append(piece)
    return tuple(vocabulary)


@given(
    st.lists(
        st.tuples(st.text("abcd", min_size=1, max_size=8), st.integers(1, 40)),
        min_size=1,
        max_size=6,
    )
)
@settings(max_examples=80)
def test_each_merge_is_the_one_that_makes_the_text_most_likely(repeated):
    """Rare and frequent pairs together, so that rare ones are passed over."""
    texts = [text for text, times in repeated for _ in range(times)]
    assert train(texts, 30).vocabulary == trained_by_definition(texts, 30)


def test_pairs_that_overlap_themselves_count_once():
    """In `aaaa` the pair of two inner letters can be merged once, not twice."""
    texts = ["aaaa", "aaaa", "baaaaa", "baaaaa"]
    assert train(texts, 30).vocabulary == trained_by_definition(texts, 30)


def test_a_pair_that_always_goes_together_comes_before_a_more_frequent_one():
    """`q ##u` is seen 6 times and never apart; `a ##b` 8 times, and often apart."""
    texts = ["qu"] * 6 + ["ab", "ac", "ad", "eb", "fb"] * 8
    learned = train(texts, 100).vocabulary
    assert learned.index("qu") < learned.index("ab")


@given(FEW, st.integers(0, 20))
def test_a_smaller_vocabulary_is_the_beginning_of_a_larger_one(texts, fewer):
    large = train(texts, 60).vocabulary
    least = len(train(texts, 11).vocabulary)
    size = max(least, len(large) - fewer)
    assert train(texts, size).vocabulary == large[:size]


def test_training_ends_where_nothing_is_gained():
    assert train(["abc"], 1000).vocabulary == (*SPECIAL, "##b", "##c", "a")


@pytest.mark.host
def test_the_hash_seed_of_the_process_changes_nothing():
    program = (
        "from tensorfleet.bert import train\n"
        "text = 'she sells sea shells on the sea shore, and the shells she sells'\n"
        "print(train([text], 60).vocabulary)"
    )
    source = str(Path(__file__).parents[2] / "src")
    answers = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": source},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "0123"
    }
    assert len(answers) == 1


# --- bad input -------------------------------------------------------------------


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="hold no word"):
        train(["  "], 100)
    with pytest.raises(ValueError, match=r"size is 6: .* take 8"):
        train(["abc"], 6)
    with pytest.raises(ValueError, match="must begin with"):
        WordPiece(["a"])
    with pytest.raises(ValueError, match="holds 'a' twice"):
        WordPiece([*SPECIAL, "a", "a"])
    with pytest.raises(ValueError, match="no token 6: there are 0 to 5"):
        WordPiece([*SPECIAL, "a"]).decode([6])
    with pytest.raises(ValueError, match="no token -1"):
        WordPiece([*SPECIAL, "a"]).decode([-1])
    with pytest.raises(TypeError, match="texts is one string"):
        train("a string", 60)
    for size in (nan, 60.0, True):
        with pytest.raises(TypeError, match=f"size is {size}: it must be an int"):
            train(["a string"], size)
