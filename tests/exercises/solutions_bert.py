"""The solutions that the BERT chapter shows; the tests run them through `check`."""

from collections import Counter
from itertools import pairwise
from math import comb, exp, log


def segments(tokens):
    cls, sep, pad = 2, 3, 0
    assert tokens[0] == cls
    first = tokens.index(sep)
    return [int(place > first and token != pad) for place, token in enumerate(tokens)]


def pieces(word, vocabulary):
    found, place = [], 0
    while place < len(word):
        mark = "##" if place else ""
        ends = range(len(word), place, -1)
        end = next((end for end in ends if mark + word[place:end] in vocabulary), None)
        if end is None:
            return ["[UNK]"]
        found.append(mark + word[place:end])
        place = end
    return found


def masked_nll(scores, targets):
    losses = []
    for row, target in zip(scores, targets, strict=True):
        if target != -100:
            top = max(row)
            total = log(sum(exp(score - top) for score in row))
            losses.append(total - (row[target] - top))
    return losses


def beyond_guessing(pairs, one_in):
    tail, right = 0, pairs + 1
    while right and (tail + comb(pairs, right - 1)) * one_in <= 2**pairs:
        right -= 1
        tail += comb(pairs, right)
    return right


def best_merge(corpus):
    def f(n):
        return n * log(n) if n else 0.0

    pieces, pairs = Counter(), Counter()
    for word, how_often in corpus:
        for piece in word:
            pieces[piece] += how_often
        free = 0  # the first place that no earlier pair of this word takes
        for place, pair in enumerate(pairwise(word)):
            if pair[0] != pair[1] or place >= free:
                pairs[pair] += how_often
                free = place + 2 if pair[0] == pair[1] else free
    total = pieces.total()

    def gain(pair):
        n = pairs[pair]
        used = Counter(pair)  # a piece may be merged with itself
        lost = sum(f(pieces[p]) - f(pieces[p] - k * n) for p, k in used.items())
        return f(n) - lost + f(total) - f(total - n)

    return max(sorted(pairs), key=gain)
