"""What a router believes about one instance, from its own counting and from reports.

A router knows at once what it sends and what comes back; an instance knows what it has
left to do, but its reports are late. The belief joins the two:

    load = foreign + recent + included · reported / base

`foreign` is the work that the last report attributes to other routers, `recent` what
this router has sent since that report was taken, and `included` what this router sent
before and has not seen come back. The report said how much of the latter was left,
`reported` where this router had counted `base`, so what is still out is scaled by that.
With no report yet, load is what the router counted. Work that was lost, or counted
twice, or sent by a router that has restarted since, is set right by the next report.
"""

from collections.abc import Mapping

from tensorfleet.router.messages import AdapterKey, Report

NOTHING: Mapping[AdapterKey, int] = {}


# A request that was sent and has not come back: its id, its instance, its adapter, the
# work it was counted as, when it was routed, and whether it had been tried elsewhere.
Sent = tuple[int, "Instance", AdapterKey, int, int, bool]


class Instance:
    """One instance: its load in nanoseconds of work, and what its last report said.

    `held` are the adapters that were resident or loading when it last reported,
    `pending` those that it was asked for since. `free_slots` are believed to be free:
    reported, less what was asked for since.
    """

    __slots__ = (
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
        self.errors = self.ejections = 0
        self.ejected_at = self.ejected_until = 0
        self.resident = self.held = NOTHING
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
        self.incarnation, self.report_time = report.incarnation, report.time
        self.report = report
        self.resident = self.held = report.resident
        if report.loading:
            self.held = {**report.resident, **report.loading}
        if self.pending:
            self.pending = {
                key: asked
                for key, asked in self.pending.items()
                if report.time < asked <= now
            }
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
    def load(self) -> int:
        """The work that is believed to be left here, in ns: the sum in the module."""
        scaled = self.included * self.reported // self.base if self.base else 0
        return self.foreign + self.recent_work + scaled

    def holds(self, key: AdapterKey) -> bool:
        """Whether the adapter is believed to be on the GPU or on its way there."""
        return key in self.held or key in self.pending

    def expect(self, key: AdapterKey, now: int) -> None:
        """A request was sent for which the adapter, not held yet, must be loaded."""
        self.pending[key] = now
        if self.report:
            self.free_slots -= 1
