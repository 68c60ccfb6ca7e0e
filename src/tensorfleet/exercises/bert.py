"""The exercises of the BERT chapter."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import comb, exp, fsum, log
from random import Random
from typing import Any

from tensorfleet.bert.inputs import NO_TARGET, joined
from tensorfleet.bert.wordpiece import CLS, PAD, SEP, SPECIAL, WordPiece
from tensorfleet.exercises.checking import Arguments, Exercise, close_to, equals

Corpus = list[tuple[list[str], int]]  # words as pieces, and how often each occurs


def segments_cases() -> Iterator[Arguments]:
    yield ([CLS, 7, 8, SEP, 9, SEP, PAD, PAD],)
    yield ([CLS, SEP],)
    yield ([CLS, 7, SEP, PAD],)
    random = Random(1)
    for length in (6, 16, 40):
        first, second = (
            tuple(random.randrange(5, 99) for _ in range(random.randrange(1, 12)))
            for _ in range(2)
        )
        yield (list(joined(first, second, length=length).tokens),)


def segments(tokens: list[int]) -> list[int]:
    """1 for what stands after the first [SEP] up to the second, 0 for the rest."""
    found, separators = [], 0
    for token in tokens:
        found.append(int(separators == 1 and token != PAD))
        separators += token == SEP
    return found


def pieces_cases() -> Iterator[Arguments]:
    yield "masks", ["m", "mask", "##s", "##k"]
    yield "abcde", ["ab", "abc", "##cde", "##d", "##e"]
    yield "abcd", ["ab", "abc", "##cd"]
    yield "s", ["##s"]
    yield "ab", ["a", "b"]  # "b" may only begin a word
    yield "masked", []
    random = Random(2)
    for length in (1, 4, 9):
        vocabulary = {
            mark + "".join(random.choices("ab", k=random.randrange(1, 4)))
            for mark in ("", "##")
            for _ in range(6)
        }
        yield "".join(random.choices("ab", k=length)), sorted(vocabulary)


def pieces(word: str, vocabulary: list[str]) -> list[str]:
    return WordPiece([*SPECIAL, *vocabulary]).pieces(word)


def masked_nll_cases() -> Iterator[Arguments]:
    yield [[0.0, 0.0], [1.0, 2.0]], [0, NO_TARGET]
    yield [[0.0, log(3)], [5.0, 5.0]], [1, 0]
    yield [[1000.0, 0.0], [0.0, 1000.0]], [0, 0]  # exp of these is no float
    yield [[-1000.0, -1001.0]], [1]
    yield [[1.0, 2.0, 3.0]] * 3, [NO_TARGET, NO_TARGET, 2]
    random = Random(3)
    for places, size in ((4, 3), (10, 20)):
        scores = [[random.uniform(-5, 5) for _ in range(size)] for _ in range(places)]
        targets = [random.choice([NO_TARGET, random.randrange(size)]) for _ in scores]
        yield scores, [*targets[:-1], 0]


def masked_nll(scores: list[list[float]], targets: list[int]) -> list[float]:
    """ln Σ exp(score) − the target's score, at each place that has a target."""
    found = []
    for row, target in zip(scores, targets, strict=True):
        if target != NO_TARGET:
            top = max(row)
            found.append(top + log(fsum(exp(s - top) for s in row)) - row[target])
    return found


def beyond_guessing_cases() -> Iterator[Arguments]:
    yield 10, 100
    yield 100, 20
    yield 100, 1000
    yield 1, 2
    yield 3, 1000  # even three of three are likelier than that
    yield 1000, 1_000_000
    yield 2000, 40  # 0.5 ** 2000 is 0 as a float


def beyond_guessing(pairs: int, one_in: int) -> int:
    """Count from the top down, in whole numbers, until the tail is too likely."""
    tail = 0
    for right in range(pairs, -1, -1):
        tail += comb(pairs, right)
        if tail * one_in > 2**pairs:
            return right + 1
    return 0


def best_merge_cases() -> Iterator[Arguments]:
    yield (
        [(["q", "##u"], 6), (["a", "##b"], 8), (["a", "##c"], 8), (["e", "##b"], 8)],
    )
    yield ([(["a", "##b", "##c"], 3), (["x", "##b"], 1), (["##b"], 4)],)
    yield ([(["a", "##a", "##a"], 5), (["b", "##b"], 5)],)
    # The pair ##a ##a stands twice in the word, but can be merged once only.
    yield ([(["a", "##a", "##a", "##a"], 5), (["b", "##b"], 6)],)
    yield ([(["t", "##h", "##e"], 20), (["t", "##o"], 9), (["i", "##t"], 9)],)
    random = Random(5)
    for size in (5, 12):
        words = {
            "".join(random.choices("aabcd", k=random.randrange(2, 6)))
            for _ in range(size)
        }
        yield (
            [
                ([word[0], *(f"##{sign}" for sign in word[1:])], random.randrange(1, 9))
                for word in sorted(words)
            ],
        )


def judge_best_merge(arguments: Arguments, answer: Any) -> str | None:
    """No pair may gain more than the one returned; equals are all right."""
    (corpus,) = arguments
    gains = {
        pair: likelihood(merged(corpus, pair)) - likelihood(corpus)
        for pair in sorted({pair for word, _ in corpus for pair in pairwise(word)})
    }
    best = max(gains, key=lambda pair: gains[pair])
    if answer not in [list(pair) for pair in gains]:
        return f"returned {answer!r}\nexpected two neighbours, as {list(best)}"
    gain = gains[tuple(answer)]
    if gain < gains[best] - 1e-9:
        return (
            f"returned {answer}, which gains {gain:.3f}\n"
            f"expected {list(best)}, which gains {gains[best]:.3f}"
        )
    return None


def likelihood(corpus: Corpus) -> float:
    """The log-likelihood of a text, each piece drawn by its share."""
    counts: Counter[str] = Counter()
    for word, how_often in corpus:
        for piece in word:
            counts[piece] += how_often
    total = counts.total()
    return fsum(n * log(n / total) for n in counts.values())


def merged(corpus: Corpus, pair: tuple[str, str]) -> Corpus:
    result = []
    for word, how_often in corpus:
        out: list[str] = []
        place = 0
        while place < len(word):
            if tuple(word[place : place + 2]) == pair:
                out.append(pair[0] + pair[1].removeprefix("##"))
                place += 2
            else:
                out.append(word[place])
                place += 1
        result.append((out, how_often))
    return result


EXERCISES = {
    "segments": Exercise("(tokens) -> segments", segments_cases, equals(segments)),
    "pieces": Exercise("(word, vocabulary) -> pieces", pieces_cases, equals(pieces)),
    "masked_nll": Exercise(
        "(scores, targets) -> losses", masked_nll_cases, close_to(masked_nll)
    ),
    "beyond_guessing": Exercise(
        "(pairs, one_in) -> right answers",
        beyond_guessing_cases,
        equals(beyond_guessing),
    ),
    "best_merge": Exercise(
        "(corpus) -> pair of pieces", best_merge_cases, judge_best_merge
    ),
}
