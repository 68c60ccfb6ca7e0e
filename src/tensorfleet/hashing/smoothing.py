"""A total smoothed over time, in integers, so that every machine finds the same.

In a span dt the smoothed value comes nearer to the present one by the fraction
dt / (τ + dt), the implicit step of dx/dt = (total - x) / τ: stable for any dt, and near
the exponential while dt is short against τ. It is not renewed at every call. Over a
very short span the step would round to nothing and the value stand still; so a value is
kept for τ/64, and its integer counts millionths.

Does not handle: what the total did between two renewals.
"""

MILLION = 1_000_000
RENEWALS = 64  # in a span of τ, at most


class SmoothedTotal:
    """`value` holds from the time `since` until just before `until`, in nanoseconds."""

    def __init__(self, smoothing_ns: int) -> None:
        self._smoothing_ns = smoothing_ns
        self._millionths = 0
        self.value = self.since = self.until = 0

    def renew(self, total: int, now: int) -> None:
        """Draw the value to `total`. If the clock was set back, only the span begins
        anew.
        """
        elapsed = now - self.since
        if elapsed > 0:
            gap = total * MILLION - self._millionths
            self._millionths += gap * elapsed // (self._smoothing_ns + elapsed)
            self.value = self._millionths // MILLION
        self.since = now
        self.until = now + max(self._smoothing_ns // RENEWALS, 1)
