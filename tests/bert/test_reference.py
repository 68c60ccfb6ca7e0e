"""The plain definitions: what must hold for any numbers, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.bert import reference

numbers = st.floats(-30, 30)


@given(st.lists(numbers, min_size=1, max_size=8), numbers)
def test_shares_sum_to_one_and_a_constant_changes_nothing(scores, constant):
    shares = reference.softmax(scores)
    assert sum(shares) == pytest.approx(1)
    moved = reference.softmax([score + constant for score in scores])
    # Adding the constant rounds scores below 60 by 1e-14 at most.
    assert moved == pytest.approx(shares, rel=1e-12)


@given(st.lists(numbers, min_size=2, max_size=8))
def test_the_likelihoods_behind_the_losses_sum_to_one(scores):
    losses = [reference.nll(scores, word) for word in range(len(scores))]
    assert sum(math.exp(-loss) for loss in losses) == pytest.approx(1)
    # Gibbs: no distribution costs less than the one that the scores stand for.
    shares = reference.softmax(scores)
    entropy = -sum(share * math.log(share) for share in shares if share)
    assert reference.cross_entropy(shares, scores) == pytest.approx(entropy, abs=1e-9)


def test_equal_keys_give_the_mean_of_what_is_not_padding():
    values = [[1.0, 0.0], [3.0, 6.0], [100.0, 100.0]]
    out, weights = reference.attention(
        [[5.0], [-2.0], [0.0]], [[1.0]] * 3, values, [False, False, True]
    )
    assert weights == [[0.5, 0.5, 0.0]] * 3
    assert out == [[2.0, 3.0]] * 3


def test_a_key_far_ahead_is_the_only_one_looked_at():
    out, _ = reference.attention(
        [[40.0, 0.0]] * 2, [[40.0, 0.0], [0.0, 40.0]], [[7.0], [9.0]], [False] * 2
    )
    assert out == [[pytest.approx(7.0)]] * 2


def test_the_order_of_tokens_means_nothing_to_attention():
    """Hence the vectors of places."""
    rows = [[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]
    order = [2, 0, 1]
    moved = [rows[n] for n in order]
    out, _ = reference.attention(rows, rows, rows, [False] * 3)
    again, _ = reference.attention(moved, moved, moved, [False] * 3)
    for place, n in enumerate(order):
        assert again[place] == pytest.approx(out[n])


@given(st.lists(numbers, min_size=2, max_size=9).filter(lambda x: max(x) - min(x) > 1))
def test_normal_has_mean_zero_and_variance_one(x):
    found = reference.normal(x, [1.0] * len(x), [0.0] * len(x))
    assert sum(found) == pytest.approx(0, abs=1e-9)
    # EPSILON is added to a variance of 1/18 or more: nine numbers, two of them 1 apart.
    assert sum(value**2 for value in found) == pytest.approx(len(x), rel=2e-4)
    moved = reference.normal(x, [2.0] * len(x), [3.0] * len(x))
    assert moved == pytest.approx([2 * value + 3 for value in found])


@given(numbers)
def test_gelu_lets_pass_what_is_positive(x):
    assert reference.gelu(x) - reference.gelu(-x) == pytest.approx(x)
    assert min(0.0, x) - 0.17 <= reference.gelu(x) - max(0.0, x) <= 0.0
    assert reference.gelu(0.0) == 0


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    "call",
    [
        reference.softmax,
        lambda scores: reference.nll(scores, 0),
        lambda scores: reference.cross_entropy([0.2, 0.5, 0.3], scores),
        lambda scores: reference.masked_nll([scores], [2], -100),
    ],
)
def test_a_score_that_is_no_number_is_refused_wherever_it_stands(call, place):
    scores = [1.0, -math.inf, 2.0]
    scores[place] = math.nan
    with pytest.raises(ValueError, match=f"score {place} is nan"):
        call(scores)
    scores[place] = math.inf
    with pytest.raises(ValueError, match="of 3 scores is inf"):
        call(scores)


def test_a_word_that_cannot_be_costs_nothing_where_it_is_not_wanted():
    assert reference.cross_entropy([1, 0], [0, -math.inf]) == 0
    assert reference.cross_entropy([0.5, 0.5], [0, -math.inf]) == math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reference.softmax([]), "of 0 scores"),
        (lambda: reference.nll([-math.inf] * 2, 0), "of 2 scores is -inf"),
        (lambda: reference.softmax([-math.inf]), "is -inf"),
        (lambda: reference.softmax([math.nan, 1.0]), "is nan"),
        (lambda: reference.attention([[1.0]], [[1.0]], [], [False]), "0 values"),
        (
            lambda: reference.attention([[1.0]], [[1.0]], [[1.0]], [True]),
            "of 1 scores is -inf",
        ),
        (lambda: reference.nll([1.0, 2.0], 2), "target is 2: it must be 0 to 1"),
        (lambda: reference.nll([1.0, 2.0], -1), "target is -1"),
        (lambda: reference.cross_entropy([1.0], [1.0, 2.0]), "1 shares for 2"),
        (lambda: reference.masked_nll([[1.0]], [], -100), "0 targets for 1"),
        (lambda: reference.masked_nll([[1.0]], [-100], -100), "no place"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
