"""The explorable of the loss chapter: logits by hand, and what becomes of them.

The first picture has the softmax of the five logits as columns, with a line across each
where the target wants it; hollow columns are the probabilities that the notes list for
these logits. The second has the gradient of the loss with respect to each logit. A
logit whose column points up is too high, one whose column points down too low, and a
step downhill moves each against its column.

With a temperature T the loss is that of softmax(logits / T), so the gradient is
(p − y) / T.
"""

from collections.abc import Iterable
from math import inf, log

from tensorfleet.explore.panel import Button, Choice, Panel, Slider, Toggle
from tensorfleet.explore.scene import Scene
from tensorfleet.loss.example import CONTEXTS, LISTED, LOGITS, TARGETS, WORDS
from tensorfleet.loss.panel_picture import Look, draw_gradient, draw_softmax, shown
from tensorfleet.loss.reference import (
    perplexity,
    softmax,
    target_distribution,
    token_gradient,
    token_loss,
)

RATE = 3  # a step downhill is so many times the gradient
LOWEST, HIGHEST = -6.0, 8.0
SLIDERS = tuple(
    Slider(f"logit_{number}", f"logit of “{word}”", LOWEST, HIGHEST, 0.1, logit)
    for number, (word, logit) in enumerate(zip(WORDS, LOGITS[0], strict=True))
)
NAMES = tuple(slider.name for slider in SLIDERS)


class LossPanel(Panel):
    """A click on a column makes its word the target."""

    title = "From logits to a loss"
    controls = (
        *SLIDERS,
        Choice("target", "target", WORDS, WORDS[TARGETS[0]]),
        Slider("temperature", "temperature T", 0.2, 4, 0.1, 1.0),
        Slider("smoothing", "label smoothing ε", 0, 0.5, 0.05, 0.0),
        Toggle("listed", "what the notes list", True),
        *(
            Button(f"read_{number}", f"after “{context}”")
            for number, context in enumerate(CONTEXTS)
        ),
        Button("step", "one step downhill"),
    )

    def changed(self, name: str) -> None:
        """Nothing but the settings is shown, so there is nothing to begin again."""

    def pressed(self, name: str) -> None:
        if name == "step":
            logits = [float(self.state[name]) for name in NAMES]
            self._set(
                logit - RATE * slope
                for logit, slope in zip(logits, self._gradient(), strict=True)
            )
        else:
            row = int(name.removeprefix("read_"))
            self._set(LOGITS[row])
            self.state["target"] = WORDS[TARGETS[row]]
            self.state["temperature"] = 1.0

    def pick(self, value: str) -> None:
        """Make the word of this number the target."""
        if value not in map(str, range(len(WORDS))):
            raise ValueError(
                f"there is no word {value!r}: there are 0 to {len(WORDS) - 1}"
            )
        self.state["target"] = WORDS[int(value)]

    def frame(self) -> Scene:
        target = WORDS.index(str(self.state["target"]))
        temperature, smoothing, scaled = self._settings()
        wanted = target_distribution(target, len(WORDS), smoothing)
        gradient = self._gradient()
        loss = token_loss(scaled, target, smoothing)
        # Nothing predicts the target better than the target itself does.
        itself = token_loss([log(y) if y else -inf for y in wanted], wanted)
        row = self._row()
        look = Look(
            probabilities=softmax(scaled),
            wanted=wanted,
            gradient=gradient,
            reach=next(reach for reach in (1, 2, 5) if reach * temperature >= 1),
            listed=LISTED[row] if row is not None and self.state["listed"] else (),
            target=target,
        )
        return Scene(
            [draw_softmax(look), draw_gradient(look)],
            figures={
                "loss": shown(loss),
                "perplexity": shown(perplexity(loss)),
                "probability of the target": shown(look.probabilities[target]),
                "least possible loss": shown(itself),
                "sum of the gradient": round(sum(gradient), 3) + 0.0,
            },
            log=[_said(look)],
        )

    # --- the model ---------------------------------------------------------------

    def _settings(self) -> tuple[float, float, list[float]]:
        """Temperature, smoothing, and the logits divided by the temperature."""
        temperature = float(self.state["temperature"])
        scaled = [float(self.state[name]) / temperature for name in NAMES]
        return temperature, float(self.state["smoothing"]), scaled

    def _gradient(self) -> list[float]:
        """With respect to the logits, which the loss sees divided by T."""
        temperature, smoothing, scaled = self._settings()
        target = WORDS.index(str(self.state["target"]))
        slopes = token_gradient(scaled, target, smoothing)
        return [slope / temperature for slope in slopes]

    def _set(self, logits: Iterable[float]) -> None:
        """Each to the nearest that its slider allows."""
        for slider, logit in zip(SLIDERS, logits, strict=True):
            held = min(max(logit, LOWEST), HIGHEST)
            self.state[slider.name] = slider.checked(held)

    def _row(self) -> int | None:
        """Which of the notes' rows the logits are, where they are one as it stands."""
        logits = tuple(float(self.state[name]) for name in NAMES)
        as_it_stands = self.state["temperature"] == 1 and logits in LOGITS
        return LOGITS.index(logits) if as_it_stands else None


def _said(look: Look) -> str:
    word, p = WORDS[look.target], look.probabilities[look.target]
    if look.listed:
        return (
            f"for “{word}” the notes list {look.listed[look.target]:.2f}; the softmax "
            f"of their logits is {shown(p)}"
        )
    return f"click a column to make its word the target; now it is “{word}”"
