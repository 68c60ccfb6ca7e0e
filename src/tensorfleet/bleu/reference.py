"""BLEU by definition: n-grams, clipped matches, and their sum over a corpus.

An n-gram is n tokens in a row. A hypothesis is compared with one or more references:

    matches  = Σ over its n-grams of min(count in the hypothesis,
                                         the most that a single reference has)
    total    = number of its n-grams
    ref_len  = the length of the reference that is closest in length; of two, the
               shorter

(Papineni et al. 2002, sections 2.1 and 2.2.2, where the closest is the *best match
length*. What happens when two are equally close the paper leaves open; that is
sacrebleu's rule.)
The minimum is the *clipping*. All of these are added up over the corpus first, and
divided once: BLEU of a corpus is no mean of its sentences' BLEU.

Does not handle: tensors (see `ops`).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tensorfleet.bleu.corpus import Stream, check_sentence, sentences
from tensorfleet.bleu.scores import MAX_ORDER, Bleu, check_smooth_method, score
from tensorfleet.bleu.tokenizers import find_tokenizer

Tokens = Sequence[str]
Ngram = tuple[str, ...]
ORDERS = range(1, MAX_ORDER + 1)


@dataclass(frozen=True)
class Statistics:
    """All that the score of a corpus needs to know of a sentence, or of many."""

    counts: tuple[int, ...]
    totals: tuple[int, ...]
    sys_len: int
    ref_len: int

    def __add__(self, other: "Statistics") -> "Statistics":
        return Statistics(
            tuple(map(sum, zip(self.counts, other.counts, strict=True))),
            tuple(map(sum, zip(self.totals, other.totals, strict=True))),
            self.sys_len + other.sys_len,
            self.ref_len + other.ref_len,
        )


def ngrams(tokens: Tokens, order: int) -> list[Ngram]:
    """All n-grams of n = `order`, from left to right."""
    return [
        tuple(tokens[begin : begin + order]) for begin in range(len(tokens) - order + 1)
    ]


def allowed(references: Sequence[Tokens], order: int) -> Counter[Ngram]:
    """How often each n-gram may count: the most that a single reference has of it."""
    most: Counter[Ngram] = Counter()
    for tokens in references:
        most |= Counter(ngrams(tokens, order))  # the larger of each two counts
    return most


def statistics(
    hypothesis: Tokens, references: Sequence[Tokens], *, clip: bool = True
) -> Statistics:
    """Matches and lengths of one sentence; `references` has one or more.

    Without `clip` an n-gram that stands in a reference counts as often as it is said,
    which is what shows why clipping is needed.
    """
    counts, totals = [], []
    for order in ORDERS:
        said = Counter(ngrams(hypothesis, order))
        limit = allowed(references, order)
        if not clip:
            limit = Counter({ngram: said[ngram] for ngram in limit})
        counts.append((said & limit).total())  # the smaller of each two counts
        totals.append(said.total())
    return Statistics(
        tuple(counts),
        tuple(totals),
        len(hypothesis),
        closest_length(len(hypothesis), list(map(len, references))),
    )


def closest_length(length: int, candidates: Sequence[int]) -> int:
    """The candidate nearest to `length`; of two equally near, the smaller."""
    return min(candidates, key=lambda other: (abs(other - length), other))


def corpus_bleu(
    hypotheses: Sequence[str],
    references: Sequence[Stream],
    smooth_method: str = "exp",
    tokenize: str = "13a",
) -> Bleu:
    """BLEU of a corpus. `references` is a list of streams; see `corpus`.

    Raises TypeError or ValueError for a corpus that is none, ValueError for an unknown
    `smooth_method` or `tokenize`. An empty hypothesis counts as one without n-grams.
    """
    check_smooth_method(smooth_method)
    cut = find_tokenizer(tokenize)
    total = Statistics((0,) * MAX_ORDER, (0,) * MAX_ORDER, 0, 0)
    for hypothesis, texts in sentences(hypotheses, references):
        total += statistics(cut(hypothesis), list(map(cut, texts)))
    return score(
        total.counts, total.totals, total.sys_len, total.ref_len, smooth_method
    )


def sentence_bleu(
    hypothesis: str,
    references: Stream,
    smooth_method: str = "exp",
    tokenize: str = "13a",
) -> Bleu:
    """BLEU of one sentence, over the orders of which it has any n-gram.

    Except with add-k: adding one to 0 of 0 gives each order that is missing a precision
    of 100%, and all four count, as in sacrebleu. `references` is a list of texts.

    Raises TypeError for a hypothesis that is no text and references that are no list of
    texts, ValueError without a reference and for an unknown `smooth_method` or
    `tokenize`. See the chapter on how little the score says.
    """
    check_smooth_method(smooth_method)
    cut = find_tokenizer(tokenize)
    texts = check_sentence(hypothesis, references)
    found = statistics(cut(hypothesis), list(map(cut, texts)))
    return score(
        found.counts,
        found.totals,
        found.sys_len,
        found.ref_len,
        smooth_method,
        effective_order=True,
    )
