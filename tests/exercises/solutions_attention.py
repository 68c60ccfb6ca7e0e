"""The solutions that the attention chapter shows; tests run them through `check`."""

from math import exp, inf


def kv_bytes(layers, kv_heads, head_dim, tokens, value_bytes):
    keys_and_values = 2 * kv_heads * head_dim
    return layers * keys_and_values * tokens * value_bytes


def decode_operations(tokens, width):
    projections = 3 * 2 * width * width
    attention = 4 * width  # for each token that is attended to
    attended = tokens * (tokens + 1) // 2
    return projections * tokens + attention * attended


def merge(one, other):
    if one[0] < other[0]:
        one, other = other, one
    maximum, total, weighted = one
    if maximum == -inf:
        return [maximum, total, *weighted]
    factor = exp(other[0] - maximum)
    return [
        maximum,
        total + factor * other[1],
        *(a + factor * b for a, b in zip(weighted, other[2], strict=True)),
    ]


def causal_tiles(queries, keys, query_tile, key_tile):
    tiles = 0
    for start in range(0, queries, query_tile):
        seen = min(start + query_tile, queries, keys)  # by the last of these queries
        tiles += (seen + key_tile - 1) // key_tile
    return tiles


def score_gradient(scores, logsumexp, values, gradient):
    weights = [exp(score - logsumexp) for score in scores]
    slopes = [
        sum(g * component for g, component in zip(gradient, value, strict=True))
        for value in values
    ]
    mean = sum(w * slope for w, slope in zip(weights, slopes, strict=True))
    return [w * (slope - mean) for w, slope in zip(weights, slopes, strict=True)]
