"""Likely mistakes in the exercises on BLEU: `check` must find each of them."""

from itertools import pairwise
from math import exp, factorial

from tests.exercises import solutions_bleu as solutions


def grams(tokens, n):
    return [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]


def score_of_mean_precisions(rows):
    product = 1
    for order in range(4):
        product *= sum(row[0][order] / row[1][order] for row in rows) / len(rows)
    output, reference = sum(row[2] for row in rows), sum(row[3] for row in rows)
    return 100 * min(1, exp(1 - reference / output)) * product ** (1 / 4)


# Each with what it does wrong.
MISTAKES = [
    # not clipped
    (
        "bleu.clipped_matches",
        lambda candidate, references, n: sum(
            gram in {g for r in references for g in grams(r, n)}
            for gram in grams(candidate, n)
        ),
    ),
    # adds up what the references have
    (
        "bleu.clipped_matches",
        lambda candidate, references, n: sum(
            min(
                grams(candidate, n).count(gram),
                sum(grams(r, n).count(gram) for r in references),
            )
            for gram in set(grams(candidate, n))
        ),
    ),
    # the shortest reference
    (
        "bleu.lengths",
        lambda candidates, references: [
            sum(candidates),
            sum(map(min, references)),
        ],
    ),
    # the longer of two that are equally near
    (
        "bleu.lengths",
        lambda candidates, references: [
            sum(candidates),
            sum(
                min(sorted(others, reverse=True), key=lambda o: abs(o - length))
                for length, others in zip(candidates, references, strict=True)
            ),
        ],
    ),
    # the mean twice
    (
        "bleu.corpus_and_mean",
        lambda rows: [solutions.corpus_and_mean(rows)[1]] * 2,
    ),
    # the score of the corpus twice
    (
        "bleu.corpus_and_mean",
        lambda rows: [solutions.corpus_and_mean(rows)[0]] * 2,
    ),
    # the mean of the precisions, instead of sums divided once
    (
        "bleu.corpus_and_mean",
        lambda rows: [
            score_of_mean_precisions(rows),
            solutions.corpus_and_mean(rows)[1],
        ],
    ),
    # counts the breaks, not the pieces
    (
        "bleu.equal_orders",
        lambda candidate, reference: factorial(
            sum(pair not in pairwise(reference) for pair in pairwise(candidate))
        ),
    ),
    # repeats the reference
    (
        "bleu.babble",
        lambda reference, length: (reference * length)[:length],
    ),
    # lists instead of words
    ("bleu.babble", lambda reference, length: [["very"]] * length),
    # gives up
    ("bleu.babble", lambda reference, length: None),
]
