"""Random decision processes and trajectories, with numbers that are exact."""

from fractions import Fraction

from hypothesis import strategies as st

from tensorfleet.ppo import MDP, Outcome

REWARDS = st.integers(-4, 4).map(Fraction)
DISCOUNTS = st.sampled_from([Fraction(n, 8) for n in range(8)])


def distributions(size):
    """Chances in fractions; some of them may be 0."""
    weights = st.lists(st.integers(0, 4), min_size=size, max_size=size)
    return weights.filter(any).map(lambda w: [Fraction(x, sum(w)) for x in w])


@st.composite
def processes(draw, max_states=4):
    """(mdp, policy) in fractions. From every state every action may end the episode."""
    size = draw(st.integers(1, max_states))
    places = st.sampled_from([*range(size), None])
    outcomes, policy = [], []
    for _ in range(size):
        num_actions = draw(st.integers(1, 3))
        policy.append(draw(distributions(num_actions)))
        actions = []
        for _ in range(num_actions):
            nexts = [draw(places) for _ in range(draw(st.integers(0, 2)))] + [None]
            chance = Fraction(1, len(nexts))
            actions.append(tuple(Outcome(chance, draw(REWARDS), n) for n in nexts))
        outcomes.append(tuple(actions))
    return MDP(tuple(outcomes)), policy


@st.composite
def trajectories(draw, max_steps=12):
    """(rewards, values, next_values, terminated, truncated), several episodes in one.

    Within an episode the next value is the value of the next step.
    """
    size = draw(st.integers(0, max_steps))

    def numbers():
        whole = st.integers(-8, 8).map(float)
        return draw(st.lists(whole, min_size=size, max_size=size))

    rewards, values, next_values = numbers(), numbers(), numbers()
    how = [draw(st.sampled_from("--tu")) for _ in range(size)]
    for step in range(size - 1):
        if how[step] == "-":
            next_values[step] = values[step + 1]
    return (
        rewards,
        values,
        next_values,
        [h == "t" for h in how],
        [h == "u" for h in how],
    )
