"""The explorable of the router's ladder: six rungs on the same arrivals, and breaks.

The library's simulator runs while the reader watches: four instances, a rung of the
ladder as their router, and a situation. On the left each rung has a row with what it
reached: the share of good requests, p99 TTFT, the share that found their adapter, and
the share of decisions that compared costs, all without the first quarter of the run,
which fills the caches. On the right are the instances, and below them the longest waits
as time goes on, a curve for each rung that was run. "Break this rung" brings the
situation in which the rung does badly; the rungs above it are then there to be tried.

Results are kept of runs that were seen to their end, for as long as the seed stays.
"""

from tensorfleet.explore.panel import Button, Choice, Panel, Slider
from tensorfleet.explore.scene import Figure, Scene
from tensorfleet.fleet.ladder_fleet import fleet_picture
from tensorfleet.fleet.ladder_picture import (
    NAMES,
    Result,
    percent,
    result_of,
    rungs_picture,
)
from tensorfleet.fleet.ladder_run import BREAKS, ORDINARY, SITUATIONS, Run
from tensorfleet.fleet.metrics import SECOND

NONE_YET = "none yet"


class LadderPanel(Panel):
    """A rung is chosen by a click on its row, by the control or by "up a rung"."""

    title = "The ladder, one rung at a time"
    moves = True
    controls = (
        Choice("rung", "rung", NAMES, NAMES[0]),
        Choice("situation", "situation", tuple(SITUATIONS), ORDINARY),
        Slider("seed", "seed of the arrivals", 1, 10, 1, 3),
        Button("break", "break this rung"),
        Button("up", "up a rung"),
        Button("again", "run again"),
    )

    def reset(self) -> None:
        self.kept: dict[tuple[str, str], Result] = {}
        self._start()

    def changed(self, name: str) -> None:
        if name == "seed":
            self.reset()
        else:
            self._start()

    def pressed(self, name: str) -> None:
        rung = self.rung
        if name == "break":
            self.state["situation"] = BREAKS[rung].situation
        elif name == "up":
            if rung == NAMES[-1]:
                self.said = "this is the highest rung"
                return
            self.state["rung"] = NAMES[NAMES.index(rung) + 1]
        self._start()

    def pick(self, value: str) -> None:
        """Run the rung of this name."""
        self.act("rung", value)

    def passed(self, seconds: float) -> None:
        if self.run.is_over:
            return
        self.run.advance(round(seconds * self.run.situation.speed * SECOND))
        if self.run.is_over:
            self.kept[self.situation, self.rung] = result_of(self.run)
            tally = self.run.tally
            wait = tally.ttft_p99_ms
            assert wait is not None  # somebody was served
            self.said = (
                f"{self.rung} on {self.situation}, {self.run.requests} requests; of "
                f"those measured {percent(tally.good, tally.ended):g}% are good, p99 "
                f"TTFT is {wait:,} ms, and "
                f"{percent(tally.hits, tally.placed):g}% found their adapter"
            )

    def frame(self) -> Scene:
        run = self.run
        results = {
            rung: self.kept[self.situation, rung]
            for rung in NAMES
            if (self.situation, rung) in self.kept
        }
        if not run.is_over:
            results[self.rung] = result_of(run)
        last = run.situation.scenario.workload.duration_ns
        progress = 1.0 if run.is_over else min(run.simulation.now / last, 0.99)
        return Scene(
            [
                rungs_picture(
                    self.rung, self.situation, run.situation, results, progress
                ),
                fleet_picture(self.rung, run, results),
            ],
            figures=self._figures(),
            log=[self.said],
        )

    # --- the model ---------------------------------------------------------------

    @property
    def rung(self) -> str:
        return str(self.state["rung"])

    @property
    def situation(self) -> str:
        return str(self.state["situation"])

    def _start(self) -> None:
        self.run = Run(SITUATIONS[self.situation], self.rung, int(self.state["seed"]))
        self.said = f"{self.rung} on {self.situation}, from the beginning"

    def _figures(self) -> dict[str, Figure]:
        run, tally = self.run, self.run.tally
        wait = tally.ttft_p99_ms

        def share(part: int, whole: int) -> Figure:
            return percent(part, whole) if whole else NONE_YET

        return {
            "simulated time (s)": run.simulation.now // SECOND,
            "requests measured": tally.ended,
            "good (%)": share(tally.good, tally.ended),
            "p99 TTFT (ms)": NONE_YET if wait is None else wait,
            "hits (%)": share(tally.hits, tally.placed),
            "cold loads": len(tally.loads),
            "decisions that compare (%)": share(tally.compared, tally.ended),
        }
