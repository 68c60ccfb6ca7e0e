"""The pictures of the BERT explorable: the sequence, and one position of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tensorfleet.bert.inputs import MASKED, NO_TARGET, REPLACED
from tensorfleet.bert.wordpiece import CLS, MASK, PAD, SEP
from tensorfleet.explore.marks import Line, Mark, Rect, words
from tensorfleet.explore.picture import Picture

WIDTH, HEIGHT = 340, 400
LEFT, RIGHT, TOP = 6, 334, 40  # of the rows of tokens
PITCH, CELL, GAP = 52, 24, 4  # from row to row, a cell's height, between two cells
NARROW, WIDE = frozenset("iljtfr.,;:'![]() "), frozenset("mwMWASK#")
FATES = ("masked", "replaced", "kept")
ROLE = {"masked": "accent", "replaced": "bad", "kept": "good"}
SHARE = {"masked": MASKED, "replaced": REPLACED, "kept": 1 - MASKED - REPLACED}
SEGMENTS, SEGMENT_ROLES = "AB", ("series-3", "series-4")


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be drawn; the sequences have one entry for each position.

    `place` is the position that is looked at, `tally` how many tokens met each fate
    since the masks were first drawn.
    """

    vocabulary: Sequence[str]
    truth: Sequence[int]
    seen: Sequence[int]
    segments: Sequence[int]
    targets: Sequence[int]
    is_next: bool
    place: int
    tally: Mapping[str, int]

    def fate(self, place: int) -> str:
        """What became of a token that was chosen, or ""."""
        if self.targets[place] == NO_TARGET:
            return ""
        if self.seen[place] == MASK:
            return "masked"
        return "kept" if self.seen[place] == self.truth[place] else "replaced"

    def asked(self, place: int) -> str:
        """The answer that the model owes here, or ""."""
        if self.truth[place] == CLS:
            return f"next: {'yes' if self.is_next else 'no'}"
        fate = self.fate(place)
        return self.vocabulary[self.targets[place]] if fate else ""

    @property
    def filled(self) -> int:
        """How many tokens come before the padding."""
        return len(self.truth) - self.truth.count(PAD)


@lru_cache(maxsize=512)
def width_of(text: str, size: float = 12) -> float:
    """About how wide a text is, in the units of a picture."""
    units = sum(
        0.36 if sign in NARROW else 0.78 if sign in WIDE else 0.58 for sign in text
    )
    return size * units


def places_of(look: Look) -> list[tuple[float, float, float]]:
    """For each cell its left edge, its top and its width; the last holds the padding.

    Cells flow as words do: one that does not fit begins a new row.
    """
    cells = []
    x, y = float(LEFT), float(TOP)
    for place in range(look.filled + (look.filled < len(look.truth))):
        text, below = _labels(look, place)
        above = look.asked(place)
        wide = max(width_of(text), width_of(above, 11), width_of(below, 11)) + 6
        if x + wide > RIGHT:
            x, y = float(LEFT), y + PITCH
        cells.append((x, y, wide))
        x += wide + GAP
    return cells


def draw_sequence(look: Look) -> Picture:
    """The tokens as the model sees them; above them what is asked, below where."""
    marks: list[Mark] = [
        words("title", LEFT, 16, "What the model reads, and is asked", "ink", 14)
    ]
    cells = places_of(look)
    for place, (x, y, wide) in enumerate(cells):
        text, below = _labels(look, place)
        fate, middle = look.fate(place), x + wide / 2
        segment = look.segments[place]
        padding = place == look.filled
        marks.append(
            Rect(
                key=f"cell {place}",
                role=ROLE[fate] if fate else "surface",
                opacity=0.35 if fate else 1,
                x=x,
                y=y,
                width=wide,
                height=CELL,
                hint=_hint(look, place),
                pick=f"{place}",
            )
        )
        if not padding:
            marks.append(
                Rect(
                    key=f"segment {place}",
                    role=SEGMENT_ROLES[segment],
                    x=x,
                    y=y + CELL,
                    width=wide,
                    height=3,
                )
            )
        role = "muted" if look.seen[place] in (PAD, CLS, SEP) else "ink"
        marks += [
            words(f"token {place}", middle, y + 16, text, role, 12, "middle"),
            words(f"below {place}", middle, y + 38, below, "muted", 11, "middle"),
        ]
        if look.asked(place):
            asked = look.asked(place)
            marks.append(
                words(f"asked {place}", middle, y - 4, asked, "accent", 11, "middle")
            )
    x, y, wide = cells[min(look.place, look.filled, len(cells) - 1)]
    edge = (x, y, x + wide, y, x + wide, y + CELL, x, y + CELL, x, y)
    marks.append(Line(key="looked at", role="ink", points=edge, stroke=2))
    shown = " ".join(_labels(look, place)[0] for place in range(look.filled))
    answers = [look.vocabulary[t] for t in look.targets if t != NO_TARGET]
    return Picture(
        "sequence",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"The sequence {shown}, then {len(look.truth) - look.filled} times [PAD]. "
        f"To be predicted: {', '.join(answers) or 'nothing'}; and whether the second "
        f"segment is next: {'yes' if look.is_next else 'no'}.",
    )


