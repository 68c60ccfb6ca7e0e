"""PPO and GRPO on a language so small that the best policy is known exactly.

The prompt is a number from 0 to 9, an answer three digits from 0 to 3, written one
after the other; an answer is right if its digits add up to the prompt, and its reward
is then 1, else 0. So a check gives the reward, as it does for mathematics or programs.
The policy is a network that gives each next digit's probabilities from the prompt and
the digits so far. It begins as a copy of a *reference model*, which knows nothing of
sums and likes small digits, and is to be changed no more than the reward is worth:

    J(π) = E r(x, y) - β KL(π(·|x) ‖ π_ref(·|x))          averaged over the prompts x

(Ziegler et al. 2019, "Fine-Tuning Language Models from Human Preferences"; Ouyang et
al. 2022, "Training language models to follow instructions with human feedback"). The
best policy is π*(y|x) = π_ref(y|x) exp(r / β) / Z(x), with J(π*) = E β log Z(x), and
what any other policy lacks is exactly β KL(π ‖ π*) (Rafailov et al. 2023, "Direct
Preference Optimization", appendix A.1). There are 64 answers: all of this is summed
up, not sampled.

The two methods differ in their advantages alone. Either may look at rewards less the
penalty, β log(π / π_ref) of each digit:

    "ppo"    a critic guesses what a beginning is worth; digit t gets GAE(1, λ)
    "grpo"   no critic: each prompt is answered several times, and every digit of an
             answer gets the answer's reward against its group's (Shao et al. 2024)

GRPO's paper puts the penalty into the loss instead, through an estimator whose gradient
is not that of this KL; here it is in the reward, so that both have the same optimum.
Not handled: answers of different lengths, prompts of several tokens, attention.
"""

import copy
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tensorfleet.ppo import ops
from tensorfleet.ppo.arguments import check_counts, check_rates
from tensorfleet.ppo.networks import network
from tensorfleet.ppo.reference import check_fraction

