"""What a model must beat: answers that read nothing, and how sure a share of hits is.

Whoever knows only how often each word occurs pays, on text of the same kind, its
unigram entropy: −Σ p(w) ln p(w) nats a word. Whoever knows only how often each class
occurs answers with the most frequent one. A model has learned from context only what it
does better than these.

Trials out of the same passage are right or wrong together, so that a passage has to
count as one: `interval` draws whole passages anew (the cluster bootstrap; Efron and
Tibshirani, "An introduction to the bootstrap", 1993). It holds for text like these
passages; where they come from few documents, these may be given as the passages.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from math import log
from random import Random


def unigram_nll(train: Iterable[int], text: Sequence[int], num_words: int) -> float:
    """Nats a token of `text`, if each is foretold by its share of `train` alone.

    One is added to the count of each of the `num_words` words, so that none is
    impossible (Laplace's rule).

    Raises ValueError for an empty `text`, or a token outside of 0 to num_words - 1.
    """
    counts = Counter(train)
    if not text:
        raise ValueError("text is empty: it must have one token at least")
    for token in (*counts, *text):
        if not 0 <= token < num_words:
            raise ValueError(f"there is no token {token}: there are {num_words}")
    total = counts.total() + num_words
    return sum(-log((counts[token] + 1) / total) for token in text) / len(text)


def majority_share(train: Iterable[Hashable], test: Sequence[Hashable]) -> float:
    """The share of `test` that the most frequent label of `train` gets right.

    Of labels that are equally frequent, the first to occur. Raises ValueError if either
    is empty.
    """
    ranking = Counter(train).most_common(1)
    if not ranking or not test:
        raise ValueError("labels are missing: there must be one at least to learn from")
    return sum(label == ranking[0][0] for label in test) / len(test)


def interval(
    hits: Sequence[bool],
    passages: Sequence[Hashable],
    random: Random,
    confidence: float = 0.95,
    rounds: int = 1000,
) -> tuple[float, float]:
    """Between what bounds the share of hits lies, if whole passages were drawn anew.

    `passages` says for each trial what text it is about. In each of `rounds` rounds as
    many passages as there are are drawn with replacement, and their share of hits is
    taken; returned is the middle `confidence` of these shares.

    Raises ValueError for other lengths, fewer than two passages, or a confidence or a
    number of rounds that leaves nothing.
    """
    if len(hits) != len(passages):
        raise ValueError(f"there are {len(hits)} hits and {len(passages)} passages")
    if not 0 < confidence < 1 or rounds < 1:
        raise ValueError(
            f"confidence is {confidence} and rounds is {rounds}: they must be between "
            "0 and 1, and 1 or more"
        )
    counted: dict[Hashable, tuple[int, int]] = {}
    for hit, passage in zip(hits, passages, strict=True):
        right, trials = counted.get(passage, (0, 0))
        counted[passage] = right + hit, trials + 1
    if len(counted) < 2:
        raise ValueError(
            f"there are {len(counted)} passages: there must be two or more"
        )
    known = list(counted.values())
    shares = []
    for _ in range(rounds):
        drawn = random.choices(known, k=len(known))
        shares.append(sum(right for right, _ in drawn) / sum(n for _, n in drawn))
    shares.sort()
    outside = int((1 - confidence) / 2 * rounds)
    return shares[outside], shares[rounds - 1 - outside]
