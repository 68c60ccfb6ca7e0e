"""What a scatter must cost: bytes, atomic operations, and lanes that take turns.

Three counts, each exact, none measured:

*Bytes.* A scatter reads every index and every source element once, and reads and writes
the destination. At memory bandwidth W it takes at least bytes / W seconds: the floor.
Scatters do next to no arithmetic (one addition for 8 to 16 bytes), so no faster
arithmetic can help.

*Atomic operations.* Elements that name one place must be added one after the other, by
atomic additions. Counted straight into global memory there is one for each element. A
program that first counts into a histogram of its own (privatisation) sends one for each
bin that it saw.

*Serial steps.* The 32 lanes of a warp add at once only where they name different
places. Where several name one place the hardware adds them one after the other, so a
group of lanes takes as many steps as its most frequent index occurs (Gómez-Luna et al.
2013, "An optimized approach to histogram computation on GPU"). Uniform indices over
many bins take little more than one step; skewed ones, many.

Does not handle: caches (a destination that fits in L2 costs no memory traffic), or
hardware that merges equal addresses before the atomic unit; both only make the true
time smaller.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from tensorfleet.hardware import WARP_LANES

INDEX_BYTES = 8  # torch's index dtype is int64
COUNT_BYTES = 8  # so are our counts


def scatter_add_bytes(num_indices: int, num_places: int, element_bytes: int) -> int:
    """Bytes that `scatter_add` must move.

    Indices and source are read, the destination is read and written.
    `num_indices` elements of `element_bytes` each go into `num_places` places of the
    same dtype, all of which are copied from `dst` into the result.
    """
    return num_indices * (INDEX_BYTES + element_bytes) + 2 * num_places * element_bytes


def scatter_add_rows_bytes(
    num_rows: int, num_places: int, width: int, element_bytes: int
) -> int:
    """The same for rows of `width` elements: one index now serves `width` additions."""
    return (
        num_rows * (INDEX_BYTES + width * element_bytes)
        + 2 * num_places * width * element_bytes
    )


def bincount_bytes(num_rows: int, row_length: int, num_bins: int) -> int:
    """Bytes that `batched_bincount` must move.

    Every index is read once, every count written once.
    """
    return num_rows * (row_length * INDEX_BYTES + num_bins * COUNT_BYTES)


def global_atomics(indices: Sequence[int], block: int, private: bool) -> int:
    """Atomic additions to global memory when programs count `block` indices each.

    Without privatisation: one for each index. With it: one for each distinct index of
    each block.
    """
    if not private:
        return len(indices)
    return sum(len(set(group)) for group in groups(indices, block))


def serial_steps(indices: Iterable[int], lanes: int = WARP_LANES) -> int:
    """Steps in which groups of `lanes` add, when equal indices in a group take turns.

    The sum over the groups of the largest number of times that one index occurs in it.
    A group without a repeated index takes one step; one whose indices are all equal
    takes `lanes`.

    Raises ValueError when `lanes` is less than 1.
    """
    return sum(max(Counter(group).values()) for group in groups(indices, lanes))


def groups(indices: Iterable[int], size: int) -> Iterator[list[int]]:
    """Consecutive groups of `size` indices; the last may be shorter."""
    if size < 1:
        raise ValueError(f"a group has {size} indices: it must have at least 1")
    remaining = iter(indices)
    while group := list(islice(remaining, size)):
        yield group