def draw_position(look: Look) -> Picture:
    """What the encoder gets at one position, what is asked there, and the shares."""
    place, segment = look.place, SEGMENTS[look.segments[look.place]]
    token = look.vocabulary[look.seen[place]]
    question, answer = _question(look)
    marks: list[Mark] = [
        words("title", LEFT, 16, f"Position {place}", "ink", 14),
        words("sum", LEFT, 160, "The encoder gets the sum of three rows", "muted", 12),
        words("question", LEFT, 190, question, "ink", 12),
        words("answer", LEFT, 208, answer, "accent" if answer else "muted", 13),
    ]
    tables = (
        ("token", token, ROLE.get(look.fate(place), "ink")),
        ("+ segment", segment, SEGMENT_ROLES[look.segments[place]]),
        ("+ position", f"{place}", "muted"),
    )
    for row, (table, entry, role) in enumerate(tables):
        y = 32 + row * 38
        marks += [
            words(f"table {row}", LEFT, y + 20, table, "ink", 13),
            Rect(
                key=f"entry {row}",
                role=role,
                opacity=0.3,
                x=110,
                y=y,
                width=220,
                height=30,
                hint=f"row {entry} of the table of {table.removeprefix('+ ')}s",
            ),
            words(f"row {row}", 220, y + 20, entry, "ink", 13, "middle"),
        ]
    total = sum(look.tally.values())
    shares = ", ".join(f"{fate} {look.tally[fate]}" for fate in FATES)
    return Picture(
        "position",
        WIDTH,
        HEIGHT,
        [*marks, *_tally(look.tally, total)],
        alt=f"At position {place} the encoder gets the rows of token {token}, segment "
        f"{segment} and position {place}. {question} {answer} Of {total} tokens "
        f"chosen since the beginning: {shares}.",
    )


def _tally(tally: Mapping[str, int], total: int) -> list[Mark]:
    """A bar for each fate, and a dashed line where the paper's share is."""
    left, longest, top = 78, 190, 262
    marks: list[Mark] = [
        words("tally", LEFT, 246, f"Chosen so far: {total}", "ink", 13)
    ]
    for row, fate in enumerate(FATES):
        y, share = top + row * 42, tally[fate] / total if total else 0.0
        line = left + SHARE[fate] * longest
        marks += [
            words(f"fate {fate}", LEFT, y + 18, fate, "ink", 12),
            Rect(
                key=f"bar {fate}",
                role=ROLE[fate],
                x=left,
                y=y,
                width=share * longest,
                height=26,
                hint=f"{tally[fate]} of {total} chosen tokens were {fate}",
            ),
            Line(
                key=f"rule {fate}",
                role="ink",
                points=(line, y - 5, line, y + 31),
                dashed=True,
                hint=f"the rule: {SHARE[fate]:.0%}",
            ),
            words(f"share {fate}", 334, y + 18, f"{share:.1%}", "ink", 12, "end"),
        ]
    return marks


def _labels(look: Look, place: int) -> tuple[str, str]:
    """What stands in a cell, and below it; all padding is one cell."""
    padding = len(look.truth) - look.filled
    if place == look.filled:
        return f"[PAD] × {padding}", f"{place} to {len(look.truth) - 1}"
    piece = look.vocabulary[look.seen[place]]
    return piece, f"{SEGMENTS[look.segments[place]]} {place}"


def _hint(look: Look, place: int) -> str:
    if place == look.filled:
        return "padding: nothing looks at it"
    fate = look.fate(place)
    token = look.vocabulary[look.truth[place]]
    if look.truth[place] == CLS:
        return "[CLS]: from here the model says whether the second segment follows"
    return f"{token} was chosen, and is {fate}" if fate else f"{token}, not chosen"


def _question(look: Look) -> tuple[str, str]:
    """What is asked at the position that is looked at, and the answer."""
    if look.place >= look.filled:
        return "Padding: nothing looks here, nothing is asked.", ""
    if look.truth[look.place] == CLS:
        answer = "yes" if look.is_next else "no"
        return "Asked: does segment B follow segment A?", f"Answer: {answer}"
    if look.fate(look.place):
        return "Asked: which token stood here?", f"Answer: {look.asked(look.place)}"
    return "Nothing is asked here, and it adds no loss.", ""
