"""The explorable of the PPO chapter: a grid world in which a table learns to walk.

The first picture shows the policy and its exact values, the second how good each action
of the chosen cell is, exactly and as GAE(γ, λ) estimates it, and the third how far the
policy has moved from the one that the episodes were taken from, with the clip.

Everything follows from the settings: `rounds` times a batch of episodes and ten epochs
on it, and then one more batch with `epochs` of its epochs. Whoever moves γ sees what
would have been learned with it from the beginning.
"""

from collections.abc import Sequence
from math import sqrt
from random import Random

from tensorfleet.explore.panel import Button, Choice, Panel, Slider, Toggle, Value
from tensorfleet.explore.scene import Scene
from tensorfleet.ppo.best import best_policy
from tensorfleet.ppo.grid import grid_world
from tensorfleet.ppo.mdp import Number, Table, advantages, state_values
from tensorfleet.ppo.moments import centred, gae_moments
from tensorfleet.ppo.panel_advantages import Action, Errors, draw_advantages
from tensorfleet.ppo.panel_clip import draw_clip
from tensorfleet.ppo.panel_grid import draw_grid
from tensorfleet.ppo.reference import clipped_slope
from tensorfleet.ppo.tabular import Policy, collect, epoch, softmax

GRID = grid_world()
ROUNDS, EPOCHS = 12, 10
EPISODES, MAX_STEPS, RATE = 8, 30, 10.0  # of a batch, of an episode, of an epoch
KNOWS, SAYS_0 = "knows the true values", "says 0 everywhere"
LAMBDAS = tuple(step / 10 for step in range(11))
NO_CLIP = 1e9


