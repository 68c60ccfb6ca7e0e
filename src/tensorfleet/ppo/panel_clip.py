"""The third picture of the PPO explorable: how far the policy moved, and the clip."""

from collections.abc import Sequence

from tensorfleet.explore.marks import Circle, Line, Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.plots import Axes
from tensorfleet.ppo.grid import ACTIONS
from tensorfleet.ppo.panel_advantages import ARROWS, LANE, LEFT, RIGHT, Action
from tensorfleet.ppo.panel_grid import HEIGHT, WIDTH
from tensorfleet.ppo.reference import clipped_surrogate

FARTHEST = 2.0  # ratio that is drawn
TOP, TALL = 58, 148  # of the objective
LANES = TOP + TALL + 26


def draw_clip(where: str, actions: Sequence[Action], epsilon: float | None) -> Picture:
    """Above, the objective against the ratio; below, the ratio of each action."""
    plot = Axes("clip", LEFT, TOP, RIGHT - LEFT, TALL, (0, FARTHEST), (-2, 2))
    marks: list[Mark] = [
        words("clip title", 6, 16, f"Ratios in {where}", "ink", 14),
        words(
            "clip how",
            6,
            34,
            "shaded: clipped, no gradient" if epsilon else "not clipped",
            "muted",
            12,
        ),
    ]
    if epsilon:
        for name, begin, end, top in (
            ("good", 1 + epsilon, FARTHEST, TOP),
            ("bad", 0.0, 1 - epsilon, TOP + TALL / 2),
        ):
            marks.append(
                Rect(
                    key=f"flat {name}",
                    role="muted",
                    opacity=0.22,
                    x=plot.x(begin),
                    y=top,
                    width=plot.x(end) - plot.x(begin),
                    height=TALL / 2,
                    hint=f"no gradient for an action that was {name}",
                )
            )
    marks += [
        *plot.frame("", "", x_ticks=[], y_ticks=[(-1, "−1"), (0, "0"), (1, "1")]),
        words("clip good", LEFT + 4, plot.y(1.35), "better than average", "good", 12),
        words("clip bad", RIGHT, plot.y(-0.45), "worse than average", "bad", 12, "end"),
    ]
    bends = [0.0, 1.0, FARTHEST] + ([1 - epsilon, 1 + epsilon] if epsilon else [])
    for sign, role in ((1, "good"), (-1, "bad")):
        marks.append(
            plot.line(
                f"objective {role}",
                sorted(bends),
                [_objective(ratio, sign, epsilon) for ratio in sorted(bends)],
                role=role,
                stroke=3,
            )
        )
    for number, action in enumerate(actions):
        marks += _lane_of_ratio(plot, number, action, epsilon)
    marks += [
        Line(
            key="ratio one",
            role="muted",
            points=(plot.x(1), TOP + TALL, plot.x(1), LANES + 4 * LANE),
            stroke=1,
        ),
        *(
            words(
                f"ratio {value}",
                plot.x(value),
                344,
                f"{value}",
                "muted",
                11,
                "middle",
            )
            for value in (0, 1, 2)
        ),
        words("ratio label", plot.x(1.5), 344, "ratio π/π_old", "muted", 11, "middle"),
    ]
    told = ", ".join(
        f"{name} {action.ratio:.2f}"
        for name, action in zip(ACTIONS, actions, strict=True)
    )
    edge = f"clipped outside of 1 ± {epsilon:g}" if epsilon else "not clipped"
    return Picture(
        "clip",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"Ratios of new to old chances in {where}: {told}; {edge}.",
    )


def _lane_of_ratio(
    plot: Axes, number: int, action: Action, epsilon: float | None
) -> list[Mark]:
    y = LANES + (number + 0.5) * LANE
    sign, name = action.sign(), ACTIONS[number]
    role = ("bad", "muted", "good")[sign + 1]
    one, end = plot.x(1), plot.x(action.ratio)
    hint = (
        f"{name} is {action.ratio:.2f} times as likely as before; the batch has it "
        f"{len(action.seen)} times" + ("", ", better than average")[sign > 0]
    )
    marks: list[Mark] = [
        words(f"ratio of {name}", 22, y + 5, ARROWS[number], "ink", 14, "middle"),
        Rect(
            key=f"ratio bar {name}",
            role=role,
            opacity=0.8,
            x=min(one, end),
            y=y - 7,
            width=abs(end - one),
            height=14,
            hint=hint,
        ),
    ]
    if epsilon and sign:
        edge = plot.x(1 + sign * epsilon)
        marks.append(
            Line(
                key=f"edge {name}",
                role="ink",
                points=(edge, y - 10, edge, y + 10),
                stroke=2,
                hint="where its gradient ends",
            )
        )
    if sign:
        marks.append(
            Circle(
                key=f"objective of {name}",
                role=role,
                x=plot.x(action.ratio),
                y=plot.y(_objective(min(action.ratio, FARTHEST), sign, epsilon)),
                radius=5,
                hint=hint,
            )
        )
    return marks


def _objective(ratio: float, sign: int, epsilon: float | None) -> float:
    return ratio * sign if epsilon is None else clipped_surrogate(ratio, sign, epsilon)
