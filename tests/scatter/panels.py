"""What a reader may do to the scatter explorable, and how tests read what it shows."""

from hypothesis import strategies as st

from tensorfleet.explore.marks import Line, Rect, Text
from tensorfleet.scatter.panel import INDICES, REDUCTIONS

ACTIONS = st.one_of(
    st.tuples(st.sampled_from(["step", "shuffle", "again"]), st.none()),
    st.tuples(st.just("index"), st.sampled_from(list(INDICES))),
    st.tuples(st.just("dim"), st.sampled_from([0, 1])),
    st.tuples(st.just("reduction"), st.sampled_from(list(REDUCTIONS))),
    st.tuples(st.just("lanes"), st.sampled_from([1, 2, 3, 4, 16])),
    st.tuples(st.just("order"), st.sampled_from([0, 1, 20])),
    st.tuples(st.just("pace"), st.sampled_from([0, 1, 2.5])),
    st.tuples(st.just("pass"), st.sampled_from([0.05, 0.4, 1.0])),
    st.tuples(st.just("pick"), st.sampled_from(["0", "3", "7"])),
)


def marks_of(panel, picture, kind, begin):
    marks = panel.frame().pictures[picture].marks
    return [m for m in marks if isinstance(m, kind) and m.key.startswith(begin)]


def result(panel):
    """The matrix below, as it is shown."""
    rows = {}
    for mark in marks_of(panel, 0, Text, "value "):
        rows.setdefault(int(mark.key.split()[1]), []).append(int(mark.text))
    return [rows[row] for row in sorted(rows)]


def shown_index(panel):
    """The index, as it is shown in the source."""
    marks = marks_of(panel, 0, Text, "index ")
    flat = [int(mark.text.removeprefix("→ ")) for mark in marks]
    return [flat[begin : begin + 4] for begin in range(0, len(flat), 4)]


def groups_in_time(panel):
    """For each group the elements of its lanes in order, read off the timetable."""
    starts = sorted(m.points[0] for m in marks_of(panel, 1, Line, "group "))
    begins = {m.key.split()[1]: m.x for m in marks_of(panel, 1, Rect, "wait ")}
    groups = {}
    for cell in marks_of(panel, 1, Rect, "write "):
        element = cell.key.split()[1]
        left = min(cell.x, begins.get(element, cell.x)) + 0.5
        group = sum(start < left for start in starts)
        groups.setdefault(group, []).append((cell.y, int(element)))
    return [[element for _, element in sorted(groups[g])] for g in sorted(groups)]


def to_the_end(panel):
    for _ in range(16):
        panel.act("step")
    done, _, steps = panel.frame().figures["steps"].split()
    assert done == steps
