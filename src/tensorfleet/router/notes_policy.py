"""The design of the notes, exactly as written: two layers and the loop of 30 seconds.

Layer 1: the key walks a ring on which a node is full when it has more than 1 + epsilon
times the average number of requests, and takes the first k nodes with room, k being the
number of replicas in the table. Layer 2: of two distinct ones among these, the one with
the lower score α·queue_len + β·gpu_util, both as last reported. A background loop looks
every 30 seconds at how hot an adapter is and adds or drains replicas.
"""

from tensorfleet.choices import choose, notes_score
from tensorfleet.router.messages import Request
from tensorfleet.router.policy import Choice, ring_key
from tensorfleet.router.replicating import ReplicatingPolicy


class Notes(ReplicatingPolicy):
    """See the module."""

    counts_requests = True
    hysteresis = False

    def choose(self, request: Request, work: int, now: int) -> Choice:
        table, key = self.table, request.key
        serving = table.ask(key, work, now)
        ring = self.pool.ring
        limit = ring.limit(now, 1)
        replicas = ring.with_room(serving, limit)
        steps, overflow = 0, False
        if not replicas:
            walk = ring.walk(ring_key(key), len(serving), now, 1)
            replicas, steps, overflow = walk.nodes, walk.steps, walk.overflow
        name = choose(replicas, self._score, self.random)
        ring.admit(name, 1, now, overflow)
        return name, "notes", tuple(replicas), steps, overflow

    def _score(self, name: str) -> float:
        report = self.pool.instances[name].report
        if report is None:
            return 0.0
        alpha, beta = self.config.alpha, self.config.beta
        return notes_score(report.waiting, report.gpu_util, alpha, beta)
