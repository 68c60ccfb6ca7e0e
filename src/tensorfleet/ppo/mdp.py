"""Finite Markov decision processes, solved exactly.

In state s the actor takes action a with probability π(a|s). Then one of several
outcomes happens, each with its chance: a reward r, and a next state s', or the end.

    V(s)    = Σ_a π(a|s) Q(s, a)                what is expected from s on
    Q(s, a) = Σ_outcomes chance (r + γ V(s'))   the same after a; nothing after the end
    A(s, a) = Q(s, a) − V(s)                    how much better a is than the average

(Sutton and Barto, Reinforcement Learning, 2018, chapter 3.) The first two are linear
equations, one for each state. They are solved by elimination, in floats or, where all
numbers are fractions or integers, exactly.

Does not handle: more states than one would solve by hand, or continuing tasks without
a discount, whose values are infinite.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isfinite
from operator import mul
from random import Random
from typing import NamedTuple, TypeAlias

from tensorfleet.ppo.reference import check_finite, check_fraction

Number: TypeAlias = float | Fraction
Row: TypeAlias = list[Number]
Table: TypeAlias = Sequence[Sequence[Number]]  # of states, then actions


class Outcome(NamedTuple):
    """What may follow an action: with this chance a reward, and a state or the end."""

    chance: Number
    reward: Number
    next_state: int | None  # None is the end


@dataclass(frozen=True, slots=True)
class MDP:
    """`outcomes[s][a]` are the outcomes of action a in state s.

    Raises ValueError where there is no state, or no action in one; chances that are
    not positive or do not sum to 1 (1e-9 apart at most); a reward that is not finite;
    or a next state that does not exist.
    """

    outcomes: tuple[tuple[tuple[Outcome, ...], ...], ...]

    def __post_init__(self) -> None:
        if not self.outcomes:
            raise ValueError("an MDP has no state: it must have one or more")
        for state, actions in enumerate(self.outcomes):
            if not actions:
                raise ValueError(f"state {state} has no action: it must have one")
            for action, outcomes in enumerate(actions):
                self._check(f"action {action} of state {state}", outcomes)

    def _check(self, name: str, outcomes: tuple[Outcome, ...]) -> None:
        for outcome in outcomes:
            if not outcome.chance > 0:
                raise ValueError(
                    f"{name} has an outcome of chance {outcome.chance}: it must be "
                    "above 0"
                )
            if not isfinite(outcome.reward):
                raise ValueError(
                    f"{name} has a reward of {outcome.reward}: it must be finite"
                )
            if outcome.next_state not in (None, *range(len(self.outcomes))):
                raise ValueError(
                    f"{name} leads to state {outcome.next_state}: there are 0 to "
                    f"{len(self.outcomes) - 1}, and None for the end"
                )
        chances = total(outcome.chance for outcome in outcomes)
        if not -1e-9 <= chances - 1 <= 1e-9:
            raise ValueError(f"the chances of {name} sum to {chances}: it must be 1")


@dataclass(frozen=True, slots=True)
class Episode:
    """What was seen, a list entry for each step t.

    `next_states[t]` is None after the end. The last step is either `terminated`, which
    means that the MDP ended, or `truncated`: it would have gone on, and was cut off.
    """

    states: list[int]
    actions: list[int]
    rewards: list[Number]
    next_states: list[int | None]
    terminated: list[bool]
    truncated: list[bool]


def total(numbers: Iterable[Number]) -> Number:
    """The sum from left to right, the same in every Python: `sum` has changed."""
    result: Number = 0
    for number in numbers:
        result += number
    return result


def state_values(mdp: MDP, policy: Table, gamma: Number) -> list[Number]:
    """V of `policy`: the discounted sum of rewards that is expected from each state.

    `policy[s][a]` is the chance of action a in state s. Raises ValueError for a policy
    that does not fit the MDP, `gamma` outside [0, 1], or a `gamma` of 1 where the end
    cannot be reached.
    """
    return expected_sum(mdp, policy, expected_rewards(mdp), gamma)


def action_values(mdp: MDP, values: Sequence[Number], gamma: Number) -> list[Row]:
    """Q: the values of actions in each state, if `values` are those of states.

    Raises ValueError for another number of values than of states, one that is not
    finite, or `gamma` outside [0, 1].
    """
    if len(values) != len(mdp.outcomes):
        raise ValueError(
            f"there are {len(values)} values: the MDP has {len(mdp.outcomes)} states"
        )
    check_finite(values=values)
    check_fraction("gamma", gamma)
    return [
        [
            total(
                chance * (reward + (0 if then is None else gamma * values[then]))
                for chance, reward, then in outcomes
            )
            for outcomes in actions
        ]
        for actions in mdp.outcomes
    ]


def advantages(mdp: MDP, policy: Table, gamma: Number) -> list[Row]:
    """A of `policy`: by how much each action is better than the policy's average.

    Raises what `state_values` does.
    """
    values = state_values(mdp, policy, gamma)
    return [
        [q - value for q in row]
        for row, value in zip(action_values(mdp, values, gamma), values, strict=True)
    ]


def average(policy: Table, table: Table) -> Row:
    """The mean over the actions of each state, weighted by the policy."""
    return [
        total(map(mul, chances, row))
        for chances, row in zip(policy, table, strict=True)
    ]


def expected_rewards(mdp: MDP) -> list[Row]:
    """What each action is expected to bring at once."""
    return action_values(mdp, [0] * len(mdp.outcomes), 0)


def expected_sum(mdp: MDP, policy: Table, gain: Table, factor: Number) -> Row:
    """Solve x(s) = Σ_a π(a|s) (gain[s][a] + factor · Σ chance · x(s')) for x.

    That is the expected sum of gains along an episode, each step counting `factor`
    times the one before. Raises what `state_values` does.
    """
    check_policy(mdp, policy)
    if not 0 <= factor <= 1:
        raise ValueError(f"the discount is {factor}: it must be from 0 to 1")
    if factor == 1:
        _check_that_it_ends(mdp, policy)
    size = len(mdp.outcomes)
    rows: list[Row] = []
    for state, chances in enumerate(policy):
        row: Row = [int(state == column) for column in range(size)]
        for probability, outcomes in zip(chances, mdp.outcomes[state], strict=True):
            for chance, _, then in outcomes:
                if then is not None:
                    row[then] -= factor * probability * chance
        rows.append(row)
    return _solve(rows, average(policy, gain))


def check_policy(mdp: MDP, policy: Table) -> None:
    """Raise ValueError unless `policy` has a distribution for each state of `mdp`."""
    shape, wanted = [len(row) for row in policy], [len(row) for row in mdp.outcomes]
    if shape != wanted:
        raise ValueError(
            f"the policy has {shape} actions in its states: the MDP has {wanted}"
        )
    for state, chances in enumerate(policy):
        if not (min(chances) >= 0 and -1e-9 <= total(chances) - 1 <= 1e-9):
            raise ValueError(
                f"the policy in state {state} is {list(chances)}: it must be chances "
                "that sum to 1"
            )


def sample_episode(
    mdp: MDP, policy: Table, start: int, random: Random, max_steps: int
) -> Episode:
    """Follow `policy` from `start` to the end, or for `max_steps` steps.

    Raises ValueError for a policy that does not fit, a `start` that does not exist, or
    less than one step.
    """
    check_policy(mdp, policy)
    if start not in range(len(mdp.outcomes)):
        raise ValueError(
            f"start is {start}: the states are 0 to {len(mdp.outcomes) - 1}"
        )
    if max_steps < 1:
        raise ValueError(f"max_steps is {max_steps}: it must be 1 or more")
    episode = Episode([], [], [], [], [], [])
    state: int | None = start
    while state is not None and len(episode.states) < max_steps:
        action = _draw(policy[state], random)
        outcomes = mdp.outcomes[state][action]
        _, reward, then = outcomes[_draw([o.chance for o in outcomes], random)]
        episode.states.append(state)
        episode.actions.append(action)
        episode.rewards.append(reward)
        episode.next_states.append(then)
        episode.terminated.append(then is None)
        episode.truncated.append(False)
        state = then
    episode.truncated[-1] = state is not None
    return episode


def _draw(chances: Sequence[Number], random: Random) -> int:
    """An index, each with its chance; never one whose chance is 0."""
    left = random.random()
    for index, chance in enumerate(chances):
        left -= float(chance)
        if left < 0:
            return index
    return max(index for index, chance in enumerate(chances) if chance > 0)


def _check_that_it_ends(mdp: MDP, policy: Table) -> None:
    """Undiscounted sums are finite where the end can be reached from every state."""
    ends: set[int | None] = {None}
    while True:
        more = {
            state
            for state, actions in enumerate(mdp.outcomes)
            if state not in ends
            for probability, outcomes in zip(policy[state], actions, strict=True)
            if probability > 0 and any(o.next_state in ends for o in outcomes)
        }
        if not more:
            break
        ends |= more
    if len(ends) <= len(mdp.outcomes):
        state = next(s for s in range(len(mdp.outcomes)) if s not in ends)
        raise ValueError(
            f"the discount is 1, and from state {state} the policy never reaches the "
            "end: it must be below 1"
        )


def _solve(rows: list[Row], right: Row) -> Row:
    """Solve rows · x = right, by elimination, in place.

    Nothing is swapped: in no row do the other entries outweigh that on the diagonal,
    since the rows of I − γP sum to 0 or more, so no pivot vanishes, and entries do not
    grow.
    """
    size = len(right)
    for pivot in range(size):
        for other in range(pivot + 1, size):
            factor = rows[other][pivot] / rows[pivot][pivot]
            if factor:
                for column in range(pivot, size):
                    rows[other][column] -= factor * rows[pivot][column]
                right[other] -= factor * right[pivot]
    for pivot in reversed(range(size)):
        known = total(map(mul, rows[pivot][pivot + 1 :], right[pivot + 1 :]))
        right[pivot] = (right[pivot] - known) / rows[pivot][pivot]
    return right


# A courier at a river. The road brings the parcel late, for 4. The ferry brings it for
# 8, but half of the time it is away, and the courier is where he was.
COURIER = MDP(
    (
        (
            (Outcome(Fraction(1), 4, None),),
            (Outcome(Fraction(1, 2), 8, None), Outcome(Fraction(1, 2), 0, 0)),
        ),
    )
)
