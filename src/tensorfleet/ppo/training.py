"""Proximal policy optimization, whole: play, estimate advantages, improve, repeat.

    for each update:
        collect    T steps of B environments, by the policy as it is
        estimate   advantages by GAE(γ, λ), and returns = advantages + values
        improve    some epochs over minibatches of the T · B steps, down the gradient
                   of clipped surrogate + value loss - entropy bonus

(Schulman et al. 2017, "Proximal Policy Optimization Algorithms", algorithm 1.) The
details that the published scores rest on are those of Huang et al. 2022, "The 37
Implementation Details of Proximal Policy Optimization": orthogonal weights with a small
last layer, Adam with ε = 1e-5, a learning rate that falls to 0, advantages normalized
in each minibatch, a bonus for entropy, gradients cut to a norm, and the value's clip,
which is off unless asked for.

Environments are gymnasium's, vectorized, with discrete actions and observations that
are vectors. They must reset themselves within the step that ends an episode
(AutoresetMode.SAME_STEP), and then report the state that was really reached as
`final_obs`. By default gymnasium resets one step later, and that step, whose action is
ignored, would be learned from as if it had been played.

Networks of ten thousand weights are faster on one core of a CPU than on any GPU, where
every layer is a launch; so all tensors are on the CPU. Not handled: continuous actions,
images, recurrent policies, or stopping early when the policy has moved too far (the
approximate KL is reported).
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import gymnasium
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from torch import Tensor, nn

from tensorfleet.ppo import ops
from tensorfleet.ppo.arguments import check_counts, check_rates
from tensorfleet.ppo.networks import network
from tensorfleet.ppo.reference import check_fraction

CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a training is told; steps are those of environments, all taken together."""

    total_steps: int = 100_000  # rounded down to whole updates
    steps_per_update: int = 32  # of each environment
    epochs: int = 20
    minibatches: int = 1
    learning_rate: float = 1e-3  # at the beginning; it falls to 0 in a line
    gamma: float = 0.98
    lam: float = 0.8
    clip: float = 0.2
    value_clip: float = math.inf  # infinite: the value is not clipped
    value_weight: float = 0.5
    entropy_weight: float = 0.0
    largest_gradient: float = 0.5  # its norm
    width: int = 64  # of each of two hidden layers

    def __post_init__(self) -> None:
        check_counts(
            self, "total_steps", "steps_per_update", "epochs", "minibatches", "width"
        )
        check_rates(self, "learning_rate", "value_weight", "entropy_weight")
        for name in ("learning_rate", "clip", "value_clip", "largest_gradient"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must exceed 0")
        for name in ("value_weight", "entropy_weight"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} is {getattr(self, name)}: it must be 0 or more"
                )
        check_fraction("gamma", self.gamma)
        check_fraction("lam", self.lam)


class Rollout(NamedTuple):
    """What was played: tensors of shape (steps, environments, ...).

    `next_observations` are the states that the steps led to, before any reset.
    """

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    rewards: Tensor
    next_observations: Tensor
    terminated: Tensor
    truncated: Tensor


class Progress(NamedTuple):
    """After an update: environment steps so far, and what happened in it.

    `returns` are those of the episodes that ended. The others are means over the last
    epoch: `kl` the approximate KL in nats from the policy that played to the one that
    learns, `clipped` the share of ratios beyond the clip, `entropy` in nats.
    """

    steps: int
    returns: list[float]
    kl: float
    clipped: float
    entropy: float


