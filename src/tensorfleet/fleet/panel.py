"""The explorable of the fleet: one router, or two, on the same arrivals, live.

It is the library's router and simulator, advanced as the page's time passes. Each
request leaves the router as a dot, in the colour of its adapter, and joins the queue of
an instance. What the router believes of an instance's work is a dashed outline over
what is true. Rate, popularity and speed change what goes on; every other setting begins
again, with the same arrivals.

A click on a request stops the time and shows where its own went, why it was sent there,
and what would have become of it on every other instance (see `waterfall`, `replay`). A
click on an instance chooses it, to be killed or slowed down.
"""

from functools import cached_property
from typing import ClassVar

from tensorfleet.explore.panel import Button, Choice, Control, Panel, Slider, Value
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.scene import Figure, Scene
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.live import Tables
from tensorfleet.fleet.live_fleet import (
    CROWD_SHARE,
    MOST_INSTANCES,
    LiveFleet,
    Settings,
)
from tensorfleet.fleet.metrics import MILLISECOND, SECOND
from tensorfleet.fleet.panel_adapters import adapter_picture
from tensorfleet.fleet.panel_cells import Words, describe
from tensorfleet.fleet.panel_charts import chart_picture
from tensorfleet.fleet.panel_instances import DOTS, fleet_picture
from tensorfleet.fleet.panel_run import LiveRun
from tensorfleet.fleet.replay import Replay
from tensorfleet.fleet.waterfall import waterfall_picture
from tensorfleet.router import RouterConfig
from tensorfleet.router.policies import POLICIES

TRAVEL = 0.4  # displayed seconds from the router to an instance
WARM_UP_NS = 2 * SECOND
REPLAYED = 600  # requests in a displayed second
LIVE = ("rate", "zipf", "speed")
NONE = "none"


