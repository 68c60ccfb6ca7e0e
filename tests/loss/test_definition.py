"""The definition, against what must be true of it; runs in a browser's Python too."""

from math import exp, inf, isnan, log, nan

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tensorfleet.loss import (
    Rule,
    cross_entropy,
    example,
    log_sum_exp,
    perplexity,
    shifted,
    softmax,
    token_gradient,
    token_loss,
)
from tensorfleet.loss.reference import target_distribution

LOGITS = st.lists(st.floats(-30, 30), min_size=1, max_size=8)
SMOOTHINGS = st.sampled_from([0.0, 0.1, 0.5, 1.0])


@st.composite
def logits_and_target(draw):
    """Logits, and a class or the probabilities of classes."""
    logits = draw(LOGITS)
    if draw(st.booleans()):
        return logits, draw(st.integers(0, len(logits) - 1))
    size = len(logits)
    weights = draw(st.lists(st.integers(0, 9), min_size=size, max_size=size))
    assume(sum(weights))
    return logits, [weight / sum(weights) for weight in weights]


def test_the_notes_example():
    """Once by hand: exp(2.5) over the sum of the five exponentials, and so on."""
    by_hand = [
        exp(row[target]) / sum(map(exp, row))
        for row, target in zip(example.LOGITS, example.TARGETS, strict=True)
    ]
    assert [round(p, 3) for p in by_hand] == [0.674, 0.605, 0.564]
    for row, target, p in zip(example.LOGITS, example.TARGETS, by_hand, strict=True):
        assert softmax(row)[target] == pytest.approx(p)
    loss = cross_entropy(example.LOGITS, example.TARGETS)
    assert loss == pytest.approx(-sum(map(log, by_hand)) / 3)
    assert round(loss, 4) == 0.4899
    assert (example.INPUTS, example.TARGETS) == ([0, 1, 2], [1, 2, 3])


def test_the_listed_probabilities_are_distributions_but_not_those_of_the_logits():
    for row, listed in zip(example.LOGITS, example.LISTED, strict=True):
        assert sum(listed) == pytest.approx(1)
        assert max(abs(p - q) for p, q in zip(softmax(row), listed, strict=True)) > 0.03


@given(LOGITS, st.floats(-1000, 1000))
def test_softmax_is_a_distribution_that_a_common_shift_does_not_change(logits, shift):
    p = softmax(logits)
    assert sum(p) == pytest.approx(1)
    # A shift of 1000 rounds the logits themselves by 1000 · 2^-53.
    assert softmax([x + shift for x in logits]) == pytest.approx(p, rel=1e-11)
    assert log_sum_exp([x + shift for x in logits]) == pytest.approx(
        log_sum_exp(logits) + shift, abs=1e-11
    )
    assert log_sum_exp(logits) == pytest.approx(log(sum(map(exp, logits))), abs=1e-12)


@given(logits_and_target(), SMOOTHINGS)
def test_the_loss_is_the_sum_over_all_classes(given_, smoothing):
    logits, target = given_
    wanted = target_distribution(target, len(logits), smoothing)
    assert sum(wanted) == pytest.approx(1)
    expected = -sum(y * log(p) for y, p in zip(wanted, softmax(logits), strict=True))
    assert token_loss(logits, target, smoothing) == pytest.approx(expected, abs=1e-12)


@given(logits_and_target(), SMOOTHINGS)
def test_no_prediction_beats_the_target_itself(given_, smoothing):
    """Gibbs: cross-entropy is at least the entropy of the target."""
    logits, target = given_
    wanted = target_distribution(target, len(logits), smoothing)
    entropy = -sum(y * log(y) for y in wanted if y)
    assert token_loss(logits, target, smoothing) >= entropy - 1e-9
    if all(wanted):
        at_best = token_loss([log(y) for y in wanted], target, smoothing)
        assert at_best == pytest.approx(entropy, abs=1e-12)


@given(logits_and_target(), SMOOTHINGS)
def test_the_gradient_is_the_slope(given_, smoothing):
    logits, target = given_
    gradient = token_gradient(logits, target, smoothing)
    # Moving all logits alike changes nothing, so the slopes cancel.
    assert sum(gradient) == pytest.approx(0, abs=1e-12)
    step = 1e-5
    for i, slope in enumerate(gradient):
        up, down = (
            token_loss(
                [x + d * (j == i) for j, x in enumerate(logits)], target, smoothing
            )
            for d in (step, -step)
        )
        # Central differences err by step² / 6 times a third derivative below 1, and by
        # the rounding of losses below 60, which is 60 · 2^-52 / step.
        assert (up - down) / (2 * step) == pytest.approx(slope, abs=1e-8)


@given(logits_and_target())
def test_one_hot_cross_entropy_is_negative_log_likelihood(given_):
    logits, target = given_
    for one in range(len(logits)):
        one_hot = [float(i == one) for i in range(len(logits))]
        assert token_loss(logits, one) == token_loss(logits, one_hot)
        assert token_loss(logits, one) == pytest.approx(-log(softmax(logits)[one]))
    if not isinstance(target, int):  # a soft target is a mixture of such losses
        mixture = sum(y * token_loss(logits, i) for i, y in enumerate(target))
        assert token_loss(logits, target) == pytest.approx(mixture)