class Agent(nn.Module):
    """A policy and a critic, two networks that share nothing."""

    def __init__(
        self, num_inputs: int, num_actions: int, width: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        # A last layer near 0 makes all actions equally probable at first.
        self.policy = network((num_inputs, width, width, num_actions), 0.01, generator)
        self.critic = network((num_inputs, width, width, 1), 1.0, generator)

    def log_probs(self, observations: Tensor) -> Tensor:
        """Of all actions, shape (..., actions), natural logarithms."""
        logits: Tensor = self.policy(observations)
        return logits.log_softmax(-1)

    def values(self, observations: Tensor) -> Tensor:
        """V of each observation, shape (...)."""
        values: Tensor = self.critic(observations)
        return values.squeeze(-1)


def make_environments(name: str, num_envs: int) -> VectorEnv:
    """So many copies of gymnasium's environment `name`, with the resets `train` needs.

    Raises what `gymnasium.make_vec` does.
    """
    return gymnasium.make_vec(
        name,
        num_envs=num_envs,
        vectorization_mode="sync",
        vector_kwargs={"autoreset_mode": AutoresetMode.SAME_STEP},
    )


def train(
    environments: VectorEnv, settings: Settings, seed: int
) -> tuple[Agent, list[Progress]]:
    """An agent for `environments`, and how it came to be, update by update.

    Raises ValueError for spaces that are not a vector and a number of actions, for
    environments that reset in another way, for fewer steps than one update takes, and
    for minibatches of less than two steps.
    """
    num_inputs, num_actions = _sizes(environments)
    num_updates = _num_updates(settings, environments.num_envs)
    generator = torch.Generator(CPU).manual_seed(seed)
    agent = Agent(num_inputs, num_actions, settings.width, generator)
    optimizer = torch.optim.Adam(agent.parameters(), eps=1e-5, fused=True)
    observation, _ = environments.reset(seed=seed)
    running, progress = np.zeros(environments.num_envs), list[Progress]()
    for update in range(num_updates):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (1 - update / num_updates)
        rollout, observation = collect(
            environments, agent, observation, settings.steps_per_update, generator
        )
        kl, clipped, entropy = improve(agent, optimizer, rollout, settings, generator)
        steps = (update + 1) * rollout.actions.numel()
        returns = _finished(rollout, running)
        progress.append(Progress(steps, returns, kl, clipped, entropy))
    return agent, progress


def collect(
    environments: VectorEnv,
    agent: Agent,
    observation: np.ndarray,
    num_steps: int,
    generator: torch.Generator,
) -> tuple[Rollout, np.ndarray]:
    """Play on from `observation`, and return what was played and where it stands."""
    steps = []
    for _ in range(num_steps):
        # Copies, all of them: environments may write the next step into the same array.
        seen = torch.tensor(observation, dtype=torch.float32, device=CPU)
        with torch.no_grad():
            log_probs = agent.log_probs(seen)
        actions = torch.multinomial(log_probs.exp(), 1, generator=generator)
        observation, rewards, terminated, truncated, info = environments.step(
            actions.squeeze(1).numpy()
        )
        reached = observation.copy()
        for place in np.flatnonzero(terminated | truncated):
            reached[place] = info["final_obs"][place]
        steps.append(
            (
                seen,
                actions.squeeze(1),
                log_probs.gather(1, actions).squeeze(1),
                torch.tensor(rewards, dtype=torch.float32, device=CPU),
                torch.tensor(reached, dtype=torch.float32, device=CPU),
                torch.tensor(terminated, device=CPU),
                torch.tensor(truncated, device=CPU),
            )
        )
    return Rollout(*map(torch.stack, zip(*steps, strict=True))), observation


def improve(
    agent: Agent,
    optimizer: torch.optim.Optimizer,
    rollout: Rollout,
    settings: Settings,
    generator: torch.Generator,
) -> tuple[float, float, float]:
    """Learn from a rollout; the approximate KL, the share clipped and the entropy."""
    with torch.no_grad():
        values = agent.values(rollout.observations)
        next_values = agent.values(rollout.next_observations)
    advantages = ops.gae(
        rollout.rewards,
        values,
        next_values,
        rollout.terminated,
        rollout.truncated,
        settings.gamma,
        settings.lam,
    )
    observations = rollout.observations.flatten(0, 1)
    flat = (rollout.actions, rollout.log_probs, advantages, values, advantages + values)
    actions, old_log_probs, advantages, values, returns = (x.flatten() for x in flat)
    for _ in range(settings.epochs):
        order = torch.randperm(len(actions), generator=generator, device=CPU)
        reports = []
        for chosen in order.tensor_split(settings.minibatches):
            log_policy = agent.log_probs(observations[chosen])
            new_log_probs = log_policy.gather(1, actions[chosen, None]).squeeze(1)
            entropy = -(log_policy.exp() * log_policy).sum(1).mean()
            loss = (
                ops.clipped_surrogate(
                    new_log_probs,
                    old_log_probs[chosen],
                    normalized(advantages[chosen]),
                    settings.clip,
                )
                + settings.value_weight
                * ops.value_loss(
                    agent.values(observations[chosen]),
                    values[chosen],
                    returns[chosen],
                    settings.value_clip,
                )
                - settings.entropy_weight * entropy
            )
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(agent.parameters(), settings.largest_gradient)
            optimizer.step()
            with torch.no_grad():
                log_ratio = new_log_probs - old_log_probs[chosen]
                kl = ops.approximate_kl(new_log_probs, old_log_probs[chosen])
                beyond = (log_ratio.expm1().abs() > settings.clip).float().mean()
                reports.append(torch.stack([kl, beyond, entropy]))
    kl, beyond, entropy = torch.stack(reports).mean(0).tolist()
    return kl, beyond, entropy


def evaluate(agent: Agent, environments: VectorEnv, seed: int) -> list[float]:
    """The return of one episode in each environment, always by the likeliest action."""
    observation, _ = environments.reset(seed=seed)
    returns, playing = np.zeros(len(observation)), np.ones(len(observation), dtype=bool)
    while playing.any():
        with torch.no_grad():
            seen = torch.as_tensor(observation, dtype=torch.float32, device=CPU)
            actions = agent.log_probs(seen).argmax(1)
        observation, rewards, terminated, truncated, _ = environments.step(
            actions.numpy()
        )
        returns += rewards * playing
        playing &= ~(terminated | truncated)
    return list(map(float, returns))


def normalized(advantages: Tensor) -> Tensor:
    """With mean 0 and deviation 1, so that the step does not hang on rewards' unit."""
    centred = advantages - advantages.mean()
    return centred / (centred.square().mean().sqrt() + 1e-8)


def _finished(rollout: Rollout, running: np.ndarray) -> list[float]:
    """Returns of the episodes that ended; `running` is carried on in place."""
    returns = []
    ends = (rollout.terminated | rollout.truncated).numpy()
    for rewards, ended in zip(rollout.rewards.numpy(), ends, strict=True):
        running += rewards
        returns += running[ended].tolist()
        running[ended] = 0
    return returns


def _num_updates(settings: Settings, num_envs: int) -> int:
    batch = settings.steps_per_update * num_envs
    played = f"{settings.steps_per_update} of {num_envs} environments"
    if settings.total_steps < batch:
        raise ValueError(
            f"total_steps is {settings.total_steps}: it must be at least those of one "
            f"update, {played}"
        )
    if 2 * settings.minibatches > batch:  # one advantage, normalized, is 0
        raise ValueError(
            f"minibatches is {settings.minibatches}: each must have two steps or more "
            f"of the {batch} of an update, {played}"
        )
    return settings.total_steps // batch


def _sizes(environments: VectorEnv) -> tuple[int, int]:
    observations = environments.single_observation_space
    actions = environments.single_action_space
    if not isinstance(actions, gymnasium.spaces.Discrete) or actions.start:
        raise ValueError(f"actions are {actions}: they must be Discrete, from 0")
    if (
        not isinstance(observations, gymnasium.spaces.Box)
        or len(observations.shape) != 1
    ):
        raise ValueError(f"observations are {observations}: they must be a vector")
    mode = environments.metadata.get("autoreset_mode")
    if mode != AutoresetMode.SAME_STEP:
        raise ValueError(
            f"environments reset by {mode}: it must be {AutoresetMode.SAME_STEP}"
        )
    return observations.shape[0], int(actions.n)