class FleetPanel(Panel):
    """See the module."""

    title = "A fleet under one router or two, live"
    moves = True
    controls: ClassVar[tuple[Control, ...]] = (
        Choice("left", "policy on the left", tuple(POLICIES), "tensorfleet"),
        Choice("right", "policy on the right", (*POLICIES, NONE), "notes"),
        Slider("rate", "requests a second", 10, 200, 10, 100),
        Slider("zipf", "Zipf exponent of popularity", 0, 2, 0.1, 1.0),
        Slider("speed", "speed", 0, 2, 0.1, 1.0, "×"),
        Button("crowd", "flash crowd on a cold adapter"),
        Button("publish", "new revision of the hottest adapter"),
        Button("kill", "kill the chosen instance, or bring it back"),
        Button("slow", "slow the chosen instance down, or end that"),
        Button("add", "add an instance"),
        Button("go_on", "back to the fleet"),
        Slider("instances", "instances", 4, MOST_INSTANCES, 1, 8),
        Slider("report_age", "time between load reports", 0.1, 5, 0.1, 0.5, "s"),
        Slider("routers", "routers that share the requests", 1, 4, 1, 1),
        Slider("epsilon", "slack ε (where there is a bound)", 0.1, 2, 0.1, 0.5),
        Slider("alpha", "α, weight of queues (notes)", 0.5, 8, 0.5, 1.0),
        Slider("beta", "β, weight of GPU use (notes)", 0, 8, 0.5, 1.0),
        Slider("replicas", "fewest replicas (tensorfleet, notes)", 1, 4, 1, 2),
        Slider("max_replicas", "most replicas (tensorfleet)", 1, MOST_INSTANCES, 1, 16),
        Slider("seed", "seed", 0, 99, 1, 0),
    )
    fixed: ClassVar[dict[str, Value]] = {}  # settings that are no controls

    @cached_property
    def tables(self) -> Tables:
        """What arrivals are drawn from; takes a moment to make."""
        return Tables.conversations()

    # --- what is done to it ------------------------------------------------------

    def reset(self) -> None:
        self.fleet = LiveFleet(self._settings(), self.tables)
        self.target = "gpu-0"
        self.selected: tuple[LiveRun, Flight] | None = None
        self.replay: Replay | None = None
        self.why_not = ""
        self.said = ""  # of what the reader did last
        # What changes once in a second: pictures, and the words for the others.
        self._beside: dict[str, Picture] = {}
        self._words: list[Words] = []
        self.fleet.advance(WARM_UP_NS)

    def changed(self, name: str) -> None:
        self._widen(name)
        if name in LIVE:
            self.fleet.stream.rate = self._int("rate")
            self.fleet.stream.exponent = self._float("zipf")
        else:
            self.reset()

    def pressed(self, name: str) -> None:
        if name == "go_on":
            is_away = self.selected is not None
            self.said = "the fleet goes on" if is_away else "click a request to see it"
            self.selected = self.replay = None
        else:
            which = (self.target,) if name in ("kill", "slow") else ()
            getattr(self.fleet, name)(*which)
            self.said = self.fleet.events[-1]
        self._beside.clear()

    def passed(self, seconds: float) -> None:
        if self.selected is None:
            if self.fleet.advance(round(seconds * self._float("speed") * SECOND)):
                self._beside.clear()
        elif self.replay is not None:
            self.replay.work(round(seconds * REPLAYED))

    def work(self) -> None:
        """A request is replayed also where the reader has stopped the time."""
        if self.replay is not None:
            self.replay.work(REPLAYED // 20)

    def pick(self, value: str) -> None:
        """An instance is chosen, by its name, or a request, by side and number."""
        if value in self.fleet.names:
            self.target = value
            self.said = f"{value} is chosen"
            return
        side, _, number = value.partition(" ")
        run = next((run for run in self.fleet.runs if run.side == side), None)
        if run is None or not (number.isascii() and number.isdecimal()):
            raise ValueError(
                f"there is no {value!r}: it must be an instance, or a side and the "
                "number of a request"
            )
        flight = run.find(int(number))
        if flight is None:
            self.fleet.say(f"request {number} is not remembered any more")
            self.said = self.fleet.events[-1]
            return
        self.selected, self.replay, self.why_not = (run, flight), None, ""
        names = [name for name in self.fleet.names if name != flight.instance]
        if flight.instance and (flight.status == "flying" or flight.retries):
            names = [flight.instance, *names]
        try:
            self.replay = Replay(run.past, flight, names)
        except ValueError as error:
            self.why_not = f"It cannot be replayed: {error}."

    # --- what is shown -----------------------------------------------------------

    def frame(self) -> Scene:
        fleet, speed = self.fleet, max(self._float("speed"), 0.1)
        travel_ns = round(TRAVEL * speed * SECOND)
        on_their_way = round(self._int("rate") * (1 + CROWD_SHARE) * TRAVEL * speed)
        every = max(-(-on_their_way // DOTS), 1)
        colours = fleet.colours
        if not self._beside:
            self._words = [describe(run) for run in fleet.runs]
            self._beside["charts"] = chart_picture(fleet.runs)
            self._beside["adapters"] = adapter_picture(
                fleet.runs, colours, fleet.crowd_key.adapter
            )
        pictures = [
            fleet_picture(run, words, colours, travel_ns, every, self.target)
            for run, words in zip(fleet.runs, self._words, strict=True)
        ]
        beside = self._beside_fleets()
        return Scene(
            [*pictures, *beside],
            figures=self._figures(),
            log=self._log(),
            said=self.said if self.selected is None else beside[0].alt,
            busy=self.replay is not None and not self.replay.is_over,
        )

    def _beside_fleets(self) -> list[Picture]:
        charts = self._beside["charts"]
        if self.selected is None:
            return [charts, self._beside["adapters"]]
        run, flight = self.selected
        return [waterfall_picture(run, flight, self.replay, self.why_not), charts]

    def _log(self) -> list[str]:
        """What the reader did, to be read while the fleet goes on; and what it does."""
        decisions = [run.decisions() for run in self.fleet.runs]
        newest = [words for side in decisions for words in side[:1]]
        older = [words for side in decisions for words in side[1:]]
        events = reversed(self.fleet.events)
        lines = dict.fromkeys([self.said, *newest, *events, *older])
        return [words for words in lines if words]

    def _figures(self) -> dict[str, Figure]:
        figures: dict[str, Figure] = {}
        for run in self.fleet.runs:
            last = run.samples[-1]
            p99 = last.ttft.p99
            figures |= {
                f"{run.prefix}good requests (%)": _percent(last.good),
                f"{run.prefix}p99 TTFT (ms)": "–"
                if p99 is None
                else round(p99 / MILLISECOND),
                f"{run.prefix}hit rate (%)": _percent(last.hits),
                f"{run.prefix}cold loads in 5 s": last.cold_loads,
            }
        return figures

    # --- settings ----------------------------------------------------------------

    def _widen(self, name: str) -> None:
        """The fewest replicas are not more than the most: the other one gives way."""
        if name == "replicas":
            self.state["max_replicas"] = max(
                self._int("max_replicas"), self._int("replicas")
            )
        elif name == "max_replicas":
            self.state["replicas"] = min(
                self._int("max_replicas"), self._int("replicas")
            )

    def _settings(self) -> Settings:
        # In tenths, so that a last bit of the slider's does not count.
        report_ns = round(self._float("report_age") * 10) * SECOND // 10
        fewest = self._int("replicas")
        config = RouterConfig(
            epsilon=self._float("epsilon"),
            alpha=self._float("alpha"),
            beta=self._float("beta"),
            replicas=fewest,
            max_replicas=max(self._int("max_replicas"), fewest),
            # Who reports seldom is not dead.
            suspect_after_ns=max(3 * SECOND, 3 * report_ns),
        )
        sides = {side: str(self._value(side)) for side in ("left", "right")}
        return Settings(
            policies={side: name for side, name in sides.items() if name != NONE},
            rate=self._int("rate"),
            exponent=self._float("zipf"),
            instances=self._int("instances"),
            routers=self._int("routers"),
            report_ns=report_ns,
            seed=self._int("seed"),
            config=config,
        )

    def _value(self, name: str) -> Value:
        """A setting: the reader's, or fixed, or the default of the large panel."""
        if name in self.state:
            return self.state[name]
        if name in self.fixed:
            return self.fixed[name]
        return next(
            control.default
            for control in FleetPanel.controls
            if not isinstance(control, Button) and control.name == name
        )

    def _int(self, name: str) -> int:
        return int(self._value(name))

    def _float(self, name: str) -> float:
        return float(self._value(name))


class SmallFleetPanel(FleetPanel):
    """One policy, two pictures, and the controls to start with."""

    title = "A fleet under one router, live"
    controls: ClassVar[tuple[Control, ...]] = (
        Choice("left", "policy", tuple(POLICIES), "tensorfleet"),
        *(
            control
            for control in FleetPanel.controls
            if control.name in ("rate", "speed", "crowd", "kill", "go_on")
        ),
    )
    fixed: ClassVar[dict[str, Value]] = {"right": NONE}

    def _beside_fleets(self) -> list[Picture]:
        return super()._beside_fleets()[:1]


def _percent(per_mille: int | None) -> Figure:
    return "–" if per_mille is None else per_mille / 10
