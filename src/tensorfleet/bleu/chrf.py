"""chrF: n-grams of characters instead of words, and recall beside precision.

    chrF = (1 + β²) · P · R / (β² P + R),   β = 2

P is the share of the hypothesis' character n-grams that stand in the reference, R that
of the reference's in the hypothesis, both clipped, and averaged over n = 1 to 6 without
regard to white space (Popović 2015, 2016). A word in another inflection still shares
most of its characters, and what is left out costs recall. With several references that
counts which gives the sentence the highest score. As in sacrebleu, orders of which one
side has no n-gram are left out of the mean, and counts are added up over a corpus.

Does not handle: chrF++, which adds n-grams of words.
"""

from collections import Counter
from collections.abc import Sequence

from tensorfleet.bleu.corpus import Stream, check_sentence, sentences

CHARACTER_ORDERS = range(1, 7)
BETA = 2
# For each order the n-grams of the hypothesis, of the reference, and of both.
Counts = list[tuple[int, int, int]]


def corpus_chrf(hypotheses: Sequence[str], references: Sequence[Stream]) -> float:
    """chrF of a corpus, from 0 to 100; arguments and errors as for `corpus_bleu`."""
    best = [
        max((counts(text, reference) for reference in texts), key=f_score)
        for text, texts in sentences(hypotheses, references)
    ]
    return f_score(
        [
            (sum(said), sum(wanted), sum(shared))
            for said, wanted, shared in (
                zip(*order, strict=True) for order in zip(*best, strict=True)
            )
        ]
    )


def sentence_chrf(hypothesis: str, references: Stream) -> float:
    """chrF of one sentence, from 0 to 100; arguments and errors as `sentence_bleu`."""
    texts = check_sentence(hypothesis, references)
    return max(f_score(counts(hypothesis, text)) for text in texts)


def counts(hypothesis: str, reference: str) -> Counts:
    """Character n-grams of each order: the hypothesis', the reference's, shared."""
    found = []
    for order in CHARACTER_ORDERS:
        said, wanted = (
            Counter(
                text[begin : begin + order] for begin in range(len(text) - order + 1)
            )
            for text in ("".join(line.split()) for line in (hypothesis, reference))
        )
        shared = (said & wanted).total()  # the smaller of each two counts
        found.append((said.total() if wanted else 0, wanted.total(), shared))
    return found


def f_score(found: Counts) -> float:
    """The weighted mean of precision and recall, in percent; 0 without a match."""
    usable = [(said, wanted, both) for said, wanted, both in found if said and wanted]
    if not any(both for _, _, both in usable):
        return 0.0
    precision = sum(both / said for said, _, both in usable) / len(usable)
    recall = sum(both / wanted for _, wanted, both in usable) / len(usable)
    weight = BETA**2
    return 100 * (1 + weight) * precision * recall / (weight * precision + recall)
