"""A grid world as an MDP: the small world in which this chapter's estimates are judged.

    ...+        + ends the episode with a reward of 1, − with −1, # is a wall, S the
    .#.-        start; every step pays `step_reward` besides. A move goes where it is
    S...        meant to, or with the chance `slip` to one of the two sides instead.

Whoever runs into a wall or the edge stays in place. This map, with a slip of 0.2 and a
step reward of −0.04, is that of Russell and Norvig, who print its optimal values
(Artificial Intelligence: A Modern Approach, third edition, 2010, figure 17.3). In their
fourth edition the step into an end brings 1 or −1 alone, without the step reward, so
that its values are a little larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorfleet.ppo.mdp import MDP, Number, Outcome

Cell = tuple[int, int]  # row, counted from the top, and column
ACTIONS = ("up", "right", "down", "left")
MOVES: tuple[Cell, ...] = ((-1, 0), (0, 1), (1, 0), (0, -1))
ENDS = {"+": 1, "-": -1}
MAP = ("...+", ".#.-", "S...")


@dataclass(frozen=True, slots=True)
class Grid:
    """The MDP of a map, with the cell of each state.

    `ends` holds the reward of each cell that ends the episode, `start` is a state.
    """

    mdp: MDP
    cells: tuple[Cell, ...]
    ends: dict[Cell, int]
    start: int


def grid_world(
    rows: Sequence[str] = MAP, *, slip: Number = 0.2, step_reward: Number = -0.04
) -> Grid:
    """The grid of a map; see the module.

    Raises ValueError for rows that differ in length, a character that means nothing,
    other than one start, or a `slip` outside [0, 1].
    """
    lengths = {len(row) for row in rows}
    if len(lengths) != 1:
        raise ValueError(f"the rows have lengths {sorted(lengths)}: they must be equal")
    if not 0 <= slip <= 1:
        raise ValueError(f"slip is {slip}: it must be from 0 to 1")
    letters = {
        (row, column): letter
        for row, line in enumerate(rows)
        for column, letter in enumerate(line)
    }
    unknown = sorted(set(letters.values()) - set(".#S+-"))
    if unknown:
        raise ValueError(f"the map has {unknown[0]!r}: it may have . # S + and -")
    cells = tuple(cell for cell, letter in letters.items() if letter in ".S")
    starts = [state for state, cell in enumerate(cells) if letters[cell] == "S"]
    if len(starts) != 1:
        raise ValueError(f"the map has {len(starts)} starts S: it must have one")
    ends = {cell: ENDS[letter] for cell, letter in letters.items() if letter in ENDS}
    states = {cell: state for state, cell in enumerate(cells)}

    def outcome(cell: Cell, action: int, chance: Number) -> Outcome:
        row, column = (a + b for a, b in zip(cell, MOVES[action % 4], strict=True))
        if (row, column) in ends:
            return Outcome(chance, step_reward + ends[row, column], None)
        return Outcome(chance, step_reward, states.get((row, column), states[cell]))

    def outcomes(cell: Cell, action: int) -> tuple[Outcome, ...]:
        sides = (outcome(cell, action + turn, slip / 2) for turn in (1, 3))
        meant = outcome(cell, action, 1 - slip)
        return tuple(o for o in (meant, *sides) if o.chance)

    mdp = MDP(
        tuple(tuple(outcomes(cell, action) for action in range(4)) for cell in cells)
    )
    return Grid(mdp, cells, ends, starts[0])
