"""Which instances may be chosen: those that report, and do not answer errors only.

An instance that has not reported for `suspect_after_ns` has crashed, stalled or lost
its network: it leaves the pool until it reports again. One that failed
`eject_after_errors` requests in a row is ejected for `ejection_ns`, doubled each time,
and comes back on probation: a single failure ejects it again. Without this, an instance
that answers errors at once looks like the least loaded and draws all traffic in (a
"black hole"). Never is more than half of a pool ejected for errors, since failures that
many instances share are not theirs.
"""

from collections.abc import Iterable

from tensorfleet.router.config import RouterConfig
from tensorfleet.router.instances import Instance

MAX_DOUBLINGS = 6


class Health:
    """Decides who is available; the router moves instances in and out of the pools."""

    def __init__(self, config: RouterConfig) -> None:
        self.config = config

    def succeeded(self, instance: Instance) -> None:
        instance.errors = instance.ejections = 0

    def failed(self, instance: Instance, peers: Iterable[Instance], now: int) -> None:
        """Count a failure, and eject if there were too many in a row."""
        if is_ejected(instance, now):  # what was sent before comes back now
            return
        instance.errors += 1
        if instance.errors < self.config.eject_after_errors:
            return
        others = [peer for peer in peers if peer is not instance]
        ejected = sum(is_ejected(peer, now) for peer in others)
        if 2 * (ejected + 1) > len(others) + 1:
            return
        doublings = min(instance.ejections, MAX_DOUBLINGS)
        instance.ejected_at = now
        instance.ejected_until = now + (self.config.ejection_ns << doublings)
        instance.ejections += 1
        instance.errors = self.config.eject_after_errors - 1  # probation afterwards

    def is_available(self, instance: Instance, now: int) -> bool:
        silence = now - instance.heard_at
        return not is_ejected(instance, now) and silence <= self.config.suspect_after_ns


def is_ejected(instance: Instance, now: int) -> bool:
    """Had the ejection begun in the future, the clock would have been set back."""
    return instance.ejected_at <= now < instance.ejected_until