class PpoPanel(Panel):
    """A click on a cell chooses it."""

    title = "Value, advantage, policy, and the clip"
    controls = (
        Slider("gamma", "discount γ", 0, 0.99, 0.01, 0.95),
        Slider("lam", "how far ahead is counted, λ", 0, 1, 0.05, 0.9),
        Choice("critic", "the critic", (KNOWS, SAYS_0), KNOWS),
        Toggle("clip", "clip the ratio", True),
        Slider("epsilon", "clip ε", 0.05, 0.5, 0.05, 0.2),
        Slider("rounds", "rounds that are past", 0, ROUNDS, 1, 0),
        Slider("epochs", "epochs of this round", 0, EPOCHS, 1, 4),
        Slider("seed", "seed of the episodes", 1, 20, 1, 1),
        Button("one_epoch", "one epoch"),
        Button("one_round", "next round"),
    )

    def __init__(self, **state: Value) -> None:
        self.cell = GRID.start
        super().__init__(**state)

    def reset(self) -> None:
        """Learn from the beginning, with the settings as they are."""
        gamma = float(self.state["gamma"])
        best = state_values(GRID.mdp, best_policy(GRID.mdp, gamma), gamma)
        self.best = float(best[GRID.start])
        self.tables = [[[0.0] * 4 for _ in GRID.cells]]
        self._go_on()

    def changed(self, name: str) -> None:
        if name in ("rounds", "epochs"):
            self._go_on()
        else:
            self.reset()

    def pressed(self, name: str) -> None:
        epochs, rounds = int(self.state["epochs"]), int(self.state["rounds"])
        if name == "one_epoch":
            self.state["epochs"] = min(epochs + 1, EPOCHS)
        elif rounds < ROUNDS:
            self.state["rounds"], self.state["epochs"] = rounds + 1, 0
        self._go_on()

    def pick(self, value: str) -> None:
        """Choose the cell of this state."""
        if not (value.isdecimal() and int(value) < len(GRID.cells)):
            raise ValueError(
                f"there is no cell {value!r}: there are 0 to {len(GRID.cells) - 1}"
            )
        self.cell = int(value)

    def frame(self) -> Scene:
        row, column = GRID.cells[self.cell]
        where = f"row {row + 1}, column {column + 1}"
        actions = [self._action(action) for action in range(4)]
        epsilon = self._epsilon() if self.state["clip"] else None
        clipped = sum(
            not clipped_slope(self._ratio(state, action), estimate, self._epsilon())
            for state, action, estimate in self.samples
        )
        return Scene(
            [
                draw_grid(GRID, self.policy, self.values, self.cell),
                draw_advantages(where, actions, self.errors),
                draw_clip(where, actions, epsilon),
            ],
            figures={
                "value of the start": _rounded(self.values[GRID.start]),
                "best possible": _rounded(self.best),
                "chosen cell": where,
                "steps in the batch": len(self.samples),
                "of these clipped": clipped,
                "bias at λ": _rounded(self.errors.bias_here),
                "noise at λ": _rounded(self.errors.noise_here),
            },
            log=[self._said()],
        )

    # --- the model ---------------------------------------------------------------

    def _go_on(self) -> None:
        """Learn as long as the settings say; the table of each round is kept."""
        rounds = int(self.state["rounds"])
        for number in range(len(self.tables) - 1, rounds):
            self.tables.append(self._learn(number, EPOCHS))
        self.policy = softmax(self._learn(rounds, int(self.state["epochs"])))
        gamma = float(self.state["gamma"])
        self.values = _floats(state_values(GRID.mdp, self.policy, gamma))
        self._judge()

    def _learn(self, number: int, epochs: int) -> Policy:
        """The table after a batch of episodes, and so many epochs on it."""
        theta = self.tables[number]
        gamma = float(self.state["gamma"])
        self.old = softmax(theta)
        self.critic = (
            _floats(state_values(GRID.mdp, self.old, gamma))
            if self.state["critic"] == KNOWS
            else [0.0] * len(GRID.cells)
        )
        self.samples = collect(
            GRID.mdp,
            self.old,
            self.critic,
            GRID.start,
            gamma=gamma,
            lam=float(self.state["lam"]),
            episodes=EPISODES,
            max_steps=MAX_STEPS,
            random=Random(1000 * int(self.state["seed"]) + number),
        )
        for _ in range(epochs):
            theta = epoch(
                theta, self.old, self.samples, epsilon=self._epsilon(), rate=RATE
            )
        return theta

    def _judge(self) -> None:
        """Compare GAE with the truth at every λ, for the policy of the batch.

        Mean and noise are those of episodes played to their end; the batch's are cut
        off after MAX_STEPS, so that a frame takes milliseconds whatever is set.
        """
        gamma, lam = float(self.state["gamma"]), float(self.state["lam"])
        self.truth = advantages(GRID.mdp, self.old, gamma)

        def errors(lam: float) -> tuple[float, float]:
            """Bias of the differences between actions, and standard deviation."""
            means, variances = self._moments(lam)
            bias = [
                [(found - true) ** 2 for found, true in zip(*rows, strict=True)]
                for rows in zip(centred(self.old, means), self.truth, strict=True)
            ]
            return self._mean_root(bias), self._mean_root(variances)

        curves = [errors(each) for each in LAMBDAS]
        here = errors(lam)
        self.errors = Errors(
            lambdas=LAMBDAS,
            bias=[bias for bias, _ in curves],
            noise=[noise for _, noise in curves],
            here=lam,
            bias_here=here[0],
            noise_here=here[1],
        )
        self.means, self.variances = self._moments(lam)

    def _moments(self, lam: float) -> tuple[Table, Table]:
        gamma = float(self.state["gamma"])
        return gae_moments(GRID.mdp, self.old, self.critic, gamma, lam)

    def _mean_root(self, squares: Table) -> float:
        """The root of the mean over cells, and over actions weighted by the policy."""
        result = 0.0
        for chances, row in zip(self.old, squares, strict=True):
            for chance, square in zip(chances, row, strict=True):
                result += chance * float(square) / len(squares)
        return sqrt(max(result, 0.0))

    def _action(self, action: int) -> Action:
        """What is to be shown of an action in the chosen cell."""
        cell = self.cell
        return Action(
            truth=float(self.truth[cell][action]),
            mean=float(self.means[cell][action]),
            deviation=sqrt(max(float(self.variances[cell][action]), 0.0)),
            seen=[
                estimate
                for state, taken, estimate in self.samples
                if (state, taken) == (cell, action)
            ],
            ratio=self._ratio(cell, action),
        )

    def _ratio(self, state: int, action: int) -> float:
        """How much likelier the action has become; 1 where it had no chance at all."""
        old = self.old[state][action]
        return self.policy[state][action] / old if old else 1.0

    def _epsilon(self) -> float:
        return float(self.state["epsilon"]) if self.state["clip"] else NO_CLIP

    def _said(self) -> str:
        if self.state["epochs"] == EPOCHS:
            return "this batch is used up: the next round takes new episodes"
        return "one epoch is one step along the gradient; click a cell to look into it"


def _floats(numbers: Sequence[Number]) -> list[float]:
    return [float(number) for number in numbers]


def _rounded(number: float) -> float:
    """To three digits; no minus before a zero."""
    return round(number, 3) + 0.0
