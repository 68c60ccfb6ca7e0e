"""The explorable in which the reader is the router, for thirty requests.

Time stands still until the reader has clicked an instance for the request that has
come; then the library's simulator goes on to the next. Slots show which adapters an
instance holds, circles which requests it has, with the letter of their adapter. When
all are sent, the ranking compares the reader with every policy of the library on the
identical thirty arrivals. The reader sees the instances as they are; a policy knows
what it sent, and reports of every 50 ms.

"Let the router do this one" asks the library's own policy, which counts what the reader
sent as if it had sent it itself.
"""

from tensorfleet.explore.panel import Button, Panel, Slider
from tensorfleet.explore.scene import Figure, Scene
from tensorfleet.fleet.running import build
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.fleet.you_route_picture import fleet_picture
from tensorfleet.fleet.you_route_result import result_picture
from tensorfleet.fleet.you_route_run import (
    REQUESTS,
    SCENARIO,
    Outcome,
    by_hand,
    outcome,
)
from tensorfleet.router.policies import POLICIES

PAUSE = 0.15  # seconds between two requests that the router sends by itself
SLICE_NS = 300_000_000  # of a policy's simulated time, simulated at once


class YouRoutePanel(Panel):
    """An instance is chosen by a click on it."""

    title = "Thirty requests: you are the router"
    moves = True
    controls = (
        Slider("seed", "seed of the requests", 1, 12, 1, 2),
        Button("one", "let the router do this one"),
        Button("rest", "let it do the rest"),
        Button("again", "start again"),
    )

    pause: float  # seconds until the router sends the next request

    def reset(self) -> None:
        self.seed = int(self.state["seed"])
        self.arrivals = list(SCENARIO.workload.arrivals(self.seed))
        self.outcomes: dict[str, Outcome] = {}
        self.policies = list(POLICIES)  # to be simulated
        self.simulated: Simulation | None = None
        self._begin()

    def pressed(self, name: str) -> None:
        if name == "again":
            self._begin()
        elif name == "rest":
            self.is_alone = not self.is_over
        else:
            self._send(None)

    def pick(self, value: str) -> None:
        """Send the request that has come to the instance of this name."""
        if value not in self.simulation.instances:
            raise ValueError(
                f"there is no instance {value!r}: there are "
                f"{', '.join(self.simulation.instances)}"
            )
        self._send(value)

    def passed(self, seconds: float) -> None:
        """The router goes on where it was asked to; the policies are simulated."""
        if self.is_alone:
            self.pause -= seconds
            if self.pause <= 0:
                self.pause = PAUSE
                self._send(None)
                return
        self._simulate()

    def work(self) -> None:
        """The same where the reader has stopped the time, without a pause."""
        if self.is_alone:
            self._send(None)
        else:
            self._simulate()

    def frame(self) -> Scene:
        simulation = self.simulation
        reports = [
            instance.report("panel", simulation.now)
            for instance in simulation.instances.values()
        ]
        flights = simulation.flights
        request = None if self.is_over else self.arrivals[len(flights)][1]
        own = outcome(flights)
        figures: dict[str, Figure] = {
            "requests sent": len(flights),
            "sent by the router": len(flights) - self.num_by_hand,
            "simulated time (ms)": simulation.now // 1_000_000,
        }
        if own is not None:
            figures["mean TTFT (ms)"] = own.mean_ms
            figures["p90 TTFT (ms)"] = own.p90_ms
            figures["waited for their adapter"] = own.cold
        ranking: dict[str, Outcome] = {}
        if self.is_over and own is not None:
            rows = {**self.outcomes, self.who: own}
            ranking = dict(sorted(rows.items(), key=lambda row: row[1].mean_ms))
            if not self.policies:
                better = (row.mean_ms < own.mean_ms for row in ranking.values())
                place = 1 + sum(better)
                figures["place"] = f"{place} of {len(ranking)}"
        return Scene(
            [
                fleet_picture(len(flights) + 1, request, reports, flights),
                result_picture(flights, ranking, self.who, len(POLICIES) + 1),
            ],
            figures=figures,
            log=[self.said],
            busy=self.is_alone or (self.is_over and bool(self.policies)),
        )

    # --- the model ---------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return len(self.simulation.flights) == REQUESTS

    @property
    def who(self) -> str:
        """The name of the row of those who routed."""
        if self.num_by_hand == REQUESTS:
            return "you"
        return "you and the router" if self.num_by_hand else "the router for you"

    def _begin(self) -> None:
        self.router, self.simulation = by_hand(self.seed, self.arrivals)
        self.num_by_hand = 0
        self.is_alone = False
        self.pause = 0.0
        self.said = "click an instance for the first request"
        self._wait_for_next()

    def _wait_for_next(self) -> None:
        """On to the moment before the next request comes, or to the end."""
        simulation = self.simulation
        if self.is_over:
            self.is_alone = False
            simulation.run()
        else:
            simulation.advance(self.arrivals[len(simulation.flights)][0] - 1)

    def _send(self, name: str | None) -> None:
        """Send the request to an instance, or where our policy sends it."""
        if self.is_over:
            self.said = "all thirty are sent: start again, or take another seed"
            return
        self.router.wanted = name
        self.num_by_hand += name is not None
        simulation = self.simulation
        simulation.advance(self.arrivals[len(simulation.flights)][0])
        decision = simulation.flights[-1].decision
        assert decision is not None
        self.said = f"request {len(simulation.flights)}: {decision.why}"
        self._wait_for_next()

    def _simulate(self) -> None:
        """Some of the next policy's time, on the same arrivals."""
        if not self.policies:
            return
        simulated = self.simulated
        if simulated is None:
            policy = self.policies[0]
            self.simulated = build(SCENARIO, policy, self.seed, arrivals=self.arrivals)
            return
        simulated.advance(simulated.now + SLICE_NS)
        if len(simulated.flights) == REQUESTS and not simulated.num_flying:
            own = outcome(simulated.flights)
            assert own is not None
            self.outcomes[self.policies.pop(0)] = own
            self.simulated = None
