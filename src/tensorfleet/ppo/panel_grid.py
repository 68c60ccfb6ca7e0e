"""The first picture of the PPO explorable: cells with their values and the policy."""

from collections.abc import Sequence

from tensorfleet.explore.marks import Line, Mark, Path, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.ppo.grid import ACTIONS, Grid

WIDTH, HEIGHT = 340, 356
EDGE, TOP, CELL, TALL = 6, 38, 82, 96


def draw_grid(
    grid: Grid, policy: Sequence[Sequence[float]], values: Sequence[float], chosen: int
) -> Picture:
    """Each cell with its value, and a triangle for each action."""
    marks: list[Mark] = [
        words("grid title", EDGE, 16, "Values, and the policy as triangles", "ink", 14)
    ]
    for row in range(3):
        for column in range(4):
            x, y = EDGE + column * CELL, TOP + row * TALL
            cell = (row, column)
            if cell in grid.cells:
                state = grid.cells.index(cell)
                marks += _state(x, y, state, values[state], policy[state])
            elif cell in grid.ends:
                marks += _end(x, y, grid.ends[cell])
            else:
                marks.append(
                    Rect(
                        key=f"wall {row} {column}",
                        role="grid",
                        x=x + 1,
                        y=y + 1,
                        width=CELL - 2,
                        height=TALL - 2,
                        hint="a wall",
                    )
                )
    for name, state, role in (("start", grid.start, "muted"), ("chosen", chosen, "")):
        row, column = grid.cells[state]
        x, y = EDGE + column * CELL, TOP + row * TALL
        if name == "start":
            marks.append(words("start", x + 6, y + TALL - 8, "start", role, 11))
        else:
            marks.append(_outline("chosen", x + 2, y + 2, CELL - 4, TALL - 4))
    best = [
        f"{ACTIONS[max(range(4), key=chances.__getitem__)]} from row "
        f"{grid.cells[state][0] + 1}, column {grid.cells[state][1] + 1}"
        for state, chances in enumerate(policy)
        if max(chances) > 0.5
    ]
    return Picture(
        "grid",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"A grid of 3 rows and 4 columns. The start is worth "
        f"{signed(values[grid.start])}. Likelier than not: "
        f"{'; '.join(best) or 'no move anywhere'}.",
    )


def _state(
    x: float, y: float, state: int, value: float, chances: Sequence[float]
) -> list[Mark]:
    middle_x, middle_y = x + CELL / 2, y + TALL / 2
    marks: list[Mark] = [
        Rect(
            key=f"cell {state}",
            role="surface",
            x=x + 1,
            y=y + 1,
            width=CELL - 2,
            height=TALL - 2,
        ),
        Rect(
            key=f"value {state}",
            role="good" if value > 0 else "bad",
            opacity=0.06 + 0.44 * min(abs(value), 1),
            x=x + 1,
            y=y + 1,
            width=CELL - 2,
            height=TALL - 2,
            hint=f"worth {signed(value)}; click to look into it",
            pick=f"{state}",
        ),
        words(
            f"number {state}",
            middle_x,
            middle_y + 5,
            signed(value),
            "ink",
            14,
            "middle",
        ),
    ]
    for action, chance in enumerate(chances):
        long, wide = 3 + 12 * chance, 4 + 9 * chance
        dx, dy = ((0, -1), (1, 0), (0, 1), (-1, 0))[action]
        base_x, base_y = middle_x + dx * 25, middle_y + dy * 22
        marks.append(
            Path(
                key=f"policy {state} {action}",
                role="accent",
                opacity=0.35 + 0.65 * chance,
                steps=(
                    "M",
                    base_x + dx * long,
                    base_y + dy * long,
                    "L",
                    base_x + dy * wide,
                    base_y + dx * wide,
                    "L",
                    base_x - dy * wide,
                    base_y - dx * wide,
                    "Z",
                ),
                hint=f"{ACTIONS[action]} with a chance of {100 * chance:.1f}%",
            )
        )
    return marks


def _end(x: float, y: float, reward: int) -> list[Mark]:
    name = f"end {reward}"
    return [
        Rect(
            key=name,
            role="good" if reward > 0 else "bad",
            x=x + 1,
            y=y + 1,
            width=CELL - 2,
            height=TALL - 2,
            opacity=0.85,
            hint=f"ends the episode, with a reward of {reward}",
        ),
        words(
            f"{name} reward",
            x + CELL / 2,
            y + TALL / 2 + 7,
            "+1" if reward > 0 else "−1",
            "surface",
            20,
            "middle",
        ),
    ]


def _outline(key: str, x: float, y: float, width: float, height: float) -> Line:
    right, low = x + width, y + height
    return Line(
        key=key,
        role="ink",
        points=(x, y, right, y, right, low, x, low, x, y),
        stroke=3,
    )


def signed(value: float) -> str:
    """Two digits, with a minus of the right width, and none before a zero."""
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")
