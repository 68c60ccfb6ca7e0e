"""The definition, on examples that can be counted by hand, and its laws."""

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.bleu import (
    Bleu,
    corpus_bleu,
    corpus_chrf,
    sentence_bleu,
    sentence_chrf,
    sentences,
)
from tensorfleet.bleu import reference as bleu
from tensorfleet.bleu.scores import FLOOR, brevity_penalty, score, smoothed
from tests.bleu.strategies import SMOOTHING, TOKENIZERS, corpora

TOKENS = st.lists(st.sampled_from("abc"), max_size=9)
ONE_OR_MORE = st.lists(TOKENS, min_size=1, max_size=3)


def test_the_example_of_papineni_and_others():
    """Seven times `the`, which no reference has more than twice: 2/7 (section 2.1)."""
    references = ["the cat is on the mat", "there is a cat on the mat"]
    cut = [reference.split() for reference in references]
    seven = ["the"] * 7
    assert bleu.statistics(seven, cut).counts == (2, 0, 0, 0)
    assert bleu.statistics(seven, cut, clip=False).counts == (7, 0, 0, 0)
    assert bleu.statistics(seven, cut).totals == (7, 6, 5, 4)


def test_four_equal_words_make_a_perfect_score_without_clipping():
    reference = ["it", "was", "very", "very", "very", "very", "good"]
    found = bleu.statistics(["very"] * 8, [reference], clip=False)
    assert found.counts == found.totals
    assert score(found.counts, found.totals, 8, 7, "none").score == pytest.approx(100)
    assert bleu.statistics(["very"] * 8, [reference]).counts == (4, 3, 2, 1)


@given(TOKENS, ONE_OR_MORE)
def test_matches_are_pairs_that_can_be_made(hypothesis, references):
    """Clipped matches, counted otherwise: by crossing out, and the best reference of
    each n-gram by itself."""
    found = bleu.statistics(hypothesis, references)
    for order in bleu.ORDERS:
        said = bleu.ngrams(hypothesis, order)
        matched = 0
        for ngram in set(said):
            best = 0
            for reference in references:
                left, pairs = bleu.ngrams(reference, order), 0
                for other in said:
                    if other == ngram and other in left:
                        left.remove(other)
                        pairs += 1
                best = max(best, pairs)
            matched += best
        assert found.counts[order - 1] == matched
        assert found.totals[order - 1] == max(len(hypothesis) - order + 1, 0)


@given(TOKENS, ONE_OR_MORE)
def test_laws_of_counts(hypothesis, references):
    clipped = bleu.statistics(hypothesis, references)
    loose = bleu.statistics(hypothesis, references, clip=False)
    for few, more, total in zip(
        clipped.counts, loose.counts, clipped.totals, strict=True
    ):
        assert 0 <= few <= more <= total
        assert bool(few) == bool(more)
    assert list(clipped.counts) == sorted(clipped.counts, reverse=True)
    # Another reference never takes a match away.
    with_one_more = bleu.statistics(hypothesis, [*references, list("abcabc")])
    assert all(map(int.__le__, clipped.counts, with_one_more.counts))
    assert bleu.statistics(hypothesis, [*references, hypothesis]).counts == (
        clipped.totals
    )


def test_of_two_lengths_equally_close_the_shorter_counts():
    assert bleu.closest_length(10, [12, 8]) == bleu.closest_length(10, [8, 12]) == 8
    assert bleu.closest_length(10, [11, 8]) == 11


# So small that two are often equally close.
@given(st.integers(0, 6), st.lists(st.integers(0, 6), min_size=1, max_size=4))
def test_the_closest_length(length, candidates):
    found = bleu.closest_length(length, candidates)
    assert found in candidates
    for other in candidates:
        assert abs(found - length) < abs(other - length) or (
            abs(found - length) == abs(other - length) and found <= other
        )


