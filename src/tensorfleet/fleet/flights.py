"""A flight: one request's journey through the fleet, and the record that remains of it.

A router sees the `Request`; the flight also knows what only time will tell (how many
tokens it writes, when they come) and, while it is under way, where it stands in its
instance. One object serves as both, since a run of a million requests keeps a million.

Times are integer nanoseconds, -1 until they are known.
"""

from typing import TYPE_CHECKING, Literal

from tensorfleet.router.messages import Decision, Request

if TYPE_CHECKING:
    from tensorfleet.fleet.revisions import Adapter, Weights

Status = Literal["flying", "served", "failed", "shed"]


class Flight:
    """One request: what it asked for, what was decided, what happened.

    The record:

    - `request`, `arrival`, `output_tokens` (the truth, 1 or more, unknown to routers);
    - `router`: the index of the router that took it;
    - `decision`: the last routing decision, and `instance`, the name of the last
      instance that it was sent to ("" when none was);
    - `first_token` and `end`: when the first token and the last were written (`end` is
      also when it failed or was shed);
    - `status`: "flying" until it has ended as "served", "failed" or "shed", with a
      `reason` in the latter two cases;
    - `cold`: the adapter was not on the GPU when the request came to its instance, and
      `adapter_wait`: nanoseconds until it was (0 when it was there);
    - `started`: when it was admitted to a batch, where its prefill begins; the last
      time before its first token, if it was preempted;
    - `generation`: the revision that served it (-1 until it is admitted to a batch);
    - `retries`: how often it was sent to another instance after a failure;
    - `preemptions`: how often it lost its KV to make room;
    - `cached_tokens`: tokens of its prompt that the prefix cache held;
    - `steps`: full instances that the first decision passed over.

    The rest is the business of the instance that it is on.
    """

    __slots__ = (
        "adapter",
        "adapter_wait",
        "admission",
        "arrival",
        "cached_tokens",
        "cold",
        "decision",
        "end",
        "ends_at",
        "first_token",
        "generation",
        "instance",
        "left",
        "offset",
        "output_tokens",
        "place",
        "preemptions",
        "reason",
        "request",
        "retries",
        "router",
        "started",
        "status",
        "steps",
        "submitted",
        "target",
        "transferred",
        "weights",
        "written",
    )

    def __init__(
        self, request: Request, arrival: int, output_tokens: int, router: int = 0
    ) -> None:
        self.request = request
        self.arrival = arrival
        self.output_tokens = output_tokens
        self.router = router
        self.decision: Decision | None = None
        self.instance = ""
        self.started = -1
        self.first_token = -1
        self.end = -1
        self.status: Status = "flying"
        self.reason = ""
        self.cold = False
        self.adapter_wait = 0
        self.generation = -1
        self.retries = 0
        self.preemptions = 0
        self.cached_tokens = 0
        self.steps = 0
        self.written = 0  # tokens that were written when its instance lost it
        self.transferred = False  # its prompt's KV came from a prefill instance
        self.weights: Weights | None = None
        # Set by the instance: adapter (its residency), submitted (when it came),
        # place (in the queue), admission (serial number), target (tokens whose KV is
        # needed before the next token), left (of them, to be computed), offset (tokens
        # written minus iterations done) and ends_at (the iteration of its last token).
        self.adapter: Adapter | None
        self.submitted: int
        self.place: int
        self.admission: int
        self.target: int
        self.left: int
        self.offset: int
        self.ends_at: int

    def __repr__(self) -> str:
        return (
            f"Flight({self.request.id}, {self.status} at {self.instance or 'nowhere'}, "
            f"arrival={self.arrival}, first_token={self.first_token}, end={self.end}"
            f"{', ' + self.reason if self.reason else ''})"
        )
