"""Likely mistakes in the exercises on hashing: `check` must find each of them."""

from math import ceil


def placed_with_cap(keys, nodes, cap):
    free, placed = dict.fromkeys(nodes, cap), {}
    for key in sorted(keys):
        clockwise = sorted(nodes, key=lambda n: (nodes[n] - keys[key]) % 360)
        placed[key] = next((n for n in clockwise if free[n]), None)
        if placed[key]:
            free[placed[key]] -= 1
    return placed


# Each with what it does wrong.
MISTAKES = [
    # counts the keys that stay
    (
        "hashing.moved_by_modulo",
        lambda hashes, n: sum(h % n == h % (n + 1) for h in hashes),
    ),
    # counts what a ring would move
    ("hashing.moved_by_modulo", lambda hashes, n: len(hashes) // (n + 1)),
    # the nearest point in either direction
    (
        "hashing.owner",
        lambda position, points: min(
            points,
            key=lambda n: min(
                min((p - position) % 360, (position - p) % 360) for p in points[n]
            ),
        ),
    ),
    # a point does not own its own position
    (
        "hashing.owner",
        lambda position, points: min(
            ((p - position - 1) % 360, n) for n in points for p in points[n]
        )[1],
    ),
    # gives each point the arc that follows it
    (
        "hashing.arc_lengths",
        lambda points: {
            n: sum(
                min((q - p - 1) % 360 + 1 for qs in points.values() for q in qs)
                for p in places
            )
            for n, places in points.items()
        },
    ),
    # the cap in floats, one too high where the product is a little more than whole
    (
        "hashing.place_bounded",
        lambda keys, nodes, percent: placed_with_cap(
            keys, nodes, ceil((1 + percent / 100) * len(keys) / len(nodes))
        ),
    ),
    # the cap rounded down
    (
        "hashing.place_bounded",
        lambda keys, nodes, percent: placed_with_cap(
            keys, nodes, max((100 + percent) * len(keys) // (100 * len(nodes)), 1)
        ),
    ),
    # a bound forgotten
    (
        "hashing.place_bounded",
        lambda keys, nodes, percent: placed_with_cap(keys, nodes, len(keys)),
    ),
    # keeps the old cap
    (
        "hashing.who_moves",
        lambda keys, nodes, percent, removed: [
            key
            for cap in [-(-(100 + percent) * len(keys) // (100 * len(nodes)))]
            for key, node in placed_with_cap(
                {k: p for k, p in keys.items() if k != removed}, nodes, cap
            ).items()
            if placed_with_cap(keys, nodes, cap)[key] != node
        ],
    ),
]
