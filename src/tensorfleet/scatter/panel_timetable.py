"""The second picture of the scatter explorable: the timetable of writes."""

from tensorfleet.explore.marks import Line, Mark, Rect, Text
from tensorfleet.explore.picture import Picture
from tensorfleet.scatter.panel_picture import WIDTH, Look, word
from tensorfleet.scatter.panel_plan import Write

TABLE_LEFT, TABLE_TOP, TABLE = 62, 44, 272


def draw_timetable(look: Look) -> Picture:
    """A row for each lane, a column for each step, and in it who writes."""
    steps, lanes = look.starts[-1], max(write.lane for write in look.plan) + 1
    wide, tall = min(40.0, TABLE / steps), min(24.0, TABLE / lanes)
    bottom = TABLE_TOP + tall * lanes
    waits = sum(write.writes - write.leaves for write in look.plan)
    words = "bars: waiting for one's turn" if waits else "nobody waits"
    marks: list[Mark] = [
        Text(key="title", x=6, y=16, text="Who writes in which step", size=14),
        Rect(
            key="now",
            role="grid",
            x=TABLE_LEFT + wide * min(look.done, steps - 1),
            y=TABLE_TOP,
            width=wide,
            height=bottom - TABLE_TOP,
            opacity=1.0 if look.done < steps else 0.0,
            hint=f"step {look.done + 1}",
        ),
    ]
    marks += [
        word(
            f"step {step}",
            TABLE_LEFT + wide * (step + 0.5),
            TABLE_TOP - 6,
            f"{step + 1}",
            "middle",
        )
        for step in range(steps)
    ]
    marks += [
        word(
            f"lane {lane}",
            6,
            TABLE_TOP + tall * (lane + 0.5) + 4,
            f"lane {lane}",
        )
        for lane in range(lanes)
    ]
    for number, start in enumerate(look.starts):
        x = TABLE_LEFT + wide * start
        marks.append(
            Line(
                key=f"group {number}",
                role="muted",
                points=(x, TABLE_TOP, x, bottom),
                stroke=1,
                hint="a group of lanes begins" if start < steps else "the end",
            )
        )
    for write in look.plan:
        marks += _entry(look, write, wide, tall)
    marks.append(word("legend", 6, bottom + 22, words))
    return Picture(
        "timetable",
        WIDTH,
        TABLE_TOP + TABLE + 34,
        marks,
        alt=f"{lanes} lanes write in {steps} steps, of which {look.done} are past. "
        f"Together they wait {waits} steps.",
    )


def _entry(look: Look, write: Write, wide: float, tall: float) -> list[Mark]:
    """The cell in which an element is written, and a bar where it waits before."""
    x, y = TABLE_LEFT + wide * write.writes, TABLE_TOP + tall * write.lane
    row, column = look.places[write.element]
    marks: list[Mark] = [
        Rect(
            key=f"write {write.element}",
            role=look.role(write.element),
            opacity=0.6 if write.writes < look.done else 0.25,
            x=x + 1,
            y=y + 1,
            width=wide - 2,
            height=tall - 2,
            hint=f"element {write.element + 1} is written to row {row}, column "
            f"{column} in step {write.writes + 1}",
        ),
        Text(
            key=f"writes {write.element}",
            x=x + wide / 2,
            y=y + tall / 2 + 4,
            text=f"{write.element + 1}",
            size=11,
            anchor="middle",
        ),
    ]
    if write.writes > write.leaves:
        begin = TABLE_LEFT + wide * write.leaves
        marks.append(
            Rect(
                key=f"wait {write.element}",
                role="bad",
                x=begin + 2,
                y=y + tall / 2 - 2,
                width=x - begin - 3,
                height=4,
                hint=f"element {write.element + 1} waits for "
                f"{write.writes - write.leaves} steps",
            )
        )
    return marks
