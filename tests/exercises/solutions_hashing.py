"""The solutions that the hashing chapter shows; the tests run them through `check`."""

from bisect import bisect_left


def moved_by_modulo(hashes, num_nodes):
    return sum(h % num_nodes != h % (num_nodes + 1) for h in hashes)


def owner(position, points):
    ring = sorted((place, node) for node, places in points.items() for place in places)
    index = bisect_left(ring, (position,))
    return ring[index % len(ring)][1]


def arc_lengths(points):
    ring = sorted((place, node) for node, places in points.items() for place in places)
    lengths = dict.fromkeys(points, 0)
    previous = ring[-1][0] - 360
    for place, node in ring:
        lengths[node] += place - previous
        previous = place
    return lengths


def place_bounded(keys, nodes, percent):
    cap = -(-(100 + percent) * len(keys) // (100 * len(nodes)))
    free = dict.fromkeys(nodes, cap)
    placed = {}
    for key in sorted(keys):
        clockwise = sorted(nodes, key=lambda node: (nodes[node] - keys[key]) % 360)
        placed[key] = next(node for node in clockwise if free[node])
        free[placed[key]] -= 1
    return placed


def who_moves(keys, nodes, percent, removed):
    before = place_bounded(keys, nodes, percent)
    rest = {key: place for key, place in keys.items() if key != removed}
    after = place_bounded(rest, nodes, percent)
    return sorted(key for key in rest if before[key] != after[key])
