"""PPO where the right answer is known: values by a sum, a policy by Bellman."""

import copy
import math

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from tensorfleet.ppo import best, mdp, training
from tensorfleet.ppo.networks import network
from tensorfleet.ppo.training import Settings

FAST = Settings(total_steps=64, steps_per_update=8, epochs=2, width=8)


class Clock(gymnasium.Env):
    """Sees the time, earns 1 a step, whatever is done, and is cut after `limit`."""

    observation_space = Box(-1, 1, (1,))
    action_space = Discrete(2)

    def __init__(self, limit, terminates):
        self.limit, self.terminates = limit, terminates

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return self._seen(), {}

    def step(self, action):
        self.time += 1
        over = self.time == self.limit
        return self._seen(), 1.0, over and self.terminates, over, {}

    def _seen(self):
        return np.array([self.time / self.limit], dtype=np.float32)


class Courier(gymnasium.Env):
    """The courier of `mdp`: one state, so that all that is seen is 0."""

    observation_space = Box(-1, 1, (1,))
    action_space = Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, dtype=np.float32), {}

    def step(self, action):
        outcomes = mdp.COURIER.outcomes[0][action]
        chances = [float(outcome.chance) for outcome in outcomes]
        outcome = outcomes[self.np_random.choice(len(outcomes), p=chances)]
        ended = outcome.next_state is None
        return np.zeros(1, dtype=np.float32), float(outcome.reward), ended, False, {}


def copies(make, number=4, mode=AutoresetMode.SAME_STEP, copy=True):
    return SyncVectorEnv([make] * number, autoreset_mode=mode, copy=copy)


@pytest.mark.slow
@pytest.mark.parametrize("terminates", [False, True])
def test_a_time_limit_is_not_the_end_of_the_world(terminates):
    """A reward of 1 for ever is worth 1 / (1 - γ), however often the clock is set back;
    if the limit does end it, what is left is a finite sum.
    """
    gamma, limit = 0.9, 5
    settings = Settings(
        total_steps=12_000,
        steps_per_update=25,
        epochs=10,
        learning_rate=5e-3,
        gamma=gamma,
        lam=0.95,
        largest_gradient=10.0,
        width=16,
    )
    clocks = copies(lambda: Clock(limit, terminates))
    agent, _ = training.train(clocks, settings, seed=1)
    left = [limit - t if terminates else math.inf for t in range(limit)]
    expected = [(1 - gamma**steps) / (1 - gamma) for steps in left]
    seen = torch.tensor([[t / limit] for t in range(limit)])
    # A fit by a small network, after a finite number of steps: to about a tenth.
    assert agent.values(seen).tolist() == pytest.approx(expected, abs=0.4)


@pytest.mark.slow
def test_the_courier_learns_what_bellman_says():
    settings = Settings(total_steps=4_000, steps_per_update=25, epochs=5, gamma=1.0)
    agent, progress = training.train(copies(Courier), settings, seed=1)
    right = best.best_policy(mdp.COURIER, 1)[0]
    found = agent.log_probs(torch.zeros(1)).exp()
    assert found.argmax() == max(range(2), key=right.__getitem__)
    assert found.max() > 0.9
    assert progress[-1].entropy < progress[0].entropy
    assert progress[-1].steps == 4_000


@pytest.mark.parametrize("copy", [True, False])
def test_a_rollout_holds_the_states_that_were_reached_before_any_reset(copy):
    """Also where the environments write every step into the same array."""
    clocks = copies(lambda: Clock(3, False), number=2, copy=copy)
    agent = training.Agent(1, 2, 4, torch.Generator().manual_seed(0))
    start, _ = clocks.reset(seed=0)
    rollout, after = training.collect(
        clocks, agent, start, 7, torch.Generator().manual_seed(0)
    )
    times = [
        (3 * column[:, 0]).round().tolist() for column in rollout.observations.unbind(1)
    ]
    assert times == [[0, 1, 2, 0, 1, 2, 0]] * 2
    reached = [
        (3 * column[:, 0]).round().tolist()
        for column in rollout.next_observations.unbind(1)
    ]
    assert reached == [[1, 2, 3, 1, 2, 3, 1]] * 2
    assert rollout.truncated[:, 0].tolist() == [False, False, True] * 2 + [False]
    assert not rollout.terminated.any()
    assert after.ravel().tolist() == pytest.approx([1 / 3] * 2)
    # The probability is that of the action taken, under the policy that took it.
    expected = agent.log_probs(rollout.observations).gather(
        2, rollout.actions[:, :, None]
    )
    torch.testing.assert_close(rollout.log_probs, expected.squeeze(2))


