"""The toy language: sampling against enumeration, tuning against the known optimum."""

import math

import pytest
import torch

from tensorfleet.ppo import language
from tensorfleet.ppo.language import Settings

BETA = 0.3


@pytest.fixture(scope="module")
def reference():
    return language.reference_model(16, seed=5)


def test_the_reward_is_1_for_digits_that_add_up_to_the_prompt():
    prompts, answers = language.every_answer()
    found = language.reward(prompts, answers).tolist()
    pairs = zip(prompts.tolist(), answers.tolist(), strict=True)
    assert found == [float(sum(answer) == prompt) for prompt, answer in pairs]
    # Every answer is right for one prompt, and each pair is there once.
    assert sum(found) == language.DIGITS**language.LENGTH
    assert len(
        {
            (p, *a)
            for p, a in zip(prompts.tolist(), map(tuple, answers.tolist()), strict=True)
        }
    ) == len(found)


def test_the_reference_model_likes_small_digits_and_ignores_the_prompt(reference):
    chances = language.table(reference).exp()
    torch.testing.assert_close(
        chances.sum(1), torch.ones(language.PROMPTS, dtype=torch.float64)
    )
    habit = torch.tensor([language.HABIT**-d for d in range(language.DIGITS)])
    expected = torch.cartesian_prod(*[habit / habit.sum()] * language.LENGTH).prod(1)
    # Its last layer is 0.01 of an orthogonal one: logits are off by about a hundredth.
    torch.testing.assert_close(
        chances, expected.double().expand_as(chances), rtol=0.1, atol=0
    )


def test_answers_are_drawn_as_the_table_says(reference):
    num_draws, prompt = 20_000, 4
    prompts = torch.full((num_draws,), prompt)
    drawn = language.write(reference, prompts, torch.Generator().manual_seed(0))
    places = torch.tensor([language.DIGITS**2, language.DIGITS, 1])
    counts = torch.bincount((drawn * places).sum(1), minlength=language.DIGITS**3)
    expected = num_draws * language.table(reference)[prompt].exp()
    # Chi-squared with 63 degrees of freedom exceeds 120 in 2 of 100,000 experiments.
    assert ((counts - expected) ** 2 / expected).sum() < 120


def test_a_digit_is_given_what_was_written_before_it_and_nothing_else(reference):
    """Changing digit t changes no probability before t."""
    answers = torch.tensor([[0, 1, 2], [0, 3, 2], [0, 1, 3]])
    prompts = torch.full((3,), 7)
    first, second, third = language.digit_log_probs(reference, prompts, answers)
    assert first[0] == second[0] == third[0]
    assert first[1] == third[1] != second[1]
    assert first[2] != second[2]


@pytest.mark.parametrize("beta", [0.05, 0.3, 2.0])
def test_what_a_policy_lacks_is_beta_times_its_kl_from_the_optimum(reference, beta):
    """For any policy, here an unrelated one: J(π*) - J(π) = β KL(π ‖ π*)."""
    known = language.table(reference)
    best = language.optimum(known, beta)
    generator = torch.Generator().manual_seed(2)
    other = torch.randn(known.shape, generator=generator, dtype=torch.float64)
    other = other.log_softmax(1)
    lack = (
        language.assess(best, known, beta).objective
        - language.assess(other, known, beta).objective
    )
    kl = (other.exp() * (other - best)).sum(1).mean().item()
    # Sums of 640 doubles near 1.
    assert lack == pytest.approx(beta * kl, abs=1e-12)
    log_z = (known.exp() * (language._rewards() / beta).exp()).sum(1).log()
    assert language.assess(best, known, beta).objective == pytest.approx(
        beta * log_z.mean().item(), abs=1e-12
    )


def test_advantages_of_digits_are_rewards_to_come_less_values():
    """λ = 1 and no discount: what an answer earns from a digit on, less the guess."""
    generator = torch.Generator().manual_seed(0)
    gains, values = torch.randn(2, 5, language.LENGTH, generator=generator)
    to_come = gains.flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(
        language._critic_advantages(gains, values, 1.0), to_come - values
    )


@pytest.mark.parametrize("method", language.METHODS)
def test_a_price_above_all_rewards_keeps_the_policy_where_it_was(method, reference):
    settings = Settings(updates=8, samples=8, epochs=4, width=16, beta=100.0)
    _, progress = language.tune(reference, method, settings, seed=1)
    # Noise moves it by some hundredths of a nat; a penalty that paid, by some nats.
    assert max(p.kl for p in progress) < 0.5
    assert progress[-1].kl < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("method", language.METHODS)
def test_tuning_comes_close_to_the_optimum(method):
    settings = Settings(updates=40, beta=BETA)
    reference = language.reference_model(settings.width, seed=1)
    known = language.table(reference)
    start = language.assess(known, known, BETA).objective
    best = language.assess(language.optimum(known, BETA), known, BETA).objective
    policy, progress = language.tune(reference, method, settings, seed=1)
    assert len(progress) == 40
    assert progress[-1] == language.assess(language.table(policy), known, BETA)
    # Never above the optimum; and most of the way there, which a method with a wrong
    # sign, no penalty or someone else's advantages does not come.
    assert all(p.objective <= best + 1e-9 for p in progress)
    assert progress[-1].objective > start + 0.85 * (best - start)
    assert torch.equal(known, language.table(reference))  # the reference stays


@pytest.mark.parametrize("method", language.METHODS)
def test_a_reference_of_another_width_than_the_critic(method, reference):
    settings = Settings(updates=1, samples=2, epochs=1, width=8)
    policy, _ = language.tune(reference, method, settings, seed=1)
    assert [p.shape for p in policy.parameters()] == [
        p.shape for p in reference.parameters()
    ]


@pytest.mark.parametrize("method", language.METHODS)
def test_the_same_seed_gives_the_same_policy(method, reference):
    settings = Settings(updates=2, samples=2, epochs=1, width=16)
    one, other = (language.tune(reference, method, settings, 3)[1] for _ in range(2))
    assert one == other
    assert one != language.tune(reference, method, settings, 4)[1]


def test_bad_arguments_are_named(reference):
    with pytest.raises(ValueError, match="method is 'dpo'"):
        language.tune(reference, "dpo", Settings(), 0)
    with pytest.raises(ValueError, match="samples is 1: a group must have two or more"):
        language.tune(reference, "grpo", Settings(samples=1), 0)
    with pytest.raises(TypeError, match=r"epochs is 1\.5: it must be an int"):
        Settings(epochs=1.5)
    with pytest.raises(ValueError, match="beta is inf: it must be finite"):
        Settings(beta=math.inf)
    with pytest.raises(ValueError, match="beta is 0"):
        language.optimum(language.table(reference), 0)
    for name, value in {
        "updates": 0,
        "beta": 0.0,
        "clip": math.nan,
        "lam": 2.0,
    }.items():
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            Settings(**{name: value})
