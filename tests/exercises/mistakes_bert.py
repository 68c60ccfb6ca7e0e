"""Likely mistakes in the exercises on BERT: `check` must find each of them."""

from collections import Counter
from itertools import pairwise
from math import exp, log

from tests.exercises import solutions_bert as solutions


def shortest_pieces(word, vocabulary):
    found, place = [], 0
    while place < len(word):
        mark = "##" if place else ""
        ends = range(place + 1, len(word) + 1)
        end = next((end for end in ends if mark + word[place:end] in vocabulary), None)
        if end is None:
            return ["[UNK]"]
        found.append(mark + word[place:end])
        place = end
    return found


def pieces_without_marks(word, vocabulary):
    found, place = [], 0
    while place < len(word):
        mark = "##" if place else ""
        ends = range(len(word), place, -1)
        fitting = (
            (n, piece)
            for n in ends
            for piece in (mark + word[place:n], word[place:n])
            if piece in vocabulary
        )
        place, piece = next(fitting, (0, None))
        if piece is None:
            return ["[UNK]"]
        found.append(piece)
    return found


def overlapping_pairs_twice(corpus):
    pieces, pairs = Counter(), Counter()
    for word, how_often in corpus:
        for piece in word:
            pieces[piece] += how_often
        for pair in pairwise(word):
            pairs[pair] += how_often

    def f(n):
        return n * log(n) if n > 0 else 0.0

    def gain(pair):
        n, total = pairs[pair], pieces.total()
        lost = sum(
            f(pieces[piece]) - f(pieces[piece] - times * n)
            for piece, times in Counter(pair).items()
        )
        return f(n) - lost + f(total) - f(total - n)

    return list(max(sorted(pairs), key=gain))


def most_frequent_pair(corpus):
    counts = Counter()
    for word, how_often in corpus:
        for pair in pairwise(word):
            counts[pair] += how_often
    return list(counts.most_common(1)[0][0])


# Each with what it does wrong.
MISTAKES = [
    # takes the padding for part of the second segment
    (
        "bert.segments",
        lambda tokens: [int(n > tokens.index(3)) for n in range(len(tokens))],
    ),
    # begins the second segment with the [SEP] that ends the first
    (
        "bert.segments",
        lambda tokens: [
            int(n >= tokens.index(3) and t != 0) for n, t in enumerate(tokens)
        ],
    ),
    # looks for the shortest piece first
    ("bert.pieces", shortest_pieces),
    # takes a piece that begins words for one that continues them
    ("bert.pieces", pieces_without_marks),
    # keeps the pieces before the place where nothing fits
    (
        "bert.pieces",
        lambda word, vocabulary: [
            piece for piece in solutions.pieces(word, vocabulary) if piece != "[UNK]"
        ],
    ),
    # asks at every place
    (
        "bert.masked_nll",
        lambda scores, targets: solutions.masked_nll(
            scores, [max(target, 0) for target in targets]
        ),
    ),
    # exponents without taking the largest score away first
    (
        "bert.masked_nll",
        lambda scores, targets: [
            log(sum(map(exp, row))) - row[t]
            for row, t in zip(scores, targets, strict=True)
            if t != -100
        ],
    ),
    # more than half is not beyond guessing
    ("bert.beyond_guessing", lambda pairs, one_in: pairs // 2 + 1),
    # P(more than k) instead of P(k or more)
    (
        "bert.beyond_guessing",
        lambda pairs, one_in: solutions.beyond_guessing(pairs, one_in) - 1,
    ),
    # the most frequent pair, which is byte-pair encoding
    ("bert.best_merge", most_frequent_pair),
    # counts a ##a ##a ##a as two pairs ##a ##a that can both be merged
    ("bert.best_merge", overlapping_pairs_twice),
]
