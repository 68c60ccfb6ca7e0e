"""The two sums, against loops over tokens and against the costs of whole models."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.attention.activations import activation_bytes
from tensorfleet.attention.costs import ModelShape, attention_product, decode, matmul
from tensorfleet.attention.sums import (
    QKV,
    WITH_FEED_FORWARD,
    WITH_OUTPUT,
    crossover,
    kept_values,
    one_token,
    token_by_token,
    token_by_token_crossover,
    whole_sequence,
)

MATRICES = st.sampled_from((QKV, WITH_OUTPUT, WITH_FEED_FORWARD))
NUMBERS = st.integers(1, 60)


@given(NUMBERS, NUMBERS, MATRICES)
def test_a_whole_sequence_is_its_products(tokens, width, matrices):
    terms = whole_sequence(tokens, width, matrices)
    assert terms.linear == matrices * matmul(tokens, width, width).operations
    scores = matmul(tokens, width, tokens).operations
    weighted = matmul(tokens, tokens, width).operations
    assert terms.quadratic == scores + weighted
    assert terms.quadratic == attention_product(tokens, tokens, width).operations
    assert terms.total == terms.linear + terms.quadratic


@given(NUMBERS, NUMBERS, MATRICES)
def test_tokens_add_up(tokens, width, matrices):
    steps = [one_token(t, width, matrices) for t in range(1, tokens + 1)]
    summed = token_by_token(tokens, width, matrices)
    assert summed.linear == sum(step.linear for step in steps)
    assert summed.quadratic == sum(step.quadratic for step in steps)


@given(st.integers(1, 8), st.integers(1, 40))
def test_one_token_is_a_step_of_a_model_of_one_layer(width, position):
    """With 4·D inner width, no gate, and a vocabulary of 1, whose scoring is known."""
    shape = ModelShape(
        name="one layer",
        layers=1,
        hidden=width,
        heads=1,
        kv_heads=1,
        head_dim=width,
        feed_forward=4 * width,
        vocabulary=1,
        gated=False,
    )
    step = one_token(position, width, WITH_FEED_FORWARD).total
    assert decode(shape, [position]).operations == step + 2 * width


@given(NUMBERS, MATRICES)
def test_the_terms_are_equal_at_the_crossover_and_nowhere_else(width, matrices):
    for form, at in (
        (whole_sequence, crossover(width, matrices)),
        (one_token, crossover(width, matrices)),
        (token_by_token, token_by_token_crossover(width, matrices)),
    ):
        for number in range(1, 2 * int(at) + 3):
            terms = form(number, width, matrices)
            assert (terms.quadratic > terms.linear) == (number > at)
            assert (terms.quadratic == terms.linear) == (number == at)


def test_crossovers_are_those_of_the_text():
    assert crossover(2) == 3  # 1.5·D
    assert crossover(1, WITH_OUTPUT) == 2
    assert crossover(1, WITH_FEED_FORWARD) == 6


@given(NUMBERS, NUMBERS, st.integers(1, 4))
def test_kept_scores_are_what_grows_with_the_square_of_the_length(tokens, width, heads):
    terms = kept_values(tokens, width * heads, heads)
    assert terms.linear == 3 * tokens * width * heads
    assert terms.quadratic == heads * tokens * tokens
    shape = ModelShape(
        name="one layer",
        layers=1,
        hidden=width * heads,
        heads=heads,
        kv_heads=heads,
        head_dim=width,
        feed_forward=1,
        vocabulary=1,
    )
    assert activation_bytes(shape, tokens) > 2 * terms.total
    # What grows with the square of the length is the scores alone.
    growth = activation_bytes(shape, 2 * tokens) - 2 * activation_bytes(shape, tokens)
    assert growth == 2 * 2 * terms.quadratic


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: whole_sequence(0, 1), "tokens is 0"),
        (lambda: whole_sequence(1, 1, 0), "matrices is 0"),
        (lambda: one_token(0, 1), "position is 0"),
        (lambda: token_by_token(1, -1), "width is -1"),
        (lambda: crossover(0), "width is 0"),
        (lambda: token_by_token_crossover(1, 0), "matrices is 0"),
        (lambda: kept_values(1, 1, 0), "heads is 0"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
