"""Consistent hashing with bounded loads: which node serves a key, and never too many.

`digest` holds the hash, `ring` the circle with its virtual nodes, `points` the buckets
in which they are found. A bound on the loads comes in two forms that must not be
confused: `assignment` places and moves keys, as the theorem does; `bounded` is told
loads from outside and walks past the full nodes, as a router does. Its parts are
`smoothing`, for the average, and `leastloaded`, for when all are full.
"""

from tensorfleet.hashing.assignment import BoundedAssignment
from tensorfleet.hashing.bounded import BoundedRing, Walk
from tensorfleet.hashing.digest import stable_hash
from tensorfleet.hashing.ring import HashRing

__all__ = ["BoundedAssignment", "BoundedRing", "HashRing", "Walk", "stable_hash"]
