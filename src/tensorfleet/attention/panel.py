"""The explorable of the attention chapter: what a step costs, and where it fits.

The reader chooses a model, a stage of its life and a length, and changes the model's
sizes. Shown are the terms of the step as shares, at every length, with the lengths at
which attention overtakes the matrices; and the memory that it takes, on three GPUs.
Everything is counted by `costs` and `activations`.
"""

from tensorfleet.attention.models import MODELS
from tensorfleet.attention.panel_amounts import amount, percent
from tensorfleet.attention.panel_memory import memory_picture, num_needed
from tensorfleet.attention.panel_picture import LONGEST, SHORTEST, shares_picture
from tensorfleet.attention.panel_terms import STAGES, Step, resized
from tensorfleet.attention.shapes import ModelShape
from tensorfleet.explore.panel import Choice, Panel, Slider, Toggle, Value
from tensorfleet.explore.scene import Scene
from tensorfleet.hardware import H200

NAMES = tuple(shape.name for shape in MODELS)
FIRST = MODELS[0]


def sizes_of(shape: ModelShape) -> dict[str, int]:
    """The sizes that have a slider."""
    return {
        "layers": shape.layers,
        "hidden": shape.hidden,
        "heads": shape.heads,
        "kv_heads": shape.kv_heads,
    }


class AttentionPanel(Panel):
    """Choosing a model sets the sliders of its sizes; they can then be moved."""

    title = "The cost of a step, and where it fits"
    controls = (
        Choice("model", "model", NAMES, FIRST.name),
        Choice("stage", "stage", STAGES, "prefill"),
        Slider("log_tokens", "log₂ of the tokens N", SHORTEST, LONGEST, 1, 10),
        Slider("sequences", "sequences at once", 1, 256, 1, 1),
        Slider("hidden", "width D", 256, 16_384, 256, FIRST.hidden),
        Slider("heads", "heads", 1, 128, 1, FIRST.heads),
        Slider("kv_heads", "heads of keys", 1, 128, 1, FIRST.kv_heads),
        Slider("layers", "layers", 1, 128, 1, FIRST.layers),
        Toggle("causal", "skip what a causal mask hides"),
        Toggle("tiled", "FlashAttention: keep no scores"),
    )

    def __init__(self, **state: Value) -> None:
        """A model brings its own sizes, unless others are given."""
        sizes: dict[str, Value] = {}
        if state.get("model") in NAMES:
            sizes |= sizes_of(self._model(state["model"]))
        super().__init__(**(sizes | state))

    def changed(self, name: str) -> None:
        if name == "model":
            self.state |= sizes_of(self._model(self.state["model"]))

    def frame(self) -> Scene:
        step = self.step()
        terms, cost = step.terms(step.tokens), step.cost
        attention, held = list(terms)[-1], sum(step.memory().values())
        crossover = list(step.crossovers().values())[-1]
        unit = "B" if step.stage == "decode" else "FLOP"
        share = percent(terms[attention], sum(terms.values()))
        largest = max(terms, key=lambda name: terms[name])
        return Scene(
            [shares_picture(step), memory_picture(step)],
            figures={
                "tokens": step.tokens,
                f"{attention}, %": share,
                "overtakes at": round(crossover),
                "operations": amount(cost.operations, "FLOP"),
                "bytes moved": amount(cost.bytes, "B"),
                "operations a byte": round(cost.intensity, 1),
                "to be held": amount(held, "B"),
                "H200 needed": num_needed(held, H200),
            },
            log=[
                f"The largest term is {largest}, with {amount(terms[largest], unit)}."
            ],
        )

    def step(self) -> Step:
        """What the settings say."""
        state = self.state
        sizes = {
            name: int(state[name]) for name in ("layers", "hidden", "heads", "kv_heads")
        }
        return Step(
            resized(self._model(state["model"]), **sizes),
            str(state["stage"]),
            2 ** int(state["log_tokens"]),
            int(state["sequences"]),
            causal=bool(state["causal"]),
            tiled=bool(state["tiled"]),
        )

    def _model(self, name: Value) -> ModelShape:
        return MODELS[NAMES.index(str(name))]
