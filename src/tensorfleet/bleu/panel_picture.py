"""The pictures of the BLEU explorable: tokens with their n-grams underlined, and bars.

Tokens stand in rows as words do on a page. An n-gram is underlined from its first token
to its last; n of them may overlap, so that they take turns on n levels, and one that
goes on in the next row is drawn in two parts.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tensorfleet.bleu.reference import ngrams
from tensorfleet.bleu.scores import Bleu
from tensorfleet.explore.marks import Line, Mark, Rect, Text, words
from tensorfleet.explore.picture import Picture

COUNTED, CLIPPED, ABSENT = "counted", "clipped", "absent"
WIDTH = 340
SIZE = 13  # of the tokens' letters
CHIP, GAP, LEVEL = 20, 5, 5  # a token's height, the space between two, a line's height
# About how wide letters are; a token that is longer than a row is cut.
NARROW, BROAD = frozenset("iljtfr.,:;'!|()[]I "), frozenset("mwMW@%&—…")
BARS, LONGEST = 70, 145  # where bars begin, and how long they may get
ROW = 30


class Shown(NamedTuple):
    """What the pictures show: texts as tokens, the verdict on each n-gram, the score.

    `mean` is that of the precisions, as it was scored; `unclipped` are the matches of
    each order as they would be without clipping.
    """

    order: int
    tokens: list[str]
    references: list[list[str]]
    verdicts: list[str]
    found: Bleu
    mean: float
    unclipped: tuple[int, ...]
    chrf: float


class Place(NamedTuple):
    """Where a token stands: its row, and from where to where."""

    row: int
    begin: float
    end: float
    text: str


def words_picture(shown: Shown) -> Picture:
    """The candidate above, the references below."""
    order = shown.order
    marks: list[Mark] = []
    lit = _covered(shown.verdicts, COUNTED, order)
    ghost = _covered(shown.verdicts, CLIPPED, order) - lit
    heading = "candidate" if shown.tokens else "candidate: nothing is said"
    marks.append(words("candidate", 6, 14, heading, "muted", 11))
    y, places, height = 20.0, _places(shown.tokens), CHIP + 6 + LEVEL * order
    for index, place in enumerate(places):
        role = "accent" if index in lit else "ghost" if index in ghost else "surface"
        marks += _chip(f"candidate {index}", place, y + place.row * height, role)
    marks += _underlined(shown, places, y + CHIP + 4, height)
    y += (places[-1].row + 1 if places else 1) * height
    said = set(ngrams(shown.tokens, order))
    for number, tokens in enumerate(shown.references, 1):
        y += 18
        marks.append(
            words(f"reference {number}", 6, y - 6, f"reference {number}", "muted", 11)
        )
        matched = [
            COUNTED if ngram in said else ABSENT for ngram in ngrams(tokens, order)
        ]
        lit = _covered(matched, COUNTED, order)
        places = _places(tokens)
        for index, place in enumerate(places):
            marks += _chip(
                f"reference {number} {index}",
                place,
                y + place.row * (CHIP + GAP),
                "accent" if index in lit else "surface",
            )
        y += (places[-1].row + 1 if places else 1) * (CHIP + GAP)
    count = shown.verdicts.count
    return Picture(
        "words",
        WIDTH,
        max(y + 4, 150),
        marks,
        alt=f"The candidate, {len(shown.tokens)} tokens, above its references. Of its "
        f"{len(shown.verdicts)} {order}-grams {count(COUNTED)} count, {count(CLIPPED)} "
        f"are clipped away and {count(ABSENT)} stand in no reference.",
    )


def score_picture(shown: Shown) -> Picture:
    """A bar for each precision, then what becomes of them."""
    found, marks = shown.found, []
    y = 8.0
    for order, (count, total, percent, loose) in enumerate(
        zip(
            found.counts,
            found.totals,
            found.precisions,
            shown.unclipped,
            strict=True,
        ),
        1,
    ):
        # Where there is no n-gram at all, add-k makes up a precision too.
        made_up = abs(percent - (100 * count / total if total else 0)) > 1e-6
        told = f"{count}/{total} → {percent:.1f}{'*' * made_up}"
        if not total and not made_up:
            told = "none"
        hint = f"{count} of {total} {order}-grams count"
        if made_up:
            hint += ", and smoothing changes the precision"
        if loose > count:
            # What clipping takes away, as an outline behind the bar.
            marks.append(_bar(f"loose {order}", y, 100 * loose / total, "ghost", hint))
        role = "ghost" if made_up and not count else "accent"
        marks += [
            _bar(f"bar {order}", y, percent, role, hint),
            *_row(f"order {order}", y, f"{order}-grams", told, order == shown.order),
        ]
        y += ROW
    lengths = f"{found.sys_len} for {found.ref_len} → {found.bp + 1e-9:.3f}"
    y += 6
    for key, name, told, percent, role, hint in (
        (
            "mean",
            "mean",
            f"{shown.mean:.1f}",
            shown.mean,
            "muted",
            "the geometric mean",
        ),
        ("bp", "brevity", lengths, 100 * found.bp, "muted", "the brevity penalty"),
        ("bleu", "BLEU", f"{found.score:.1f}", found.score, "good", "their product"),
    ):
        marks += [
            _bar(f"bar {key}", y, percent, role, hint),
            *_row(key, y, name, told, key == "bleu"),
        ]
        y += ROW
    if "*" in "".join(mark.text for mark in marks if isinstance(mark, Text)):
        marks.append(words("smoothed", 6, y + 12, "* smoothed", "muted", 11))
    return Picture(
        "score",
        WIDTH,
        y + 20,
        marks,
        alt="Precisions of 1- to 4-grams: "
        + ", ".join(
            f"{count} of {total}"
            for count, total in zip(found.counts, found.totals, strict=True)
        )
        + f". Brevity penalty {found.bp + 1e-9:.3f}, BLEU {found.score + 1e-9:.1f}.",
    )


def _covered(verdicts: list[str], wanted: str, order: int) -> set[int]:
    """The tokens that an n-gram with this verdict has."""
    return {
        begin + offset
        for begin, verdict in enumerate(verdicts)
        if verdict == wanted
        for offset in range(order)
    }


def _places(tokens: list[str]) -> list[Place]:
    """Tokens in rows, from left to right."""
    found, row, x = [], 0, 4.0
    for token in tokens:
        text, width = _fitted(token)
        if x + width > WIDTH - 4 and x > 4:
            row, x = row + 1, 4.0
        found.append(Place(row, x, x + width, text))
        x += width + GAP
    return found


def _fitted(token: str) -> tuple[str, float]:
    """The token, cut if it is longer than a row, and the width of its chip."""
    width, kept = 8.0, ""
    for letter in token:
        width += (
            13.5
            if ord(letter) > 0x1FFF
            else 13
            if letter in BROAD
            else 4.8
            if letter in NARROW
            else 9
            if letter.isupper()
            else 7.4
        )
        if width > WIDTH - 24:
            return f"{kept}…", width
        kept += letter
    return token, width


def _chip(key: str, place: Place, y: float, role: str) -> list[Mark]:
    """A token; on a filled chip its letters have the colour of the page's surface."""
    return [
        Rect(
            key=f"{key} chip",
            role=role,
            x=place.begin,
            y=y,
            width=place.end - place.begin,
            height=CHIP,
        ),
        Text(
            key=key,
            role="surface" if role == "accent" else "ink",
            x=(place.begin + place.end) / 2,
            y=y + 14.5,
            text=place.text,
            size=SIZE,
            anchor="middle",
        ),
    ]


