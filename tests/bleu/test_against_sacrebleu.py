"""Thousands of generated pairs: score, precisions, penalty and tokens are sacrebleu's.

Both compute with doubles and take at most a dozen steps after the integer counts, so
that 1e-9 of a score of at most 100 is far above rounding.
"""

from random import Random

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from tensorfleet.bleu import (
    corpus_bleu,
    corpus_chrf,
    ops,
    sentence_bleu,
    sentence_chrf,
    sentences,
)
from tensorfleet.bleu.tokenizers import find_tokenizer
from tests.bleu.strategies import SMOOTHING, TEXTS, TOKENIZERS, corpora

NAMES = ("13a", "intl", "zh", "char", "none")
METHODS = ("exp", "floor", "add-k", "none")
# The example of sacrebleu's README.
REFERENCES = [
    ["The dog bit the man.", "It was not unexpected.", "The man bit him first."],
    [
        "The dog had bit the man.",
        "No one was surprised.",
        "The man had bitten the dog.",
    ],
]
HYPOTHESES = [
    "The dog bit the man.",
    "It wasn't surprising.",
    "The man had just bitten him.",
]


def near(value):
    return pytest.approx(value, rel=0, abs=1e-9)


def assert_same(ours, theirs, smooth_method):
    assert ours.score == near(theirs.score)
    assert list(ours.precisions) == near(theirs.precisions)
    assert ours.bp == near(theirs.bp)
    assert (ours.sys_len, ours.ref_len) == (theirs.sys_len, theirs.ref_len)
    if smooth_method != "add-k":  # theirs are then those after smoothing
        assert list(ours.counts) == theirs.counts
        assert list(ours.totals) == theirs.totals


def test_the_published_example():
    ours = corpus_bleu(HYPOTHESES, REFERENCES)
    assert ours.score == near(48.530827009929865)
    assert round(ours.score, 6) == 48.530827  # as its README prints it
    assert_same(ours, sacrebleu.corpus_bleu(HYPOTHESES, REFERENCES), "exp")
    assert ops.corpus_bleu(HYPOTHESES, REFERENCES) == ours


@given(TEXTS, TOKENIZERS)
@settings(max_examples=500)
def test_tokens_are_the_same(line, name):
    theirs = BLEU(tokenize=name)._preprocess_segment(line).split()
    assert find_tokenizer(name)(line) == theirs


@pytest.mark.parametrize("name", NAMES)
def test_every_character_is_cut_alike(name):
    """All that two versions of Unicode agree on, between letters and between digits."""
    theirs = BLEU(tokenize=name).tokenizer
    ours = find_tokenizer(name)
    # Below U+2E00 few characters are newer than the oldest Python here; zh is asked for
    # every character, since its table has nothing to do with Unicode's.
    last = 0x2A700 if name == "zh" else 0x2E00
    known = (chr(n) for n in range(1, last) if not 0xD800 <= n < 0xE000)
    different = [
        character
        for character in known
        for line in (f"a{character}b", f"1{character}2")
        if ours(line) != theirs(line.rstrip()).split()
    ]
    newer = {c for c in different if name == "intl" and is_newer(c)}
    assert set(different) == newer


def is_newer(character):
    """Whether this Python does not know the character yet."""
    import unicodedata

    return unicodedata.category(character) == "Cn"


@given(corpora(), TOKENIZERS, SMOOTHING)
@settings(max_examples=400)
def test_corpora(corpus, tokenize, smooth_method):
    hypotheses, references = corpus
    theirs = sacrebleu.corpus_bleu(
        hypotheses,
        references,
        smooth_method=smooth_method,
        tokenize=tokenize,
        force=True,
    )
    ours = corpus_bleu(hypotheses, references, smooth_method, tokenize)
    assert_same(ours, theirs, smooth_method)


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3), TOKENIZERS, SMOOTHING)
@settings(max_examples=400)
def test_sentences(hypothesis, references, tokenize, smooth_method):
    theirs = sacrebleu.sentence_bleu(
        hypothesis, references, smooth_method=smooth_method, tokenize=tokenize
    )
    ours = sentence_bleu(hypothesis, references, smooth_method, tokenize)
    assert_same(ours, theirs, smooth_method)


@given(corpora())
@settings(max_examples=300)
def test_chrf(corpus):
    hypotheses, references = corpus
    theirs = sacrebleu.corpus_chrf(hypotheses, references)
    assert corpus_chrf(hypotheses, references) == near(theirs.score)
    present = [stream[0] for stream in references if stream[0] is not None]
    theirs = sacrebleu.sentence_chrf(hypotheses[0], present)
    assert sentence_chrf(hypotheses[0], present) == near(theirs.score)
    with_none = [stream[0] for stream in references]
    assert sentence_chrf(hypotheses[0], with_none) == near(theirs.score)


@pytest.mark.slow
@pytest.mark.parametrize("tokenize", NAMES)
def test_thousands_of_longer_pairs(tokenize):
    """Sentences as long as real ones, on which every order has matches."""
    random = Random(sum(map(ord, tokenize)))
    hypotheses, references = sentences.generated(1000, seed=random.randrange(10**6))
    for hypothesis, reference in zip(hypotheses, references, strict=True):
        smooth_method = random.choice(METHODS)
        options = {"smooth_method": smooth_method, "tokenize": tokenize}
        theirs = sacrebleu.sentence_bleu(hypothesis, [reference], **options)
        assert_same(
            sentence_bleu(hypothesis, [reference], **options), theirs, smooth_method
        )
    theirs = sacrebleu.corpus_bleu(
        hypotheses, [references], tokenize=tokenize, force=True
    )
    assert_same(corpus_bleu(hypotheses, [references], tokenize=tokenize), theirs, "exp")
    assert theirs.counts[3] > 1000
    theirs = sacrebleu.corpus_chrf(hypotheses[:200], [references[:200]])
    ours = corpus_chrf(hypotheses[:200], [references[:200]])
    assert ours == near(theirs.score)


def test_where_sacrebleu_cuts_the_corpus_in_silence_ours_says_so():
    hypotheses, streams = ["a b c d", "e f g h"], [["a b c d"]]
    assert sacrebleu.corpus_bleu(hypotheses, streams).score == near(100)
    for score in (corpus_bleu, corpus_chrf, ops.corpus_bleu):
        with pytest.raises(ValueError, match="has 1 entries: it must have 2"):
            score(hypotheses, streams)
