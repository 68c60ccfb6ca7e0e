"""A hash that is the same in every process, on every machine and in every version.

Python's own `hash` of a string is salted anew in each process, so that two routers
would disagree about every key. `stable_hash` is BLAKE2b (RFC 7693) with a digest of 8
bytes, read as a big-endian number: 64 bits, of which any part looks random.

Does not handle: an adversary who chooses keys to meet on one node. BLAKE2b is a
cryptographic hash, but without a secret key anyone can compute it.
"""

from collections.abc import Callable
from hashlib import blake2b

# What a ring asks of a hash: positions from 0 to CIRCLE - 1.
Hash = Callable[[str], int]
CIRCLE = 2**64


def stable_hash(key: str | bytes) -> int:
    """The position of `key`, from 0 to 2**64 - 1; a string counts as its UTF-8 bytes.

    Raises TypeError for another type, ValueError for a string that has no UTF-8 form (a
    lone surrogate).
    """
    if isinstance(key, str):
        key = key.encode()
    elif not isinstance(key, bytes):
        raise TypeError(f"the key {key!r} is a {type(key).__name__}: it must be a str")
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")