def test_returns_of_episodes_are_counted_across_updates():
    clocks = copies(lambda: Clock(6, True), number=3)
    _, progress = training.train(clocks, FAST, seed=0)
    assert [p.steps for p in progress] == [24, 48]
    assert [p.returns for p in progress] == [[6.0] * 3, [6.0] * 3]


def test_the_same_seed_gives_the_same_agent_and_leaves_the_global_seed_alone():
    state = torch.random.get_rng_state()
    one, other, third = (
        training.train(copies(Courier), FAST, seed)[0].state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not all(torch.equal(one[name], third[name]) for name in one)
    assert torch.equal(state, torch.random.get_rng_state())


def test_an_episode_is_evaluated_in_every_environment_and_no_step_counts_after_it():
    makers = [lambda limit=limit: Clock(limit, False) for limit in (2, 5, 3)]
    clocks = SyncVectorEnv(makers, autoreset_mode=AutoresetMode.SAME_STEP)
    agent = training.Agent(1, 2, 4, torch.Generator().manual_seed(0))
    assert training.evaluate(agent, clocks, seed=0) == [2.0, 5.0, 3.0]


def always_paid(agent, reward):
    """Ten episodes of one step in the one state 0; whatever is done brings `reward`."""
    zeros, no = torch.zeros(5, 2), torch.zeros(5, 2, dtype=torch.bool)
    actions = (torch.arange(10) % 2).reshape(5, 2)
    log_probs = agent.log_probs(torch.zeros(1)).detach()[actions]
    return training.Rollout(
        *(zeros[..., None], actions, log_probs, zeros + reward),
        *(zeros[..., None], ~no, no),
    )


def test_a_rollout_with_no_surprise_moves_the_policy_nowhere():
    """All advantages equal: normalized they are 0, and only the critic learns."""
    agent = training.Agent(1, 2, 8, torch.Generator().manual_seed(0))
    before = agent.log_probs(torch.zeros(1)).detach()
    kl, clipped, _ = training.improve(
        agent,
        torch.optim.Adam(agent.parameters(), lr=0.1),
        always_paid(agent, 1),
        Settings(epochs=3),
        torch.Generator().manual_seed(0),
    )
    assert (kl, clipped) == (0.0, 0.0)
    assert torch.equal(agent.log_probs(torch.zeros(1)), before)
    assert agent.values(torch.zeros(1)) > 0.1


def test_a_bonus_for_entropy_makes_a_certain_policy_less_certain():
    """Nothing else moves it: all advantages are equal."""
    agent = training.Agent(1, 2, 8, torch.Generator().manual_seed(0))
    with torch.no_grad():
        agent.policy[-1].bias += torch.tensor([2.0, 0.0])
    before = agent.log_probs(torch.zeros(1)).detach()
    rollout = always_paid(agent, 0)
    certainties = []
    for weight in (0.0, 0.1):
        learner = copy.deepcopy(agent)
        training.improve(
            learner,
            torch.optim.Adam(learner.parameters(), lr=0.01),
            rollout,
            Settings(epochs=5, entropy_weight=weight),
            torch.Generator().manual_seed(0),
        )
        certainties.append(learner.log_probs(torch.zeros(1)).max().item())
    assert certainties[0] == before.max()
    assert certainties[1] < before.max() - 0.01


def test_a_clip_of_the_value_holds_the_critic_near_what_it_said():
    """Returns of 1 pull on a critic that says about 0, until it has moved by 0.1."""
    agent = training.Agent(1, 2, 8, torch.Generator().manual_seed(0))
    rollout = always_paid(agent, 1)
    moved = []
    for clip in (math.inf, 0.1):
        learner = copy.deepcopy(agent)
        training.improve(
            learner,
            torch.optim.SGD(learner.parameters(), lr=0.05),
            rollout,
            Settings(epochs=200, value_clip=clip),
            torch.Generator().manual_seed(0),
        )
        moved.append(learner.values(torch.zeros(1)) - agent.values(torch.zeros(1)))
    assert moved[0] > 0.9
    # The last step that pulls may go beyond; it is a twentieth of the way or less.
    assert 0.1 < moved[1] < 0.2


def test_the_learning_rate_falls_to_0_in_a_line(monkeypatch):
    rates = []

    def improve(agent, optimizer, *_):
        rates.extend(group["lr"] for group in optimizer.param_groups)
        return 0.0, 0.0, 0.0

    monkeypatch.setattr(training, "improve", improve)
    settings = Settings(total_steps=128, steps_per_update=8, learning_rate=0.5, width=8)
    training.train(copies(Courier), settings, seed=0)
    assert rates == [0.5, 0.375, 0.25, 0.125]


def test_a_network_is_orthogonal_and_its_last_layer_scaled():
    layers = [
        layer.weight
        for layer in network((6, 4, 3), 0.01, torch.Generator().manual_seed(0))
        if hasattr(layer, "weight")
    ]
    for weight, gain in zip(layers, (math.sqrt(2), 0.01), strict=True):
        product = weight @ weight.T
        torch.testing.assert_close(product, gain**2 * torch.eye(len(product)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"total_steps": 0}, "total_steps is 0: it must be 1 or more"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0: it must exceed 0"),
        ({"clip": math.nan}, "clip is nan"),
        ({"entropy_weight": -1.0}, r"entropy_weight is -1\.0"),
        ({"gamma": 1.5}, r"gamma is 1\.5: it must be from 0 to 1"),
        ({"lam": -0.1}, r"lam is -0\.1"),
        ({"learning_rate": math.inf}, "learning_rate is inf: it must be finite"),
        ({"entropy_weight": math.nan}, "entropy_weight is nan"),
    ],
)
def test_impossible_settings_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


