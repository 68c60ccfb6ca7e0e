"""The best policy of a finite Markov decision process, by policy iteration.

Take an even policy, ask which action has the largest advantage in each state, take that
one instead, and ask again, until no action has an advantage (Howard, Dynamic
Programming and Markov Processes, 1960). Each policy is at least as good as the one
before in every state, and there are finitely many.

Of actions that are equally good, those that may lead to the end come first. Without a
discount a policy might otherwise walk in a circle for ever, at no loss, where another
that is no better arrives.
"""

from tensorfleet.ppo.mdp import MDP, Number, Row, Table, advantages

EQUAL = 1e-9  # what differs by no more counts as equally good


def best_policy(mdp: MDP, gamma: Number) -> list[Row]:
    """A policy that no other beats in any state, which takes one action in each.

    Raises what `state_values` does; with a `gamma` below 1, only where that is outside
    [0, 1].
    """
    chosen = [0] * len(mdp.outcomes)
    policy: list[Row] = [[1 / len(row)] * len(row) for row in mdp.outcomes]
    changed = True
    while changed:
        changed = False
        gains = advantages(mdp, policy, gamma)
        for state, best in enumerate(_best_actions(mdp, gains)):
            if gains[state][best] > EQUAL or 1 not in policy[state]:
                chosen[state], changed = best, True
        policy = [
            [int(action == chosen[state]) for action in range(len(row))]
            for state, row in enumerate(mdp.outcomes)
        ]
    return policy


def _best_actions(mdp: MDP, gains: Table) -> list[int]:
    """The action of largest gain in each state; of equals, one nearer to the end."""
    chosen = [max(range(len(row)), key=row.__getitem__) for row in gains]
    settled: set[int | None] = {None}  # the end, and where a chosen action may reach it
    while True:
        nearer = {
            state: action
            for state, row in enumerate(gains)
            if state not in settled
            for action in reversed(range(len(row)))  # the first of several remains
            if row[action] >= max(row) - EQUAL
            and any(o.next_state in settled for o in mdp.outcomes[state][action])
        }
        if not nearer:
            return chosen
        for state, action in nearer.items():
            chosen[state] = action
        settled.update(nearer)
