"""Counting as tensors gives exactly the reference's counts, sentence by sentence."""

from random import Random

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


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.uint8])
def test_tokens_that_are_numbers_already(seed, dtype):
    """Others than `encode` gives: neither without gaps nor in the order met."""
    random = Random(seed)
    highest = torch.iinfo(dtype).max if dtype != torch.int64 else ops.LIMIT - 1
    numbers = (0, highest, highest - 1, highest // 2)
    num_sentences = random.randrange(1, 5)
    streams = [
        [
            [random.choice(numbers) for _ in range(random.randrange(9))]
            if not (stream == 2 and random.random() < 0.5)
            else None
            for _ in range(num_sentences)
        ]
        for stream in range(3)
    ]
    lines = [line for stream in streams for line in stream]
    words = torch.tensor([word for line in lines for word in line or ()], dtype=dtype)
    lengths = torch.tensor(
        [ops.ABSENT if line is None else len(line) for line in lines]
    ).view(3, -1)
    hypotheses, *references = (
        [" ".join(map(str, line)) if line is not None else None for line in stream]
        for stream in streams
    )
    found = ops.statistics_of(words, lengths)
    assert found.tolist() == rows_by_definition(hypotheses, references, "none")
    assert ops.score_of(found.sum(0)) == corpus_bleu(
        hypotheses, references, tokenize="none"
    )


@pytest.mark.parametrize(
    ("words", "lengths", "error", "message"),
    [
        ([1.5, 2.0], [[1], [1]], TypeError, "words has dtype torch.float32"),
        ([1, 2], [[1.0], [1.0]], TypeError, "lengths has dtype torch.float32"),
        ([True, True], [[1], [1]], TypeError, "words has dtype torch.bool"),
        ([[1, 2]], [[1], [1]], ValueError, "words has 2 axes: it must have 1"),
        ([1, 2], [1, 1], ValueError, "lengths has 1 axes: it must have 2"),
        ([1, 2], [[1, 1]], ValueError, r"lengths has shape \(1, 2\)"),
        ([], [[], []], ValueError, r"lengths has shape \(2, 0\)"),
        ([1, 2], [[2], [-2]], ValueError, "lengths go down to -2"),
        ([1, 2], [[-1], [2]], ValueError, "lengths go down to -1"),
        ([1, 2], [[1, 1], [0, -1]], ValueError, "hypothesis 1 has no reference"),
        ([1, 2, 3], [[2], [2]], ValueError, "add up to 4: there are 3 words"),
        ([1, 2, 3], [[1], [1]], ValueError, "add up to 2: there are 3 words"),
        ([1, -2], [[1], [1]], ValueError, "words go from -2 to 1"),
        (
            [1, 2**31],
            [[1], [1]],
            ValueError,
            "from 1 to 2147483648: .* 0 to 2147483647",
        ),
    ],
)
def test_bad_numbers_are_named(words, lengths, error, message):
    words = torch.tensor(words) if words else torch.empty(0, dtype=torch.int64)
    lengths = torch.tensor(lengths)
    if not lengths.numel():
        lengths = lengths.long()
    with pytest.raises(error, match=message):
        ops.statistics_of(words, lengths)


@pytest.mark.parametrize("references", [iter([["a"]]), 5, None, {("a",): 1}, "a", b"a"])
def test_references_that_are_no_list_are_named(references):
    with pytest.raises(TypeError, match=r"references are .* list of streams of texts"):
        ops.corpus_bleu(["a"], references)


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