@pytest.mark.parametrize("name", ["total_steps", "epochs", "minibatches"])
def test_counts_are_whole_numbers(name):
    with pytest.raises(TypeError, match=rf"{name} is 2\.0: it must be an int"):
        Settings(**{name: 2.0})


@pytest.mark.parametrize("minibatches", [17, 32, 40])
def test_minibatches_of_less_than_two_steps_are_refused(minibatches):
    """One advantage, normalized, is 0, and the mean of none is NaN."""
    settings = Settings(
        total_steps=64, steps_per_update=8, epochs=1, minibatches=minibatches, width=8
    )
    message = rf"minibatches is {minibatches}: .* 32 of an update, 8 of 4 environments"
    with pytest.raises(ValueError, match=message):
        training.train(copies(Courier), settings, seed=0)


def test_minibatches_of_two_steps_are_learned_from():
    settings = Settings(
        total_steps=64, steps_per_update=8, epochs=2, minibatches=16, width=8
    )
    _, progress = training.train(copies(Courier), settings, seed=0)
    assert all(p.kl > 0 for p in progress)


def test_environments_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"total_steps is 64: .* 8 of 9 environments"):
        training.train(copies(Courier, number=9), FAST, seed=0)
    late = copies(Courier, mode=AutoresetMode.NEXT_STEP)
    with pytest.raises(ValueError, match=r"reset by .*NEXT_STEP.*SAME_STEP"):
        training.train(late, FAST, seed=0)
    with pytest.raises(ValueError, match="actions are Box"):
        training.train(training.make_environments("Pendulum-v1", 2), FAST, seed=0)
    with pytest.raises(ValueError, match="observations are Discrete"):
        training.train(training.make_environments("CliffWalking-v1", 2), FAST, seed=0)
    with pytest.raises(ValueError, match=r"sizes are \(3,\)"):
        network((3,), 1.0, torch.Generator())