def test_the_brevity_penalty():
    assert brevity_penalty(10, 10) == brevity_penalty(11, 10) == 1
    assert brevity_penalty(5, 10) == pytest.approx(exp(-1))  # one rounding
    assert brevity_penalty(0, 10) == 0
    assert brevity_penalty(0, 0) == 1


@given(corpora(), SMOOTHING, TOKENIZERS)
def test_a_score_lies_between_0_and_100(corpus, smooth_method, tokenize):
    found = corpus_bleu(*corpus, smooth_method, tokenize)
    # The exponential of a mean of logarithms may round up.
    assert 0 <= found.score <= 100 + 1e-9
    assert all(0 <= precision <= 100 for precision in found.precisions)
    hypotheses, _ = corpus
    own = corpus_bleu(hypotheses, [hypotheses], "none", "none")
    # 4-grams there must be; "none" leaves words as they are.
    if any(len(text.split()) >= 4 for text in hypotheses):
        assert own.score == pytest.approx(100)
        assert corpus_chrf(hypotheses, [hypotheses]) == pytest.approx(100)


def test_the_order_of_sentences_and_of_streams_does_not_matter():
    hypotheses, references = sentences.generated(30, seed=1)
    others, _ = sentences.generated(30, seed=2)
    found = corpus_bleu(hypotheses, [references, others])
    assert corpus_bleu(hypotheses, [others, references]) == found
    backwards = corpus_bleu(hypotheses[::-1], [references[::-1], others[::-1]])
    assert backwards == found


def test_smoothing_gives_an_order_without_matches_a_little():
    counts, totals = (3, 1, 0, 0), (4, 3, 2, 1)
    assert smoothed(counts, totals, "none") == [75, 100 / 3, 0, 0]
    assert smoothed(counts, totals, "exp") == [75, 100 / 3, 25, 25]
    assert smoothed(counts, totals, "floor") == [75, 100 / 3, 5, 10]
    assert smoothed(counts, totals, "add-k") == [75, 50, 100 / 3, 50]
    assert score(counts, totals, 4, 4, "none").score == 0
    assert score((0, 0, 0, 0), totals, 4, 4, "add-k").score == 0


def test_a_sentence_of_three_words_has_no_4_gram():
    three = ("the cat sat", ["the cat sat"])
    assert sentence_bleu(*three).score == pytest.approx(100)
    assert corpus_bleu([three[0]], [three[1]]).score == 0


def test_add_k_makes_up_the_orders_that_a_sentence_does_not_have():
    """One added to 0 of 0 is 1 of 1; the other methods leave those orders out."""
    short = ("a x", ["a b"])
    found = sentence_bleu(*short, "add-k")
    assert found.precisions == (50, 50, 100, 100)
    assert found.score == pytest.approx(100 * (1 / 4) ** (1 / 4))
    assert sentence_bleu(*short, "floor").score == pytest.approx(
        100 * (1 / 2 * FLOOR / 1) ** (1 / 2)
    )


def test_empty_hypotheses_have_a_defined_score():
    assert sentence_bleu("", ["a b"]) == Bleu(0, (0,) * 4, (0,) * 4, (0,) * 4, 0, 0, 2)
    with_one = corpus_bleu(["a b c d e", ""], [["a b c d e", "f g"]])
    assert with_one.counts == (5, 4, 3, 2)
    assert with_one.score == pytest.approx(100 * exp(1 - 7 / 5))


