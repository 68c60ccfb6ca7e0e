"""Likely mistakes in the exercises on scatter: `check` must find each of them."""


def added(pairs, num_places):
    sums = [0.0] * num_places
    for target, value in pairs:
        sums[target] += value
    return sums


# Each with what it does wrong.
MISTAKES = [
    # bins that hold a value, not how many
    (
        "scatter.histogram",
        lambda values, num_bins: [int(v in values) for v in range(num_bins)],
    ),
    # forgets the bins behind the largest value
    (
        "scatter.histogram",
        lambda values, _: [values.count(v) for v in range(max(values, default=-1) + 1)],
    ),
    # the gradient as if the row stayed and the index named the column
    (
        "scatter.source_gradient",
        lambda g, index: [
            [g[i % len(g)][t % len(g[0])] for t in r] for i, r in enumerate(index)
        ],
    ),
    # divides by all elements
    (
        "scatter.segment_mean",
        lambda values, segment, n: [
            sum(v for v, s in zip(values, segment, strict=True) if s == k)
            / max(len(values), 1)
            for k in range(n)
        ],
    ),
    # counts distinct indices instead of repeated ones
    (
        "scatter.serial_steps",
        lambda indices, lanes: sum(
            len(set(indices[i : i + lanes])) for i in range(0, len(indices), lanes)
        ),
    ),
    # adds in the order in which the pairs come
    ("scatter.order_free_add", lambda pairs, n: added(pairs, n)),
    # sorts, which is the same in any order but not exact
    ("scatter.order_free_add", lambda pairs, n: added(sorted(pairs), n)),
    # Python's sum, which compensates since 3.12, but not enough
    (
        "scatter.order_free_add",
        lambda pairs, n: [sum(v for t, v in pairs if t == k) for k in range(n)],
    ),
]
