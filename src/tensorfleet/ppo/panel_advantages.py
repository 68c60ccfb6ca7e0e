"""The second picture of the PPO explorable: advantages, true and estimated."""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorfleet.explore.marks import Circle, Line, Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes
from tensorfleet.ppo.grid import ACTIONS
from tensorfleet.ppo.panel_grid import HEIGHT, WIDTH, signed

ARROWS = ("↑", "→", "↓", "←")
LEFT, RIGHT = 44, 326  # of what is drawn along an axis
LANES, LANE = 58, 24  # the first lane of an action, and from one to the next
RANGES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0)
DOTS = 12  # estimates of one action that are drawn


@dataclass(frozen=True, slots=True)
class Action:
    """An action in the chosen cell.

    `truth` is its exact advantage; `mean` and `deviation` are those of its estimate,
    `seen` the estimates in the batch; `ratio` is its new chance over the old.
    """

    truth: float
    mean: float
    deviation: float
    seen: Sequence[float]
    ratio: float

    def sign(self) -> int:
        """Whether the batch says that it is better than average: 1, −1, or 0."""
        whole = 0.0
        for estimate in self.seen:
            whole += estimate
        # Rounding, as of rewards that cancel, is no opinion.
        return (whole > 1e-9) - (whole < -1e-9)


@dataclass(frozen=True, slots=True)
class Errors:
    """Bias and noise of the estimate at each of `lambdas`, and at the one set."""

    lambdas: Sequence[float]
    bias: Sequence[float]
    noise: Sequence[float]
    here: float
    bias_here: float
    noise_here: float


def draw_advantages(where: str, actions: Sequence[Action], errors: Errors) -> Picture:
    """Above, the actions of a cell; below, bias and noise against λ."""
    reach = _reach(
        max(
            max(abs(a.truth), abs(a.mean) + a.deviation, *map(abs, a.seen[:DOTS]), 0)
            for a in actions
        )
    )
    across = Axes(
        "advantage", LEFT, LANES, RIGHT - LEFT, 4 * LANE, (-reach, reach), (0, 1)
    )
    marks: list[Mark] = [
        words("advantages title", 6, 16, f"Advantages in {where}", "ink", 14),
        words(
            "advantages how",
            6,
            34,
            "bar: true; line: GAE ± 1σ; dots: batch",
            "muted",
            12,
        ),
        *across.frame(
            "",
            "",
            x_ticks=[(-reach, _tick(-reach)), (0, "0"), (reach, _tick(reach))],
            y_ticks=[],
        ),
        Line(
            key="advantage zero",
            role="muted",
            points=(across.x(0), LANES - 4, across.x(0), LANES + 4 * LANE),
            stroke=1,
        ),
    ]
    for number, action in enumerate(actions):
        marks += _lane_of_advantage(across, number, action)
    most = _reach(max(*errors.bias, *errors.noise, errors.noise_here))
    below = Axes("errors", LEFT, 212, RIGHT - LEFT, 106, (0, 1), (0, most))
    marks += [
        *below.frame(
            "λ",
            "",
            y_ticks=[(0, "0"), (most / 2, _tick(most / 2)), (most, _tick(most))],
        ),
        Line(
            key="errors key bias",
            role="bad",
            points=(LEFT, 194, LEFT + 22, 194),
            stroke=3,
        ),
        words("errors name bias", LEFT + 28, 198, "bias", "muted", 12),
        Line(
            key="errors key noise",
            role="accent",
            points=(LEFT + 90, 194, LEFT + 112, 194),
            stroke=3,
            dashed=True,
        ),
        words("errors name noise", LEFT + 118, 198, "noise (σ)", "muted", 12),
        below.line("bias", errors.lambdas, errors.bias, role="bad", stroke=3),
        below.line(
            "noise", errors.lambdas, errors.noise, role="accent", stroke=3, dashed=True
        ),
        Line(
            key="errors here",
            role="ink",
            points=(below.x(errors.here), 212, below.x(errors.here), 318),
            stroke=1,
        ),
    ]
    for name, value, role in (
        ("bias", errors.bias_here, "bad"),
        ("noise", errors.noise_here, "accent"),
    ):
        marks.append(
            Circle(
                key=f"errors {name} here",
                role=role,
                x=below.x(errors.here),
                y=below.y(value),
                radius=5,
                hint=f"{name} {value:.3f} at λ = {errors.here:g}",
            )
        )
    told = "; ".join(
        f"{name} {signed(a.truth)}, estimated {signed(a.mean)} ± {a.deviation:.2f}"
        for name, a in zip(ACTIONS, actions, strict=True)
    )
    return Picture(
        "advantages",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"Advantages in {where}: {told}. Over all cells the estimate has a bias of "
        f"{errors.bias_here:.2f} and a noise of {errors.noise_here:.2f}.",
    )


def _lane_of_advantage(across: Axes, number: int, action: Action) -> list[Mark]:
    y = LANES + (number + 0.5) * LANE
    zero, end = across.x(0), across.x(action.truth)
    low, high = (across.x(action.mean + side * action.deviation) for side in (-1, 1))
    name = ACTIONS[number]
    marks: list[Mark] = [
        words(f"advantage of {name}", 22, y + 5, ARROWS[number], "ink", 14, "middle"),
        Rect(
            key=f"truth {name}",
            role="good" if action.truth > 0 else "bad",
            opacity=0.45,
            x=min(zero, end),
            y=y - 8,
            width=abs(end - zero),
            height=16,
            hint=f"the true advantage of {name} is {action.truth:.3f}",
        ),
        Line(
            key=f"spread {name}",
            role="ink",
            points=(low, y, high, y),
            stroke=1.5,
            hint=f"its estimate is {action.mean:.3f} ± {action.deviation:.3f}",
        ),
        Line(
            key=f"mean {name}",
            role="ink",
            points=(across.x(action.mean), y - 6, across.x(action.mean), y + 6),
            stroke=3,
        ),
    ]
    for index, estimate in enumerate(action.seen[:DOTS]):
        marks.append(
            Circle(
                key=f"seen {name} {index}",
                role="accent",
                opacity=0.7,
                x=across.x(estimate),
                y=y + 7,
                radius=2.5,
                hint=f"an estimate in this batch: {estimate:.3f}",
            )
        )
    return marks


def _reach(value: float) -> float:
    """The first round number that is not below."""
    return next((reach for reach in RANGES if reach >= value), RANGES[-1])


def _tick(value: float) -> str:
    return f"{value:g}".replace("-", "−")
