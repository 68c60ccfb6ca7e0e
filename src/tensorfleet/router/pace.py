"""How fast each instance answers, beside the others: its pace.

Work is counted in the time of an instance as it should be. One whose clock is throttled
or whose neighbour takes its memory's bandwidth does the same work in more time, says
nothing of it, and looks as free as the others. But its answers take longer. A router
sees that on its own, from the time that requests take per token of output:

    pace = (time / tokens) of the instance / (time / tokens) of its pool

over the answers of the last seconds, older ones counting less. A first token takes as
long as several others, and counts as FIRST_TOKEN of them. The work ahead on an
instance is multiplied by its pace. Queueing lengthens answers too, so a pace also rises
with load; less than a quarter above the pool's is taken for that and for chance.
(Scaling load by measured latency is the idea of Finagle's "peak EWMA".)

Does not handle: a pool that is slow as a whole, which is no reason to choose otherwise,
and a router that gets fewer than ENOUGH answers from an instance in MEMORY_NS.
"""

from tensorfleet.router.instances import NORMAL_PACE, Instance

NOTICEABLE = NORMAL_PACE * 5 // 4
LARGEST = NORMAL_PACE * 4
MEMORY_NS = 6_000_000_000
ENOUGH = 4 * NORMAL_PACE  # answers, before they say anything


class Paces:
    """The paces of one pool; `tokens` and `time` are the sums over its instances."""

    def __init__(self) -> None:
        self.tokens = self.time = 0
        self._counted: dict[str, tuple[int, int]] = {}

    def follow(self, instance: Instance, now: int) -> None:
        """Bring the pace of an instance up to date, at its report."""
        seen = instance.answered
        seen.fade(now, MEMORY_NS)
        # A heavier instance is faster by right.
        time = round(seen.time * instance.weight)
        self.forget(instance.name)
        self._counted[instance.name] = seen.tokens, time
        self.tokens += seen.tokens
        self.time += time
        pace = NORMAL_PACE
        if seen.requests >= ENOUGH and self.time:
            measured = NORMAL_PACE * time * self.tokens // (seen.tokens * self.time)
            if measured > NOTICEABLE:
                pace = min(measured, LARGEST)
        instance.pace = pace

    def forget(self, name: str) -> None:
        """Take what was counted of an instance out of the sums."""
        tokens, time = self._counted.pop(name, (0, 0))
        self.tokens -= tokens
        self.time -= time