def _underlined(
    shown: Shown, places: list[Place], y: float, height: float
) -> Iterator[Mark]:
    """A line under each n-gram of which there is anything to say."""
    order = shown.order
    for begin, verdict in enumerate(shown.verdicts):
        if verdict == ABSENT:
            continue
        tokens = places[begin : begin + order]
        hint = " ".join(place.text for place in tokens) + (
            " counts" if verdict == COUNTED else " is clipped away"
        )
        for row in sorted({place.row for place in tokens}):
            part = [place for place in tokens if place.row == row]
            level = y + row * height + LEVEL * (begin % order)
            yield Line(
                key=f"{order}-gram {begin} {row - tokens[0].row}",
                role="good" if verdict == COUNTED else "bad",
                points=(part[0].begin + 1, level, part[-1].end - 1, level),
                stroke=3,
                dashed=verdict == CLIPPED,
                hint=hint,
            )


def _bar(key: str, y: float, percent: float, role: str, hint: str) -> Mark:
    # To a tenth: the last bit of a logarithm must not be seen.
    width = LONGEST * round(percent + 1e-9, 1) / 100
    return Rect(
        key=key, role=role, x=BARS, y=y, width=width, height=ROW - 10, hint=hint
    )


def _row(key: str, y: float, name: str, told: str, strong: bool) -> list[Mark]:
    """What a bar is called, and its number."""
    role = "ink" if strong else "muted"
    return [
        words(f"{key} name", 6, y + 15, name, role, 13),
        words(f"{key} told", WIDTH - 4, y + 15, told, "ink", 12, "end"),
    ]
