"""What a router believes about one instance, from its own counting and from reports.

A router knows at once what it sends and what comes back; an instance knows what it has
left to do, but its reports are late. The belief joins the two:

    work = foreign + recent + included · reported / base

`foreign` is the work that the last report attributes to other routers, `recent` what
this router has sent since that report was taken, and `included` what this router sent
before and has not seen come back. The report said how much of the latter was left,
`reported` where this router had counted `base`, so what is still out is scaled by that.
With no report yet, it is what the router counted. Work that was lost, or counted twice,
or sent by a router that has restarted since, is set right by the next report.

Work is counted in the time of an instance at its normal speed. The load of one that
answers slowly is its work times its pace (see `pace`).
"""

from collections.abc import Mapping

from tensorfleet.router.config import SECOND
from tensorfleet.router.messages import AdapterKey, Report

NOTHING: Mapping[AdapterKey, int] = {}
NORMAL_PACE = 1024
FIRST_TOKEN = 6  # others take as long

# A request that was sent and has not come back: its id, its instance, its adapter, the
# work it was counted as, when it was routed, and whether it had been tried elsewhere.
Sent = tuple[int, "Instance", AdapterKey, int, int, bool]


class Answered:
    """The requests that came back of late, with their tokens, and the time they took.

    Requests and tokens are counted in 1/1024, so that they can fade.
    """

    __slots__ = ("faded_at", "requests", "time", "tokens")

    def __init__(self) -> None:
        self.requests = self.tokens = self.time = self.faded_at = 0

    def add(self, tokens: int, time: int) -> None:
        tokens += FIRST_TOKEN - 1
        self.requests += NORMAL_PACE
        self.tokens += tokens * NORMAL_PACE
        # Had it taken much longer, the clock would have been set.
        self.time += min(max(time, 0), tokens * SECOND)

    def fade(self, now: int, memory: int) -> None:
        """Count what came long ago less: half, after as much time as `memory`."""
        elapsed = max(now - self.faded_at, 0)
        self.faded_at = now
        self.requests = self.requests * memory // (memory + elapsed)
        self.tokens = self.tokens * memory // (memory + elapsed)
        self.time = self.time * memory // (memory + elapsed)


class Instance:
    """One instance: its load in nanoseconds, and what its last report said.

    `held` are the adapters that were resident or loading when it last reported, and
    those that it was asked for since, which are `pending`. `free_slots` are believed to
    be free: reported, less what was asked for since.
    """

    __slots__ = (
        "answered",
        "base",
        "ejected_at",
        "ejected_until",
        "ejections",
        "errors",
        "foreign",
        "free_slots",
        "heard_at",
        "held",
        "incarnation",
        "included",
        "model",
        "name",
        "num_requests",
        "pace",
        "pending",
        "recent",
        "recent_work",
        "report",
        "report_time",
        "reported",
        "resident",
        "role",
        "weight",
    )

    def __init__(self, name: str, model: str, weight: float, role: str, now: int):
        self.name = name
        self.model = model
        self.weight = weight
        self.role = role
        self.heard_at = now
        self.num_requests = 0
        self.answered = Answered()
        self.pace = NORMAL_PACE
        self.errors = self.ejections = 0
        self.ejected_at = self.ejected_until = 0
        self.resident = NOTHING
        self.held: dict[AdapterKey, int] = {}
        self.free_slots = 0
        self.pending: dict[AdapterKey, int] = {}  # → when it was asked for
        self.report: Report | None = None
        self.report_time = self.incarnation = -1
        self.foreign = self.included = self.reported = self.base = 0
        self.recent_work = 0
        self.recent: dict[int, Sent] = {}  # by request, sent since the last report

    def returned(self, sent: Sent) -> None:
        """Count a request that came back, answered or not."""
        self.num_requests -= 1
        if self.recent.pop(sent[0], None):
            self.recent_work -= sent[3]
        else:
            self.included -= sent[3]

    def observe(self, report: Report, router: str, now: int) -> bool:
        """Take a report into account, unless it is older than what is known already.

        `router` is the name that the report has for the router that believes this.
        """
        if (report.incarnation, report.time) <= (self.incarnation, self.report_time):
            return False
        self.heard_at = now
        if 0 <= self.incarnation < report.incarnation:
            self.answered = Answered()
        self.incarnation, self.report_time = report.incarnation, report.time
        self.report = report
        self.resident = report.resident
        if self.pending:
            self.pending = {
                key: asked
                for key, asked in self.pending.items()
                if report.time < asked <= now
            }
        self.held = {**report.resident, **report.loading, **self.pending}
        self.free_slots = report.free_slots - len(self.pending)
        for sent in list(self.recent.values()):
            # Had it been sent in the future, the clock would have been set back.
            if sent[4] <= report.time or sent[4] > now:
                del self.recent[sent[0]]
                self.included += sent[3]
                self.recent_work -= sent[3]
        self.reported = report.work_by_router.get(router, 0)
        self.base = self.included
        self.foreign = max(report.work_ns - self.reported, 0)
        return True

    @property
    def work(self) -> int:
        """The work that is believed to be left here, in ns: the sum in the module."""
        scaled = self.included * self.reported // self.base if self.base else 0
        return self.foreign + self.recent_work + scaled

    @property
    def load(self) -> int:
        """The time that this work takes here, in ns."""
        return self.work * self.pace // NORMAL_PACE

    def holds(self, key: AdapterKey) -> bool:
        """Whether the adapter is believed to be on the GPU or on its way there."""
        return key in self.held

    def expect(self, key: AdapterKey, now: int) -> None:
        """A request was sent for which the adapter, not held yet, must be loaded."""
        self.pending[key] = self.held[key] = now
        if self.report:
            self.free_slots -= 1
