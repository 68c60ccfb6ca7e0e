"""Leadership: of several routers, one runs the control loops, for as long as its lease.

A lease names its holder, a term and the time when it expires. The holder renews it
before that; whoever finds it expired takes it over, and the term grows by one (Gray and
Cheriton, "Leases", SOSP 1989). A router leads in a round of its loops only if it could
claim the lease in that round. Since claims go through one store, which replaces a lease
by compare-and-swap, two routers never claim the same term. What a former leader asked
for may still be under way when the next one begins: `term` is a fencing token, with
which a receiver can tell the two apart. The instances need none, because all that they
are asked for may be asked twice, and a push never leads back to an older generation.

Each router brings its own clock, and a clock may jump:
- the holder's falls behind, or another's runs ahead: the lease looks expired to the
  other, which takes it over early; the holder learns of it at its next claim;
- the holder's runs ahead: its lease looks endless to the others. One that would last
  more than two durations cannot be right, and counts as expired, so that a holder that
  dies after such a jump is not waited for. Clocks may differ by one duration before
  that takes the lease from a healthy holder.
Neither ever makes two routers lead in one term; a jump costs a change of leader.

Does not handle: the store's own failure. `LeaseStore` is one object in memory, shared
by simulated routers; a deployment puts a database with compare-and-swap in its place.
"""

from dataclasses import dataclass

from tensorfleet.router.config import SECOND


@dataclass(frozen=True, slots=True)
class Lease:
    """`holder` leads in `term` until the time `expires`, in nanoseconds."""

    holder: str
    term: int
    expires: int


def claim(lease: Lease | None, router: str, now: int, duration_ns: int) -> Lease:
    """The lease after `router` has asked for it at its time `now`.

    A new term for the router if the lease was free or had expired, a longer one if the
    router held it, and otherwise the lease as it was. Raises ValueError for a duration
    below 1.
    """
    if duration_ns < 1:
        raise ValueError(f"duration_ns is {duration_ns}: it must be 1 or more")
    expires = now + duration_ns
    if lease is None:
        return Lease(router, 1, expires)
    if not 0 < lease.expires - now <= 2 * duration_ns:
        return Lease(router, lease.term + 1, expires)
    if lease.holder == router:
        return Lease(router, lease.term, expires)
    return lease


class LeaseStore:
    """Keeps the lease; all routers of a fleet share one store.

    `lease` is there to be read. Raises ValueError for a duration below 1.
    """

    def __init__(self, duration_ns: int = 5 * SECOND) -> None:
        if duration_ns < 1:
            raise ValueError(f"duration_ns is {duration_ns}: it must be 1 or more")
        self.duration_ns = duration_ns
        self.lease: Lease | None = None

    def compare_and_swap(self, old: Lease | None, new: Lease) -> bool:
        """Replace the lease by `new` if it still is `old`; says whether it was."""
        if self.lease != old:
            return False
        self.lease = new
        return True

    def claim(self, router: str, now: int) -> bool:
        """Whether `router` leads from now on: asks for the lease, or renews it."""
        old = self.lease
        new = claim(old, router, now, self.duration_ns)
        return new.holder == router and self.compare_and_swap(old, new)
