"""The explorable of the scatter chapter: elements fly where the index sends them.

Above, the source with the index of each element; below, the result. Colours belong to
the coordinate that stays: the column along dimension 0, the row along dimension 1. The
second picture is the timetable. Lanes take elements in groups, in the order chosen;
those of a group that want one place write one after the other, as atomic operations do.

Four things can happen at a place: `sum` is `scatter_add`; `amax` keeps the largest;
`assignment` keeps what came last; and in a `sum without atomics` the lanes of a group
all read before any of them writes, so that of several additions one remains.
"""

from collections import Counter
from collections.abc import Callable
from random import Random

from tensorfleet.explore.panel import Button, Choice, Panel, Slider
from tensorfleet.explore.scene import Scene
from tensorfleet.scatter.costs import global_atomics, serial_steps
from tensorfleet.scatter.panel_picture import Look, draw_matrices
from tensorfleet.scatter.panel_plan import Place, destinations, plan
from tensorfleet.scatter.panel_timetable import draw_timetable
from tensorfleet.scatter.reference import full

COLUMNS = 4
UNPROTECTED = "sum without atomics"
REDUCTIONS: dict[str, Callable[[int, int], int]] = {
    "sum": lambda old, new: old + new,
    "amax": max,
    "assignment": lambda old, new: new,
    UNPROTECTED: lambda old, new: old + new,
}
# The index for each dimension, and how many rows the result has.
NOTES = ([[0, 1, 2, 0], [1, 2, 0, 1]], [[0, 1, 2, 3], [3, 2, 1, 0]])
CROWDED = [[0, 1, 0, 2], [0, 0, 1, 0], [3, 0, 2, 0], [0, 1, 0, 0]]
EQUAL = [[0] * COLUMNS] * COLUMNS
INDICES = {
    "notes": (NOTES, 3),
    "crowded": ((CROWDED, CROWDED), 4),
    "equal": ((EQUAL, EQUAL), 4),
}


class ScatterPanel(Panel):
    """Time brings one step after the other; a click on an element changes its index."""

    title = "Elements fly to their places"
    moves = True
    done: int  # steps that are past
    steps: int  # steps in all
    controls = (
        Choice("index", "index", tuple(INDICES), "notes"),
        Slider("dim", "dimension", 0, 1, 1, 0),
        Choice("reduction", "several at one place", tuple(REDUCTIONS), "sum"),
        Slider("lanes", "lanes that write at once", 1, 16, 1, 4),
        Slider("order", "order of elements (0: row by row)", 0, 20, 1, 0),
        Slider("pace", "steps in a second", 0, 4, 0.5, 1),
        Button("step", "one step"),
        Button("shuffle", "shuffle"),
        Button("again", "again"),
    )

    def reset(self) -> None:
        """The index as it is chosen, nothing placed."""
        both, self.num_rows = INDICES[str(self.state["index"])]
        self.index = [list(row) for row in both[int(self.state["dim"])]]
        self._plan()

    def changed(self, name: str) -> None:
        if name in ("index", "dim"):
            self.reset()
        elif name != "pace":
            self._plan()

    def pressed(self, name: str) -> None:
        if name == "step":
            self.done, self.phase = min(self.done + 1, self.steps), 0.0
        else:
            if name == "shuffle":
                self.state["order"] = int(self.state["order"]) % 20 + 1
            self._plan()

    def pick(self, value: str) -> None:
        """Send the element of this number to the next place along the dimension."""
        elements = range(len(self.places))
        if not (value.isdecimal() and int(value) in elements):
            raise ValueError(
                f"there is no element {value!r}: there are 0 to {elements[-1]}"
            )
        row, column = divmod(int(value), COLUMNS)
        size = (self.num_rows, COLUMNS)[int(self.state["dim"])]
        self.index[row][column] = (self.index[row][column] + 1) % size
        self._plan()

    def passed(self, seconds: float) -> None:
        self.phase += seconds * float(self.state["pace"])
        whole = int(self.phase)
        self.done = min(self.done + whole, self.steps)
        self.phase = 0.0 if self.done == self.steps else self.phase - whole

    def frame(self) -> Scene:
        values, stays = self._values()
        look = Look(
            dim=int(self.state["dim"]),
            index=self.index,
            places=self.places,
            values=values,
            stays=stays,
            plan=self.plan,
            done=self.done,
            phase=self.phase,
            starts=self.starts,
        )
        named = [row * COLUMNS + column for row, column in self.places]
        in_order = [named[write.element] for write in self.plan]
        lanes = int(self.state["lanes"])
        placed = sum(write.writes < self.done for write in self.plan)
        waiting = len(named) - global_atomics(in_order, lanes, private=True)
        unprotected = self.state["reduction"] == UNPROTECTED
        fate = "additions that get lost" if unprotected else "writes that wait"
        twice = sum(count > 1 for count in Counter(named).values())
        return Scene(
            [draw_matrices(look), draw_timetable(look)],
            figures={
                "elements placed": f"{placed} of {len(named)}",
                "steps": f"{self.done} of {self.steps}",
                "steps without collisions": len(self.starts) - 1,
                "steps if writes take turns": serial_steps(in_order, lanes),
                fate: waiting,
                "places named twice or more": twice,
                "sum of the result": sum(map(sum, values)),
            },
            log=[self._said()],
        )

    # --- the model ---------------------------------------------------------------

    def _plan(self) -> None:
        """Who writes where and when; nothing of it has happened yet."""
        self.done, self.phase = 0, 0.0
        shape = (self.num_rows, COLUMNS)
        self.places = destinations(shape, int(self.state["dim"]), self.index)
        order, seed = list(range(len(self.places))), int(self.state["order"])
        if seed:
            random = Random(seed)
            order.sort(key=lambda _: random.random())
        takes_turns = self.state["reduction"] != UNPROTECTED
        lanes = int(self.state["lanes"])
        self.plan, self.starts = plan(self.places, order, lanes, takes_turns)
        self.steps = self.starts[-1]

    def _values(self) -> tuple[list[list[int]], set[int]]:
        """The result as it is now, and the elements that count in it."""
        reduction = str(self.state["reduction"])
        values: list[list[int]] = full((self.num_rows, COLUMNS), 0)
        stays: dict[Place, set[int]] = {place: set() for place in self.places}
        for step in range(self.done):
            read = [list(row) for row in values]
            kept = {place: set(elements) for place, elements in stays.items()}
            for write in self.plan:
                if write.writes != step:
                    continue
                row, column = place = self.places[write.element]
                old, new = read[row][column], write.element + 1
                values[row][column] = REDUCTIONS[reduction](old, new)
                if reduction in ("sum", UNPROTECTED):
                    stays[place] = kept[place] | {write.element}
                elif values[row][column] == new:
                    stays[place] = {write.element}
        return values, set().union(*stays.values())

    def _said(self) -> str:
        if self.done < self.steps:
            return "click an element to change its index"
        return "all elements are at their places: shuffle, or begin again"