def test_a_score_can_be_read():
    assert str(sentence_bleu("the cat sat on it", ["the cat sat on it"])) == (
        "BLEU = 100.00 100.0/100.0/100.0/100.0 (BP = 1.000, 5 tokens for 5)"
    )


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([], [[]]), ValueError, "no hypotheses"),
        ((["a"], []), ValueError, "no references"),
        ((["a", "b"], [["a", "b"], ["a"]]), ValueError, "stream 1 .* has 1 entries"),
        ((["a", "b"], [["a", None]]), ValueError, "hypothesis 1 has no reference"),
        (("a b", [["a"]]), TypeError, "hypotheses are 'a b'"),
        ((b"ab", [["a"], ["b"]]), TypeError, "hypotheses are b'ab'"),
        ((None, [["a"]]), TypeError, "hypotheses are None"),
        ((["a"], "a"), TypeError, "references are 'a': .* list of streams"),
        ((["a"], b"a"), TypeError, "references are b'a': .* list of streams"),
        ((["a"], iter([["a"]])), TypeError, "references are <list_iter.* of streams"),
        ((["a"], 5), TypeError, "references are 5: .* list of streams"),
        ((["a"], {("a",): 1}), TypeError, "references are {.* list of streams"),
        ((["a"], ["a"]), TypeError, "stream 0 of the references are 'a'"),
        ((["a"], [5]), TypeError, "stream 0 of the references are 5"),
        (([None], [["a"]]), TypeError, "hypotheses hold None"),
        ((["a"], [[1]]), TypeError, "hold 1: each must be a text"),
        ((["a"], [["a"]], "exponential"), ValueError, "exp, floor, add-k, none"),
        ((["a"], [["a"]], "exp", "13b"), ValueError, "13a, intl, zh, char, none"),
        ((["a"], [["a"]], "exp", ["13a"]), ValueError, "13a, intl, zh, char, none"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        corpus_bleu(*arguments)
    if len(arguments) == 2:
        with pytest.raises(error, match=words):
            corpus_chrf(*arguments)


@pytest.mark.parametrize("scored", [sentence_bleu, sentence_chrf])
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("a", "a"), TypeError, "references are 'a': they must be a list of texts"),
        (("a", b"a"), TypeError, "references are b'a': they must be a list of texts"),
        (("a", 5), TypeError, "references are 5: they must be a list of texts"),
        (("a", iter(["a"])), TypeError, "references are <list_iter"),
        (("a", {"a": 1}), TypeError, "references are {'a': 1}"),
        (("a", [["a"]]), TypeError, r"references hold \['a'\]: each must be a text"),
        (("a", []), ValueError, "no references: a score needs one text"),
        (("a", [None]), ValueError, "no references: a score needs one text"),
        ((None, ["a"]), TypeError, "hypothesis is None: it must be a text"),
        ((["a"], ["a"]), TypeError, r"hypothesis is \['a'\]: it must be a text"),
    ],
)
def test_bad_input_for_a_sentence(scored, arguments, error, words):
    with pytest.raises(error, match=words):
        scored(*arguments)


def test_unknown_names_for_a_sentence():
    with pytest.raises(ValueError, match="smooth_method is 'x'"):
        sentence_bleu("a", ["a"], "x")
    with pytest.raises(ValueError, match="tokenize is 'x'"):
        sentence_bleu("a", ["a"], tokenize="x")


def test_generated_sentences_are_the_same_for_the_same_seed():
    assert sentences.generated(5, seed=1) == sentences.generated(5, seed=1)
    hypotheses, references = sentences.generated(50, seed=1, error=0)
    assert hypotheses == references
    low, high = (
        corpus_bleu(hypotheses, [references]).score
        for hypotheses, references in (
            sentences.generated(200, seed=1, error=error) for error in (0.3, 0.1)
        )
    )
    assert low < high < 100
    with_counts = sentences.generated_with_errors(50, seed=1, error=0)
    assert with_counts == (hypotheses, references, [0] * 50)
    *again, errors = sentences.generated_with_errors(300, seed=1, error=1)
    assert tuple(again) == sentences.generated(300, seed=1, error=1)
    assert errors == [len(reference.split()) for reference in again[1]]
    for arguments, words in (((-1, 0.1), "num_sentences"), ((1, 1.5), "error is 1.5")):
        with pytest.raises(ValueError, match=words):
            sentences.generated(arguments[0], seed=1, error=arguments[1])