DIGITS, LENGTH = 4, 3
PROMPTS = (DIGITS - 1) * LENGTH + 1
METHODS = ("ppo", "grpo")
# A digit is so many times as probable, for the reference model, as the next larger.
HABIT = math.exp(0.25)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a policy is tuned; each update answers every prompt `samples` times."""

    beta: float = 0.3  # reward a nat of KL costs
    updates: int = 60
    samples: int = 64
    epochs: int = 8
    learning_rate: float = 2e-2  # at the beginning; it falls to 0 in a line
    clip: float = 0.2
    lam: float = 0.95  # of the critic's advantages
    width: int = 64  # of the critic's hidden layers; the policy has the reference's

    def __post_init__(self) -> None:
        check_counts(self, "updates", "samples", "epochs", "width")
        check_rates(self, "beta", "learning_rate")
        for name in ("beta", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must exceed 0")
        check_fraction("lam", self.lam)


class Progress(NamedTuple):
    """Exact, after an update: chance of a right answer, KL from the reference in nats,
    and J, all averaged over the prompts.
    """

    right: float
    kl: float
    objective: float


def reference_model(width: int, seed: int) -> nn.Sequential:
    """A network that knows nothing of sums, and likes small digits (see HABIT)."""
    generator = torch.Generator().manual_seed(seed)
    model = _reader(DIGITS, width, generator)
    with torch.no_grad():
        bias: Tensor = model[-1].get_parameter("bias")
        bias -= math.log(HABIT) * torch.arange(DIGITS)
    return model


def reward(prompts: Tensor, answers: Tensor) -> Tensor:
    """1 where the digits of an answer (n, LENGTH) add up to its prompt (n,), else 0."""
    return (answers.sum(1) == prompts).float()


def digit_log_probs(model: nn.Module, prompts: Tensor, answers: Tensor) -> Tensor:
    """log π(digit t | prompt, digits before t), shape (n, LENGTH), in nats."""
    logits: Tensor = model(_inputs(prompts, answers))
    return logits.log_softmax(2).gather(2, answers[:, :, None]).squeeze(2)


def write(model: nn.Module, prompts: Tensor, generator: torch.Generator) -> Tensor:
    """An answer for each prompt, shape (n, LENGTH), drawn digit by digit."""
    answers = torch.zeros(len(prompts), LENGTH, dtype=torch.int64)
    with torch.no_grad():
        for t in range(LENGTH):
            chances = model(_inputs(prompts, answers)[:, t]).softmax(1)
            answers[:, t] = torch.multinomial(chances, 1, generator=generator)[:, 0]
    return answers


def every_answer() -> tuple[Tensor, Tensor]:
    """Each prompt with each possible answer: shapes (n,) and (n, LENGTH)."""
    answers = torch.cartesian_prod(*[torch.arange(DIGITS)] * LENGTH)
    prompts = torch.arange(PROMPTS).repeat_interleave(len(answers))
    return prompts, answers.repeat(PROMPTS, 1)


def table(model: nn.Module) -> Tensor:
    """log π(answer | prompt) of every answer: (PROMPTS, DIGITS ** LENGTH), doubles."""
    with torch.no_grad():
        log_probs = digit_log_probs(model, *every_answer()).double()
    return log_probs.sum(1).reshape(PROMPTS, -1)


def optimum(reference: Tensor, beta: float) -> Tensor:
    """The table of π* for that of a reference model: π_ref exp(r / β), normalized.

    Raises ValueError for a `beta` that is not positive.
    """
    if not beta > 0:
        raise ValueError(f"beta is {beta}: it must exceed 0")
    return (reference + _rewards() / beta).log_softmax(1)


def assess(policy: Tensor, reference: Tensor, beta: float) -> Progress:
    """The chance of a right answer, the KL and J of a policy, from the two tables."""
    chances = policy.exp()
    right = (chances * _rewards()).sum(1).mean().item()
    kl = (chances * (policy - reference)).sum(1).mean().item()
    return Progress(right, kl, right - beta * kl)


def tune(
    reference: nn.Sequential, method: str, settings: Settings, seed: int
) -> tuple[nn.Sequential, list[Progress]]:
    """A policy tuned from a copy of `reference`, and its progress after every update.

    Raises ValueError for another method than "ppo" and "grpo", or for "grpo" where each
    prompt is answered once: nothing would be learned from groups of one.
    """
    if method not in METHODS:
        raise ValueError(f"method is {method!r}: it must be 'ppo' or 'grpo'")
    if method == "grpo" and settings.samples < 2:
        raise ValueError(
            f"samples is {settings.samples}: a group must have two or more"
        )
    generator = torch.Generator().manual_seed(seed)
    policy = copy.deepcopy(reference)
    critic = _reader(1, settings.width, generator)
    optimizer = torch.optim.Adam([*policy.parameters(), *critic.parameters()], eps=1e-5)
    prompts = torch.arange(PROMPTS).repeat_interleave(settings.samples)
    known, progress = table(reference), list[Progress]()
    for update in range(settings.updates):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * (1 - update / settings.updates)
        answers = write(policy, prompts, generator)
        with torch.no_grad():
            old = digit_log_probs(policy, prompts, answers)
            gains = -settings.beta * (
                old - digit_log_probs(reference, prompts, answers)
            )
            gains[:, -1] += reward(prompts, answers)
            values: Tensor = critic(_inputs(prompts, answers)).squeeze(2)
        if method == "ppo":
            advantages = _critic_advantages(gains, values, settings.lam)
            returns = advantages + values
            scaled = advantages / advantages.std()
        else:
            groups = gains.sum(1).reshape(PROMPTS, settings.samples)
            scaled = ops.group_advantages(groups).reshape(-1, 1).expand(-1, LENGTH)
        for _ in range(settings.epochs):
            new = digit_log_probs(policy, prompts, answers)
            loss = ops.clipped_surrogate(new, old, scaled, settings.clip)
            if method == "ppo":
                guesses = critic(_inputs(prompts, answers)).squeeze(2)
                loss = loss + ops.value_loss(guesses, values, returns, math.inf)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
        progress.append(assess(table(policy), known, settings.beta))
    return policy, progress


def _critic_advantages(gains: Tensor, values: Tensor, lam: float) -> Tensor:
    """GAE along the digits of each answer; the last digit ends it."""
    next_values = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    terminated = torch.zeros_like(gains, dtype=torch.bool)
    terminated[:, -1] = True
    truncated = torch.zeros_like(terminated)
    steps = (gains.T, values.T, next_values.T, terminated.T, truncated.T)  # by digit
    return ops.gae(*steps, gamma=1.0, lam=lam).T


def _rewards() -> Tensor:
    return reward(*every_answer()).double().reshape(PROMPTS, -1)


def _reader(outputs: int, width: int, generator: torch.Generator) -> nn.Sequential:
    inputs = PROMPTS + LENGTH * (DIGITS + 1)
    return network((inputs, width, width, outputs), 0.01, generator)


def _inputs(prompts: Tensor, answers: Tensor) -> Tensor:
    """What is known before each digit, shape (n, LENGTH, inputs): all as 0 and 1.

    The prompt, and each digit written so far; a place not written yet holds a blank.
    """
    places = torch.arange(LENGTH)
    written = places[None, :] < places[:, None]  # (digit to write, place)
    seen = torch.where(written, answers[:, None, :], DIGITS)
    digits = nn.functional.one_hot(seen, DIGITS + 1).flatten(2)
    prompt = nn.functional.one_hot(prompts, PROMPTS)[:, None, :]
    return torch.cat([prompt.expand(-1, LENGTH, -1), digits], dim=2).float()
