"""The definitions, by looking at everything: slow, and with nothing to get wrong."""

from fractions import Fraction
from math import ceil

from tensorfleet.hashing import stable_hash

CIRCLE = 2**64


def order_from(key, nodes, virtual_nodes, hash=stable_hash, weights=None):
    """All nodes in the order in which a walk clockwise from `key` meets them first."""
    start = hash(key)
    met = {}
    for node in nodes:
        points = max(1, round(virtual_nodes * (weights or {}).get(node, 1)))
        positions = [hash(f"{node}#{i}") for i in range(points)]
        met[node] = min((position - start) % CIRCLE for position in positions)
    return sorted(nodes, key=lambda node: (met[node], node))


def places(epsilon, num_keys, nodes):
    """How many keys each node may hold: as equal as can be, the first by name more."""
    room = ceil((1 + Fraction(str(epsilon))) * num_keys)
    return {
        node: room // len(nodes) + (rank < room % len(nodes))
        for rank, node in enumerate(sorted(nodes))
    }


def assignment(epsilon, keys, nodes, virtual_nodes, hash=stable_hash):
    """Each key in order of name goes to the first node clockwise with room."""
    free = places(epsilon, len(keys), nodes) if nodes else {}
    found = {}
    for key in sorted(keys):
        order = order_from(key, nodes, virtual_nodes, hash)
        found[key] = next(node for node in order if free[node])
        free[found[key]] -= 1
    return found
