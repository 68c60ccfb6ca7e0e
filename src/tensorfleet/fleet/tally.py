"""What an instance knows of the work it has accepted, for its reports.

    work = prompt tokens to compute · prefill_ns_per_token
         + tokens to write          · decode_ns_per_token

Nobody knows how much a request will write. An instance expects the mean of what it has
seen finish: m for each request that has not begun, and for the n that have written w
tokens in all, n·m - w, but at least one token each.

There is one tally for each router, whose requests it counts; each is kept up to date by
a few additions when a request changes its state, so that a report costs the same
however many requests there are.
"""

from tensorfleet.router.config import WorkCosts


class Tally:
    """The requests of one router on one instance.

    `prefill` counts prompt tokens to compute, `unwritten` requests without a token
    since their last admission, `decoding` those that write; `offsets` is the sum over
    the latter of tokens written minus the instance's iterations, so that they have
    written decoding · iterations + offsets.
    """

    __slots__ = ("decoding", "offsets", "prefill", "unwritten")

    def __init__(self) -> None:
        self.prefill = self.unwritten = self.decoding = self.offsets = 0

    def work_ns(self, costs: WorkCosts, expected: int, iteration: int) -> int:
        """The work that is left, `expected` tokens being the mean output."""
        written = self.decoding * iteration + self.offsets
        rest = max(self.decoding, self.decoding * expected - written)
        tokens = self.unwritten * expected + rest
        return (
            self.prefill * costs.prefill_ns_per_token
            + tokens * costs.decode_ns_per_token
        )
