"""Likely mistakes in the exercises on attention: `check` must find each of them."""

from math import ceil, exp

from tests.exercises import solutions_attention as solutions

# Each with what it does wrong.
MISTAKES = [
    # keys without values
    (
        "attention.kv_bytes",
        lambda *given: solutions.kv_bytes(*given) // 2,
    ),
    # a token does not attend to itself
    (
        "attention.decode_operations",
        lambda n, width: 6 * n * width**2 + 4 * width * n * (n - 1) // 2,
    ),
    # both parts keep their own maximum
    (
        "attention.merge",
        lambda one, other: [
            max(one[0], other[0]),
            one[1] + other[1],
            *(a + b for a, b in zip(one[2], other[2], strict=True)),
        ],
    ),
    # exponentials of the scores themselves, which overflow
    (
        "attention.merge",
        lambda one, other: [
            max(one[0], other[0]),
            (exp(one[0]) * one[1] + exp(other[0]) * other[1])
            / exp(max(one[0], other[0])),
            *(
                (exp(one[0]) * a + exp(other[0]) * b) / exp(max(one[0], other[0]))
                for a, b in zip(one[2], other[2], strict=True)
            ),
        ],
    ),
    # the difference of two infinities
    (
        "attention.merge",
        lambda one, other: [
            max(one[0], other[0]),
            *(
                exp(one[0] - max(one[0], other[0])) * a
                + exp(other[0] - max(one[0], other[0])) * b
                for a, b in zip([one[1], *one[2]], [other[1], *other[2]], strict=True)
            ),
        ],
    ),
    # half of all tiles
    (
        "attention.causal_tiles",
        lambda queries, keys, rows, columns: (
            ceil(queries / rows) * ceil(keys / columns) // 2
        ),
    ),
    # what the first query of a tile sees, not the last
    (
        "attention.causal_tiles",
        lambda queries, keys, rows, columns: sum(
            ceil(min(start + 1, keys) / columns) for start in range(0, queries, rows)
        ),
    ),
    # a weight changes no other weight
    (
        "attention.score_gradient",
        lambda scores, logsumexp, values, gradient: [
            exp(s - logsumexp)
            * sum(g * v for g, v in zip(gradient, value, strict=True))
            for s, value in zip(scores, values, strict=True)
        ],
    ),
]