def test_large_logits_neither_overflow_nor_vanish():
    assert token_loss([1e4, -1e4], 0) == 0
    assert token_loss([1e4, -1e4], 1) == 2e4
    assert token_gradient([1e4, -1e4], 1) == [1, -1]
    assert token_loss([1e308, 1e308], 0) == pytest.approx(log(2))


def test_logits_of_minus_infinity():
    assert softmax([0.0, -inf, 0.0]) == [0.5, 0, 0.5]
    assert token_loss([0.0, -inf, 0.0], 0) == pytest.approx(log(2))
    assert token_loss([0.0, -inf, 0.0], [0.5, 0.0, 0.5]) == pytest.approx(log(2))
    assert token_loss([0.0, -inf, 0.0], 1) == inf
    assert token_gradient([0.0, -inf, 0.0], 1) == [0.5, -1, 0.5]
    for undefined in ([-inf, -inf], [inf, 0.0], [nan, 0.0]):
        assert isnan(token_loss(undefined, 0))
        assert all(map(isnan, softmax(undefined)))


def test_log_sum_exp_of_infinities():
    """As log Σ exp gives it: exp(−inf) is 0, and the logarithm of 0 is −inf."""
    assert log_sum_exp([-inf]) == log_sum_exp([-inf, -inf]) == -inf
    assert log_sum_exp([inf, 0.0]) == log_sum_exp([-inf, inf]) == inf
    for undefined in ([inf, nan], [nan, inf], [-inf, nan], [0.0, nan]):
        assert isnan(log_sum_exp(undefined))


@given(LOGITS, st.floats(0.1, 10))
def test_temperature_divides_the_logits(logits, temperature):
    expected = softmax([x / temperature for x in logits])
    assert softmax(logits, temperature) == expected


def test_reductions_and_what_is_ignored():
    rows = [[0.0, 1.0], [2.0, 0.0], [5.0, 5.0]]
    first, _, last = losses = [token_loss(row, 1) for row in rows]
    assert cross_entropy(rows, [1, 1, 1], Rule(reduction="none")) == losses
    kept = {
        reduction: cross_entropy(rows, [1, -100, 1], Rule(reduction=reduction))
        for reduction in ("none", "sum", "mean")
    }
    assert kept["none"] == [first, 0, last]
    assert kept["sum"] == pytest.approx(first + last)
    assert kept["mean"] == pytest.approx((first + last) / 2)
    assert cross_entropy(rows, [1, 0, 1], Rule(0, "none")) == [first, 0, last]
    for none_left in ([], [-100]):
        assert isnan(cross_entropy(rows[: len(none_left)], none_left))
    assert cross_entropy([], [], Rule(reduction="sum")) == 0


def test_perplexity_of_a_uniform_guess_is_the_number_of_words():
    for words in (1, 5, 128_256):
        assert perplexity(token_loss([0.0] * words, 0)) == pytest.approx(words)
    assert perplexity(1e4) == inf
    assert perplexity(709.5) < inf  # the largest float is exp(709.78)
    assert isnan(perplexity(nan))  # as the mean over no token is


def test_shifted():
    assert shifted([7, 8, 9]) == ([7, 8], [8, 9])
    assert shifted([7, 8, 0, 0], padding=0) == ([7, 8, 0], [8, -100, -100])
    assert shifted([7, 0], padding=0, ignore_index=-1) == ([7], [-1])
    with pytest.raises(ValueError, match="there are 1 tokens"):
        shifted([7])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: softmax([]), ValueError, "no logits"),
        (lambda: softmax([1.0], 0), ValueError, "temperature is 0: it must be above 0"),
        (lambda: softmax([1.0], nan), ValueError, "temperature is nan"),
        (lambda: token_loss([1.0, 2.0], 2), IndexError, "target is 2: .* 0 to 1"),
        (lambda: token_loss([1.0, 2.0], -1), IndexError, "target is -1"),
        (lambda: token_loss([1.0, 2.0], 1.0), TypeError, "target is 1.0"),
        (lambda: token_loss([1.0, 2.0], True), TypeError, "target is True"),
        (lambda: token_loss([1.0, 2.0], [1.0]), ValueError, "has 1 probabilities"),
        (lambda: cross_entropy([[1.0]], []), ValueError, "there are 0 targets"),
        (lambda: Rule(reduction="max"), ValueError, "reduction is 'max': it must be"),
        (lambda: Rule(label_smoothing=1.5), ValueError, "label_smoothing is 1.5"),
        (lambda: Rule(label_smoothing=nan), ValueError, "label_smoothing is nan"),
        (lambda: Rule(ignore_index=None), TypeError, "ignore_index is None"),
        (lambda: Rule(ignore_index=True), TypeError, "ignore_index is True"),
        (lambda: Rule(label_smoothing=None), TypeError, "label_smoothing is None: it"),
        (lambda: Rule(label_smoothing=True), TypeError, "label_smoothing is True: it"),
        (lambda: Rule(label_smoothing="0"), TypeError, "label_smoothing is '0': it"),
        (lambda: Rule(reduction=None), ValueError, "reduction is None: it must be"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
