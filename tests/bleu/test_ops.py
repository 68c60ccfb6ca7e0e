"""Counting as tensors gives exactly the reference's counts, sentence by sentence."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.bleu import corpus_bleu, ops, sentences
from tensorfleet.bleu.reference import statistics
from tensorfleet.bleu.scores import MAX_ORDER
from tensorfleet.bleu.tokenizers import TOKENIZERS, find_tokenizer
from tests.bleu.strategies import SMOOTHING, TEXTS, corpora
from tests.bleu.strategies import TOKENIZERS as TOKENIZER_NAMES


def rows_by_definition(hypotheses, references, tokenize):
    cut = find_tokenizer(tokenize)
    rows = []
    for hypothesis, *texts in zip(hypotheses, *references, strict=True):
        found = statistics(
            cut(hypothesis), [cut(text) for text in texts if text is not None]
        )
        rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    return rows


@given(corpora(max_sentences=6), TOKENIZER_NAMES, SMOOTHING)
@settings(max_examples=300)
def test_ops_are_the_definition(corpus, tokenize, smooth_method):
    found = ops.statistics(*corpus, tokenize)
    assert found.dtype == torch.int64
    assert found.tolist() == rows_by_definition(*corpus, tokenize)
    assert ops.corpus_bleu(*corpus, smooth_method, tokenize) == corpus_bleu(
        *corpus, smooth_method, tokenize
    )


@given(st.lists(st.one_of(TEXTS, st.none()), min_size=1, max_size=4), TOKENIZER_NAMES)
@settings(max_examples=200)
def test_words_cut_one_by_one_are_the_lines_tokens(lines, name):
    """The property of `cut` on which `ops` rests."""
    cut = TOKENIZERS[name]
    numbers, lengths = ops.encode([lines], cut)
    expected = [cut(line) if line is not None else [] for line in lines]
    assert lengths.tolist() == [
        [
            len(tokens) if line is not None else ops.ABSENT
            for line, tokens in zip(lines, expected, strict=True)
        ]
    ]
    flat = [token for tokens in expected for token in tokens]
    # Numbered alike where the tokens are alike, and only there.
    pairs = set(zip(flat, numbers.tolist(), strict=True))
    assert len(pairs) == len(set(flat)) == len(set(numbers.tolist()))


def test_a_large_corpus_with_repetitive_sentences():
    hypotheses, references = sentences.generated(3000, seed=3)
    # Skew: a sentence of one word over and over, one as long as a book, empty ones.
    hypotheses += ["the " * 5000, "", " ".join(hypotheses[:300]), "a"]
    references += ["the " * 4000, "x", " ".join(references[:300]), ""]
    streams = [references, references[1:] + references[:1]]
    found = ops.statistics(hypotheses, streams)
    assert found.tolist() == rows_by_definition(hypotheses, streams, "13a")
    assert ops.score_of(found.sum(0)) == corpus_bleu(hypotheses, streams)


def test_sentences_do_not_borrow_from_their_neighbours():
    """A word, or an n-gram across a line's end, counts in its own sentence alone."""
    found = ops.statistics(["a b", "c d", "a b c d"], [["c d", "a b", "a b x c d"]])
    assert found[:, :MAX_ORDER].tolist() == [
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [4, 2, 0, 0],
    ]


@pytest.mark.parametrize(("hypothesis", "reference"), [("", ""), ("", "a"), ("a", "")])
def test_nothing_to_count(hypothesis, reference):
    found = ops.corpus_bleu([hypothesis], [[reference]])
    assert found == corpus_bleu([hypothesis], [[reference]])
    assert found.score == 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_counts_the_same():
    hypotheses, references = sentences.generated(2000, seed=4)
    on_cpu = ops.statistics(hypotheses, [references])
    on_gpu = ops.statistics(hypotheses, [references], device="cuda")
    assert torch.equal(on_gpu.cpu(), on_cpu)
