"""The solutions that the BLEU chapter shows; the tests run them through `check`."""

from collections import Counter
from itertools import pairwise
from math import exp, factorial, prod


def clipped_matches(candidate, references, n):
    def count(tokens):
        return Counter(zip(*(tokens[i:] for i in range(n)), strict=False))

    allowed = Counter()
    for reference in references:
        allowed |= count(reference)  # the larger of each two counts
    return (count(candidate) & allowed).total()  # the smaller of each two


def lengths(candidates, references):
    closest = 0
    for length, others in zip(candidates, references, strict=True):
        closest += min(others, key=lambda other: (abs(other - length), other))
    return [sum(candidates), closest]


def corpus_and_mean(statistics):
    def bleu(counts, totals, output, reference):
        penalty = min(1, exp(1 - reference / output))
        precisions = [c / t for c, t in zip(counts, totals, strict=True)]
        return 100 * penalty * prod(precisions) ** (1 / 4)

    counts, totals, outputs, references = zip(*statistics, strict=True)
    whole = bleu(
        [sum(column) for column in zip(*counts, strict=True)],
        [sum(column) for column in zip(*totals, strict=True)],
        sum(outputs),
        sum(references),
    )
    return [whole, sum(bleu(*row) for row in statistics) / len(statistics)]


def equal_orders(candidate, reference):
    known = set(pairwise(reference))
    pieces = 1
    for pair in pairwise(candidate):
        pieces += pair not in known  # here the candidate may be cut
    return factorial(pieces)


def babble(reference, length):
    grams = {tuple(reference[i : i + 4]) for i in range(len(reference) - 3)}
    # can[k]: three words after which k more can follow, and the next of these
    can = [{gram[1:]: None for gram in grams} | {gram[:3]: None for gram in grams}]
    for _ in range(length - 3):
        can.append({gram[:3]: gram[3] for gram in grams if gram[1:] in can[-1]})
    if not can[-1]:
        return None
    words = list(next(iter(can[-1])))
    for step in reversed(can[1:]):
        words.append(step[tuple(words[-3:])])
    return words
