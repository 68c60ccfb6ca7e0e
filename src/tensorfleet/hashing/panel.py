"""The explorable of the hashing chapter: a ring whose nodes come and go.

Arcs have the colour of the node that owns them, and so have the keys, which stand just
inside of the ring where they hash to. Keys that the last step moved are larger. With
bounded loads a key may belong to another node than its arc says: it went on around the
ring past full ones.
"""

from fractions import Fraction

from tensorfleet.explore.marks import Circle, Line, Mark, Rect, Text
from tensorfleet.explore.panel import Button, Panel, Slider, Toggle
from tensorfleet.explore.picture import Picture
from tensorfleet.explore.rings import Ring
from tensorfleet.explore.scene import Scene
from tensorfleet.hashing.assignment import BoundedAssignment
from tensorfleet.hashing.digest import CIRCLE, stable_hash

NAMES = "abcdefgh"  # as many as there are colours
SIZE = 340  # of the picture of the ring
RING = Ring(SIZE / 2, SIZE / 2, 150)
ROW = 36  # the height of a node's bar
BARS, LONGEST = 24, 240  # where bars begin, and how long they may get


class HashingPanel(Panel):
    """Nodes are added and dropped by buttons, or dropped by a click on their bar."""

    title = "A ring whose nodes come and go"
    controls = (
        Slider("num_keys", "keys", 10, 200, 10, 60),
        Slider("virtual_nodes", "virtual nodes of each node", 1, 64, 1, 8),
        Toggle("bounded", "bounded loads"),
        Slider("percent", "slack ε of the bound", 5, 200, 5, 25, "%"),
        Button("add", "add a node"),
        Button("drop", "drop the last node"),
    )

    def reset(self) -> None:
        self.nodes = list(NAMES[:4])
        self.said = "four nodes"
        self.moved: set[str] = set()
        self.owners = self._place()

    def changed(self, name: str) -> None:
        """The nodes stay; which keys another rule moves can be seen."""
        self._compare(f"{self._control(name).label} changed")

    def pressed(self, name: str) -> None:
        if name == "drop":
            self.pick(self.nodes[-1])
        elif len(self.nodes) < len(NAMES):
            node = next(name for name in NAMES if name not in self.nodes)
            self.nodes.append(node)
            self._compare(f"{node} has arrived")
        else:
            self.said = "there is no colour for a ninth node"

    def pick(self, value: str) -> None:
        """Drop the node of this name."""
        if value not in self.nodes:
            raise ValueError(
                f"there is no node {value!r}: there are {', '.join(self.nodes)}"
            )
        if len(self.nodes) == 1:
            self.said = "one node must stay"
        else:
            self.nodes.remove(value)
            self._compare(f"{value} has left")

    def frame(self) -> Scene:
        loads = dict.fromkeys(self.nodes, 0)
        for owner in self.owners.values():
            loads[owner] += 1
        share = len(self.owners) / len(self.nodes)
        figures: dict[str, int | float | str] = {
            "nodes": len(self.nodes),
            "keys": len(self.owners),
            "moved": len(self.moved),
            "keys per node": round(share, 1),
            "fullest": max(loads.values()),
        }
        if self.state["bounded"]:
            figures["cap"] = self.cap
            figures["full nodes passed"] = sum(
                len(self._passed(key)) for key in self.owners
            )
        ring = Picture(
            "ring",
            SIZE,
            SIZE,
            [*self._arcs(), *self._keys()],
            alt=f"A ring with {len(self.nodes)} nodes and {len(self.owners)} keys, of "
            f"which {len(self.moved)} moved in the last step.",
        )
        bars = Picture(
            "loads",
            SIZE,
            SIZE,
            self._bars(loads),
            alt="The keys of each node: "
            + ", ".join(f"{node} has {load}" for node, load in loads.items())
            + ".",
        )
        return Scene([ring, bars], figures=figures, log=[self.said])

    # --- the model ---------------------------------------------------------------

    def _place(self) -> dict[str, str]:
        """The node of each key; the bound counts only where it is switched on."""
        keys = [f"key-{number}" for number in range(int(self.state["num_keys"]))]
        placed = BoundedAssignment(
            Fraction(int(self.state["percent"]), 100),
            self.nodes,
            virtual_nodes=int(self.state["virtual_nodes"]),
        )
        for key in keys:
            placed.place(key)
        self.ring, self.cap = placed.ring, placed.cap()
        node_of = placed.node_of if self.state["bounded"] else placed.ring.owner
        return {key: node_of(key) for key in keys}

    def _compare(self, what: str) -> None:
        before, self.owners = self.owners, self._place()
        kept = before.keys() & self.owners.keys()
        self.moved = {key for key in kept if before[key] != self.owners[key]}
        self.said = f"{what}: {len(self.moved)} of {len(kept)} keys moved"

    def _passed(self, key: str) -> tuple[str, ...]:
        """The nodes that the key went by on its way around the ring: they were full."""
        around = self.ring.first(key, len(self.nodes))
        return around[: around.index(self.owners[key])]

    # --- the picture -------------------------------------------------------------

    def _role(self, node: str) -> str:
        return f"series-{NAMES.index(node)}"

    def _arcs(self) -> list[Mark]:
        """For each virtual node the stretch that ends at it."""
        points = list(self.ring.points())
        before, marks = points[-1][0] - CIRCLE, []
        for position, node in points:
            marks.append(
                RING.arc(
                    f"arc {position}",
                    before / CIRCLE,
                    position / CIRCLE,
                    role=self._role(node),
                    hint=f"belongs to {node}",
                )
            )
            before = position
        return list(marks)

    def _keys(self) -> list[Mark]:
        marks = []
        for key, owner in self.owners.items():
            x, y = RING.at(stable_hash(key) / CIRCLE, inwards=16)
            has_moved = key in self.moved
            hint = f"{key} is on {owner}{', moved there' if has_moved else ''}"
            if passed := self._passed(key):
                are = "are" if len(passed) > 1 else "is"
                hint += f", past {' and '.join(passed)}, which {are} full"
            marks.append(
                Circle(
                    key=key,
                    role=self._role(owner),
                    x=x,
                    y=y,
                    radius=6 if has_moved else 3.5,
                    hint=hint,
                )
            )
        return list(marks)

    def _bars(self, loads: dict[str, int]) -> list[Mark]:
        """Keys of each node; with bounded loads the cap as a line."""
        most = max(loads.values())
        scale = LONGEST / (max(most, self.cap) if self.state["bounded"] else most)
        marks: list[Mark] = []
        for row, (node, load) in enumerate(loads.items()):
            y = 24 + row * ROW
            end = BARS + load * scale
            if self.state["bounded"]:  # beyond the line of the cap
                end = max(end, BARS + self.cap * scale)
            marks += [
                Rect(
                    key=f"bar {node}",
                    role=self._role(node),
                    x=BARS,
                    y=y,
                    width=load * scale,
                    height=ROW - 6,
                    hint=f"{node} has {load} keys; click to drop it",
                    pick=node,
                ),
                Text(key=f"name {node}", x=6, y=y + 19, text=node, size=14),
                Text(key=f"load {node}", x=end + 6, y=y + 19, text=f"{load}", size=14),
            ]
        if self.state["bounded"]:
            x = BARS + self.cap * scale
            marks.append(
                Line(
                    key="cap",
                    role="bad",
                    points=(x, 14, x, 24 + len(NAMES) * ROW),
                    dashed=True,
                    hint=f"the cap is {self.cap} keys",
                )
            )
        return marks
