"""The explorable of the choices chapter: balls fall into bins, with one choice and d.

As many balls fall in both pictures. In the first each goes to a random bin, in the
second to the one of d that holds the fewest, as far as anybody knows: all loads are
reported together, once every so many balls, and in between the balls trust the last
report. What a bin got since then has another colour, so that a herd is seen to gather.

A ball is decided on when it is thrown, and counts in bars and figures once it has
landed. So what is shown is at any moment what `bins.loads` gives for that many balls.
"""

from collections import deque
from random import Random

from tensorfleet.choices import theory
from tensorfleet.choices.panel_picture import Scale, Side, draw_side
from tensorfleet.choices.reference import choose
from tensorfleet.explore.panel import Button, Panel, Slider
from tensorfleet.explore.scene import Scene

MOST = 8  # balls a bin, on average; then throwing stops
FALL = 0.6  # seconds from the top to the bin


class Thrower:
    """Throws balls into bins by loads that are reported every `report_every` balls."""

    def __init__(self, num_bins: int, d: int, report_every: int, seed: int) -> None:
        self.d, self.report_every, self.random = d, report_every, Random(seed)
        self.bins = range(num_bins)
        # What the balls thrown have made of the bins, and what those landed have.
        self.decided, self.known = [0] * num_bins, [0] * num_bins
        self.landed, self.reported = [0] * num_bins, [0] * num_bins
        self.air: deque[int] = deque()  # the bins of balls that fall, first thrown left
        # Where the last ball looked and what it saw there, and what it took.
        self.looked: list[tuple[int, int]] = []
        self.taken = -1
        self.at_one_each = -1  # the fullest bin when there was a ball for each

    def throw(self) -> None:
        """One more ball is in the air."""
        if sum(self.decided) % self.report_every == 0:
            self.known = self.decided.copy()
        self.looked = []
        self.taken = choose(self.bins, self._look, self.random, self.d)
        self.decided[self.taken] += 1
        self.air.append(self.taken)

    def land(self) -> None:
        """The ball that was thrown first is in its bin."""
        self.landed[self.air.popleft()] += 1
        if sum(self.landed) % self.report_every == 0:
            self.reported = self.landed.copy()
        if sum(self.landed) == len(self.bins):
            self.at_one_each = max(self.landed)

    def _look(self, place: int) -> int:
        """The load of a bin as it was reported, which is what a ball goes by."""
        self.looked.append((place, self.known[place]))
        return self.known[place]


class ChoicesPanel(Panel):
    """Balls fall at a rate, or are thrown by buttons and lie in their bins at once."""

    title = "Balls into bins, with one choice and with d"
    moves = True
    ages: deque[float]  # of the balls in the air, the oldest first
    due: float  # balls that should have been thrown by now
    controls = (
        Slider("d", "bins that a ball looks at, d", 2, 20, 1, 2),
        Slider("bins", "bins", 10, 80, 10, 50),
        Slider("report_every", "loads are reported every", 1, 200, 1, 1, "balls"),
        Slider("rate", "balls that fall in a second", 0, 50, 1, 4),
        Slider("seed", "random seed", 1, 50, 1, 1),
        Button("ten", "throw 10"),
        Button("round", "throw one for each bin"),
        Button("empty", "empty the bins"),
    )

    def reset(self) -> None:
        """A ball for each bin lies there."""
        self._begin(int(self.state["bins"]))

    def changed(self, name: str) -> None:
        """The same number of balls, thrown anew; another rate changes no ball."""
        if name == "bins":
            self.reset()
        elif name != "rate":
            self._begin(self.thrown)

    def pressed(self, name: str) -> None:
        if name == "empty":
            self._begin(0)
            return
        self._land(len(self.ages))
        self._throw(10 if name == "ten" else int(self.state["bins"]))
        self._land(len(self.ages))

    def passed(self, seconds: float) -> None:
        rate = int(self.state["rate"])
        self.ages = deque(age + seconds for age in self.ages)
        self.due = (self.due + rate * seconds) if self.thrown < self.most else 0.0
        for late in range(int(self.due), 0, -1):
            # It should have been thrown when it was due, which is a moment ago.
            self._throw(1, age=(self.due - int(self.due) + late - 1) / rate)
        self.due -= int(self.due)
        self._land(sum(age >= FALL for age in self.ages))

    def frame(self) -> Scene:
        counts = [side.landed for side in self.sides]
        scale = Scale.of(counts)
        falls = [min(age / FALL, 1.0) for age in self.ages]
        names = ("one choice", f"best of {self.state['d']}")
        pictures = [
            draw_side(
                Side(
                    name=name,
                    landed=side.landed,
                    reported=side.reported if side.d > 1 else side.landed,
                    air=side.air,
                    looked=side.looked,
                    taken=side.taken,
                    thrown=self.thrown,
                ),
                scale,
                falls,
            )
            for name, side in zip(names, self.sides, strict=True)
        ]
        balls, num_bins = sum(counts[0]), len(counts[0])
        figures: dict[str, int | float | str] = {
            "balls": balls,
            "balls per bin": round(balls / num_bins, 2),
        }
        for name, count in zip(names, counts, strict=True):
            figures[f"fullest, {name}"] = max(count)
        for name, side in zip(names, self.sides, strict=True):
            found = "not there yet" if side.at_one_each < 0 else f"{side.at_one_each}"
            told = law(num_bins, side.d, side.report_every == 1)
            figures[f"at {num_bins} balls, {name}"] = f"{found}; {told}"
        return Scene(pictures, figures=figures, log=self._say(balls))

    # --- the model ---------------------------------------------------------------

    def _begin(self, num_balls: int) -> None:
        """`num_balls` lie in bins, thrown one after the other with these settings."""
        num_bins, seed = int(self.state["bins"]), int(self.state["seed"])
        report_every = int(self.state["report_every"])
        self.most = MOST * num_bins
        self.thrown, self.due = 0, 0.0
        self.ages = deque()
        self.sides = [
            Thrower(num_bins, d, report_every, seed) for d in (1, int(self.state["d"]))
        ]
        self._throw(num_balls)
        self._land(num_balls)

    def _throw(self, num_balls: int, age: float = 0.0) -> None:
        for _ in range(min(num_balls, self.most - self.thrown)):
            for side in self.sides:
                side.throw()
            self.ages.append(age)
            self.thrown += 1

    def _land(self, num_balls: int) -> None:
        for _ in range(num_balls):
            for side in self.sides:
                side.land()
            self.ages.popleft()

    def _say(self, balls: int) -> list[str]:
        every = int(self.state["report_every"])
        said = []
        if balls == self.most:
            said.append(
                f"{MOST} balls for each bin have been thrown: no more fall until you "
                "empty the bins"
            )
        elif balls == int(self.state["bins"]):
            said.append("a ball for each bin lies there; let more fall, or throw them")
        if every > 1 and balls < self.most:
            first = balls - balls % every
            last = min(first + every, self.most)
            known = f"the loads after ball {first}" if first else "empty bins"
            said.append(f"balls {first + 1} to {last} go by {known}")
        return said


def law(n: int, d: int, fresh: bool) -> str:
    """What theory says of the fullest of `n` bins after `n` balls, in one decimal."""
    if d == 1:
        return f"theory {theory.one_choice_mean_maximum(n):.1f} on average"
    told = f"theory {theory.d_choice_growth(n, min(d, n)):.1f} + Θ(1)"
    return told if fresh else told + " with fresh loads"
