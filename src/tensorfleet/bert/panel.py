"""The explorable of the BERT chapter: a pair of sentences becomes an input.

The vocabulary is trained on twelve sentences, up to the size that is chosen. One
sentence and the next, or another, are cut into its pieces and joined; then tokens are
chosen, and most of them hidden. Beside it is what the encoder gets at one position, and
how often each of the three fates was drawn.
"""

from functools import cache
from random import Random

from tensorfleet.bert.inputs import Masked, Sequenced, joined, masked
from tensorfleet.bert.panel_lines import LINES
from tensorfleet.bert.panel_picture import FATES, Look, draw_position, draw_sequence
from tensorfleet.bert.wordpiece import PAD, UNK, WordPiece, train, words
from tensorfleet.explore.panel import Button, Choice, Panel, Slider, Words
from tensorfleet.explore.scene import Scene

LARGEST, LONGEST = 100, 36
MANY = 100  # draws at one press
SEED = 30
NEXT, OTHER = "the next sentence", "another sentence"


@cache
def vocabulary() -> tuple[str, ...]:
    """The largest vocabulary; the smaller ones are its beginnings."""
    return train(LINES, LARGEST).vocabulary


class BertPanel(Panel):
    """A click on a token looks at its position."""

    title = "What a BERT reads, and what it is asked"
    controls = (
        Slider("sentence", "first sentence", 1, len(LINES) - 1, 1, 4),
        Choice("second", "second segment", (NEXT, OTHER), NEXT),
        Words("own", "or a first sentence of your own", "", 60),
        Slider("size", "vocabulary", 45, LARGEST, 5, LARGEST, "tokens"),
        Slider("length", "length", 16, LONGEST, 4, 32, "tokens"),
        Slider("percent", "tokens to predict", 5, 100, 5, 15, "%"),
        Slider("place", "position to look at", 0, LONGEST - 1, 1, 0),
        Button("draw", "draw again"),
        Button("many", f"draw {MANY} times"),
    )

    def reset(self) -> None:
        """Build the sequence, and draw its masks for the first time."""
        self.random = Random(SEED)
        self.pieces = WordPiece(vocabulary()[: int(self.state["size"])])
        first = int(self.state["sentence"]) - 1
        self.is_next = self.state["second"] == NEXT
        second = first + 1
        if not self.is_next:
            others = [n for n in range(len(LINES)) if abs(n - first) > 1]
            second = others[int(self.random.random() * len(others))]
        own = str(self.state["own"])
        self.texts = (own if words(own) else LINES[first], LINES[second])
        a, b = (tuple(self.pieces.encode(text)) for text in self.texts)
        length = int(self.state["length"])
        self.whole = len(a) + len(b) + 3
        self.sequence: Sequenced = joined(a, b, length=length)
        self.tally = dict.fromkeys(FATES, 0)
        self._draw()

    def changed(self, name: str) -> None:
        if name != "place":
            self.reset()

    def pressed(self, name: str) -> None:
        for _ in range(MANY if name == "many" else 1):
            self._draw()

    def pick(self, value: str) -> None:
        """Look at the position of this number."""
        length = len(self.sequence.tokens)
        if not (value.isdecimal() and int(value) < length):
            raise ValueError(
                f"there is no position {value!r}: there are 0 to {length - 1}"
            )
        self.state["place"] = int(value)

    def frame(self) -> Scene:
        look = self._look()
        real = [token for token in look.truth if token != PAD]
        chosen = [look.fate(place) for place in range(len(real))]
        return Scene(
            [draw_sequence(look), draw_position(look)],
            figures={
                "vocabulary": len(self.pieces),
                "tokens": len(real),
                "padding": len(look.truth) - len(real),
                "cut off": self.whole - len(real),
                "unknown": real.count(UNK),
                "to predict": sum(fate != "" for fate in chosen),
                "masked, replaced, kept": ", ".join(
                    f"{chosen.count(fate)}" for fate in FATES
                ),
                "second is next": "yes" if self.is_next else "no",
            },
            log=[f"A: {self.texts[0]}", f"B: {self.texts[1]}"],
        )

    # --- the model ---------------------------------------------------------------

    def _draw(self) -> None:
        """Choose anew which tokens are to be predicted."""
        share = int(self.state["percent"]) / 100
        tokens = self.sequence.tokens
        self.masks: Masked = masked(tokens, len(self.pieces), self.random, share)
        look = self._look()
        for place in range(look.filled):
            if look.fate(place):
                self.tally[look.fate(place)] += 1

    def _look(self) -> Look:
        return Look(
            vocabulary=self.pieces.vocabulary,
            truth=self.sequence.tokens,
            seen=self.masks.tokens,
            segments=self.sequence.segments,
            targets=self.masks.targets,
            is_next=self.is_next,
            place=min(int(self.state["place"]), len(self.sequence.tokens) - 1),
            tally=self.tally,
        )
