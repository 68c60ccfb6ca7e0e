"""The exercises of the BLEU chapter."""

from collections.abc import Iterator
from itertools import pairwise
from math import factorial
from random import Random
from typing import Any

from tensorfleet.bleu.reference import Statistics, closest_length, ngrams, statistics
from tensorfleet.bleu.scores import MAX_ORDER, score
from tensorfleet.bleu.tokenizers import find_tokenizer
from tensorfleet.exercises.checking import Arguments, Exercise, close_to, equals

cut = find_tokenizer("none")
Row = tuple[list[int], list[int], int, int]


def clipped_matches_cases() -> Iterator[Arguments]:
    cat, mat = cut("the cat is on the mat"), cut("there is a cat on the mat")
    yield ["the"] * 7, [cat, mat], 1
    yield cut("the cat sat on the mat"), [cat, mat], 2
    yield ["cat", "cat", "mat"], [["cat", "cat"], ["cat", "mat", "mat"]], 1
    yield [], [cat], 1
    yield ["a", "b"], [["a", "b", "a", "b"]], 3
    random = Random(1)
    for size in (5, 9, 30):
        for order in (1, 2, 3, 4):
            yield (
                random_tokens(random, size),
                [random_tokens(random, size + extra) for extra in (0, 3)],
                order,
            )


def clipped_matches(
    candidate: list[str], references: list[list[str]], order: int
) -> int:
    return statistics(candidate, references).counts[order - 1]


def lengths_cases() -> Iterator[Arguments]:
    yield [10], [[12, 9, 30]]
    yield [10], [[11, 9]]
    yield [0, 4], [[3], [4, 4]]
    yield [7, 7, 7], [[5, 9], [9, 5, 6], [100]]
    random = Random(2)
    for sentences in (1, 5, 40):
        yield (
            [random.randrange(30) for _ in range(sentences)],
            [
                [random.randrange(30) for _ in range(random.randrange(1, 4))]
                for _ in range(sentences)
            ],
        )


def lengths(candidates: list[int], references: list[list[int]]) -> list[int]:
    closest = map(closest_length, candidates, references)
    return [sum(candidates), sum(closest)]


def corpus_and_mean_cases() -> Iterator[Arguments]:
    yield ([([4, 3, 2, 1], [4, 3, 2, 1], 4, 4)],)
    yield ([([4, 3, 2, 1], [5, 4, 3, 2], 5, 5), ([9, 7, 5, 3], [9, 8, 7, 6], 9, 12)],)
    yield ([([4, 3, 2, 1], [5, 4, 3, 2], 5, 5), ([1, 0, 0, 0], [4, 3, 2, 1], 4, 4)],)
    random = Random(3)
    for sentences in (2, 6, 20):
        rows: list[Row] = []
        for _ in range(sentences):
            found = statistics(
                random_tokens(random, random.randrange(4, 20)),
                [random_tokens(random, random.randrange(4, 20))],
            )
            rows.append(
                (list(found.counts), list(found.totals), found.sys_len, found.ref_len)
            )
        yield (rows,)


def corpus_and_mean(rows: list[Row]) -> list[float]:
    total = Statistics((0,) * MAX_ORDER, (0,) * MAX_ORDER, 0, 0)
    for counts, totals, sys_len, ref_len in rows:
        total += Statistics(tuple(counts), tuple(totals), sys_len, ref_len)
    whole = score(total.counts, total.totals, total.sys_len, total.ref_len, "none")
    single = [score(*row, "none").score for row in rows]
    return [whole.score, sum(single) / len(single)]


def equal_orders_cases() -> Iterator[Arguments]:
    reference = cut("the committee will publish its report before the end of may")
    yield cut("its report the committee will publish"), reference
    yield cut("before the end the committee will be publishing it"), reference
    yield reference, reference
    yield ["may"], reference
    yield cut("may of end"), reference
    random = Random(4)
    for size in (4, 7, 12):
        yield random_tokens(random, size), random_tokens(random, size)


def equal_orders(candidate: list[str], reference: list[str]) -> int:
    known = set(pairwise(reference))
    breaks = sum(pair not in known for pair in pairwise(candidate))
    return factorial(breaks + 1)


def babble_cases() -> Iterator[Arguments]:
    yield cut("it was very very very very good"), 12
    yield cut("row row row row your boat"), 8
    yield cut("to be or not to be or not to be that is the question"), 20
    yield cut("no word stands here twice"), 6
    yield cut("no word stands here twice"), 5
    yield cut("a b c d a b c e a b c f"), 13
    yield cut("a b c d b c d a b c e"), 30
    random = Random(5)
    for size, length in ((6, 6), (20, 25), (60, 40)):
        yield random_tokens(random, size), length


def babble(reference: list[str], length: int) -> list[str] | None:
    """Backwards: from which three words so many more can follow; then forwards."""
    grams = ngrams(reference, 4)
    follows: list[dict[tuple[str, ...], str]] = []
    alive = {gram[1:] for gram in grams} | {gram[:3] for gram in grams}
    for _ in range(length - 3):
        follows.append({gram[:3]: gram[3] for gram in grams if gram[1:] in alive})
        alive = set(follows[-1])
    if not alive:
        return None
    words = list(min(alive))
    for step in reversed(follows):
        words.append(step[tuple(words[-3:])])
    return words


def judge_babble(arguments: Arguments, answer: Any) -> str | None:
    """Any sentence will do whose 4-grams all stand in the reference."""
    reference, length = arguments
    possible = babble(reference, length)
    if possible is None:
        if answer is None:
            return None
        return f"returned {answer!r}\nexpected None: there is no such sentence"
    is_words = isinstance(answer, list) and all(isinstance(w, str) for w in answer)
    if not is_words or len(answer) != length:
        return f"returned {answer!r}\nexpected a list of {length} words"
    known = set(ngrams(reference, 4))
    for gram in ngrams(answer, 4):
        if gram not in known:
            return f"returned {answer!r}\n{' '.join(map(str, gram))!r} is not in it"
    return None


def random_tokens(random: Random, size: int) -> list[str]:
    return [random.choice("aab") for _ in range(size)]


EXERCISES = {
    "clipped_matches": Exercise(
        "(candidate, references, n) -> matches",
        clipped_matches_cases,
        equals(clipped_matches),
    ),
    "lengths": Exercise(
        "(candidates, references) -> [output length, reference length]",
        lengths_cases,
        equals(lengths),
    ),
    "corpus_and_mean": Exercise(
        "(statistics) -> [corpus BLEU, mean of the sentences' BLEU]",
        corpus_and_mean_cases,
        close_to(corpus_and_mean),
    ),
    "equal_orders": Exercise(
        "(candidate, reference) -> number of orders",
        equal_orders_cases,
        equals(equal_orders),
    ),
    "babble": Exercise(
        "(reference, length) -> list of words, or None", babble_cases, judge_babble
    ),
}
