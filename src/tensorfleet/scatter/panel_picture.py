"""The first picture of the scatter explorable: two matrices, and elements between."""

from collections.abc import Sequence
from dataclasses import dataclass

from tensorfleet.explore.marks import Circle, Mark, Rect, Text
from tensorfleet.explore.picture import Picture
from tensorfleet.scatter.panel_plan import Place, Write

WIDTH, HEIGHT = 340, 420
LEFT, CELL, WIDE = 46, 72, 68  # of the matrices: where cells begin, their pitch, width
SOURCE, SOURCE_PITCH, SOURCE_TALL = 44, 38, 34
RESULT, RESULT_PITCH, RESULT_TALL = 228, 46, 42
FLIGHT = 0.7  # of a step is spent in the air


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be drawn: `done` steps are past, and `phase` of the next one.

    `stays` are the elements that count in `values`, `starts` the steps in which groups
    begin, and the last step's end.
    """

    dim: int
    index: Sequence[Sequence[int]]
    places: Sequence[Place]
    values: Sequence[Sequence[int]]
    stays: set[int]
    plan: Sequence[Write]
    done: int
    phase: float
    starts: Sequence[int]

    def role(self, element: int) -> str:
        """The colour of the coordinate that stays."""
        row, column = divmod(element, len(self.index[0]))
        return f"series-{(column, row)[self.dim]}"


def draw_matrices(look: Look) -> Picture:
    """The source above, the result below, and elements on their way."""
    stays, names = (("column", "row"), ("row", "column"))[look.dim]
    marks: list[Mark] = [
        Text(
            key="title",
            x=6,
            y=16,
            text=f"Dimension {look.dim}: each stays in its {stays}",
            size=14,
        ),
        *_headers(look, stays),
        *_source(look, names),
        *_result(look),
    ]
    # Who has set out is painted over who has not, and whose turn comes first on top.
    for write in sorted(look.plan, key=lambda write: (-write.leaves, -write.writes)):
        marks += _element(look, write)
    rows = "; ".join(" ".join(map(str, row)) for row in look.values)
    placed = sum(write.writes < look.done for write in look.plan)
    return Picture(
        "matrices",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"{placed} of {len(look.plan)} elements are at their places along "
        f"dimension {look.dim}. The rows of the result are {rows}.",
    )


def _headers(look: Look, stays: str) -> list[Mark]:
    """Names of both matrices, of their rows and their columns."""
    marks: list[Mark] = []
    for name, top, pitch, rows in (
        ("source", SOURCE, SOURCE_PITCH, len(look.index)),
        ("result", RESULT, RESULT_PITCH, len(look.values)),
    ):
        columns = len(look.index[0])
        marks.append(word(name, 6, top - 8, name))
        marks += [
            word(f"{name} row {row}", 6, top + (row + 0.5) * pitch, f"row {row}")
            for row in range(rows)
        ]
        marks += [
            word(
                f"{name} column {column}",
                LEFT + column * CELL + WIDE / 2,
                top - 8,
                f"column {column}",
                "middle",
            )
            for column in range(columns)
        ]
        marks += [
            Rect(
                key=f"{name} stays {line}",
                role=f"series-{line}",
                x=LEFT + line * CELL if stays == "column" else LEFT - 5,
                y=top - 5 if stays == "column" else top + line * pitch,
                width=WIDE if stays == "column" else 3,
                height=3 if stays == "column" else SOURCE_TALL,
                hint=f"the colour of {stays} {line}",
            )
            for line in range(columns if stays == "column" else len(look.index))
        ]
    return marks


def _source(look: Look, names: str) -> list[Mark]:
    """A cell for each element, with its index."""
    marks: list[Mark] = []
    for element, (row, column) in enumerate(look.places):
        index = (row, column)[look.dim]
        x, y = _source_cell(look, element)
        marks += [
            Rect(
                key=f"cell {element}",
                role="surface",
                x=x,
                y=y,
                width=WIDE,
                height=SOURCE_TALL,
                hint=f"element {element + 1} goes to {names} {index}; click to change",
                pick=f"{element}",
            ),
            Text(
                key=f"index {element}",
                role="muted",
                x=x + 36,
                y=y + 21,
                text=f"→ {index}",
                size=13,
            ),
            Text(
                key=f"was {element}",
                role="muted",
                opacity=0.6,
                x=x + 18,
                y=y + 21,
                text=f"{element + 1}",
                size=12,
                anchor="middle",
            ),
        ]
    return marks


def _result(look: Look) -> list[Mark]:
    marks: list[Mark] = []
    for row, values in enumerate(look.values):
        for column, value in enumerate(values):
            x, y = _result_cell(row, column)
            came = [
                write.element + 1
                for write in look.plan
                if look.places[write.element] == (row, column)
                and write.writes < look.done
            ]
            hint = f"row {row}, column {column} holds {value}"
            if came:
                hint += f"; here came {', '.join(map(str, came))}"
            marks += [
                Rect(
                    key=f"place {row} {column}",
                    role="surface",
                    x=x,
                    y=y,
                    width=WIDE,
                    height=RESULT_TALL,
                    hint=hint,
                ),
                Text(
                    key=f"value {row} {column}",
                    role="ink" if came else "muted",
                    x=x + 20,
                    y=y + 20,
                    text=f"{value}",
                    size=14,
                    anchor="middle",
                ),
            ]
    return marks


def _element(look: Look, write: Write) -> list[Mark]:
    """The disc of an element: in the source, in the air, in line, or a dot."""
    key, role = f"element {write.element}", look.role(write.element)
    name = f"element {write.element + 1}"
    if write.writes < look.done:
        before = sum(
            other.writes < write.writes or (
                other.writes == write.writes and other.lane < write.lane
            )
            for other in look.plan
            if look.places[other.element] == look.places[write.element]
        )  # fmt: skip
        x, y = _result_cell(*look.places[write.element])
        counts = write.element in look.stays
        return [
            Circle(
                key=key,
                role=role,
                opacity=1.0 if counts else 0.3,
                x=x + 9 + 10 * before,
                y=y + 33,
                radius=4,
                hint=f"{name} came here" + ("" if counts else ", and is gone"),
            )
        ]
    x, y, in_line = _on_the_way(look, write)
    return [
        Circle(
            key=key,
            role="bad" if in_line else role,
            x=x,
            y=y,
            radius=14,
            hint=f"{name} waits for its turn" if in_line else name,
        ),
        Circle(key=f"{key} inside", role="surface", x=x, y=y, radius=11),
        Text(
            key=f"{key} words",
            x=x,
            y=y + 4,
            text=f"{write.element + 1}",
            anchor="middle",
        ),
    ]


def _on_the_way(look: Look, write: Write) -> tuple[float, float, bool]:
    """Where an element is that has not been written, and whether it stands in line."""
    x, y = _source_cell(look, write.element)
    start = x + 18, y + SOURCE_TALL / 2
    now = look.done + look.phase
    share = min(max((now - write.leaves) / FLIGHT, 0), 1)
    if not share:
        return *start, False
    x, y = _result_cell(*look.places[write.element])
    ahead = max(write.writes - max(now, write.leaves + 1), 0)
    goal = x + 51, y + RESULT_TALL / 2 - 9 * ahead
    smooth = share * share * (3 - 2 * share)
    at = [
        begin + (end - begin) * smooth for begin, end in zip(start, goal, strict=True)
    ]
    return at[0], at[1], share == 1 and write.writes > look.done


def _source_cell(look: Look, element: int) -> tuple[float, float]:
    row, column = divmod(element, len(look.index[0]))
    return LEFT + column * CELL, SOURCE + row * SOURCE_PITCH


def _result_cell(row: int, column: int) -> tuple[float, float]:
    return LEFT + column * CELL, RESULT + row * RESULT_PITCH


def word(key: str, x: float, y: float, text: str, anchor: str = "start") -> Text:
    """Small words that stay in the background."""
    return Text(key=key, role="muted", x=x, y=y, text=text, size=11, anchor=anchor)
