"""The counts, against a model counted matrix by matrix and known totals."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.attention.costs import (
    LLAMA_8B,
    ModelShape,
    causal_pairs,
    decode,
    kv_cache_bytes,
    prefill,
    training,
)

TINY = ModelShape(
    name="tiny",
    layers=2,
    hidden=6,
    heads=4,
    kv_heads=2,
    head_dim=3,
    feed_forward=10,
    vocabulary=7,
)


def matmul(rows, inner, columns):
    """Operations of a matrix product, counted one by one."""
    return sum(2 for _ in range(rows) for _ in range(inner) for _ in range(columns))


def forward(shape, tokens, context, scored):
    """Operations of a forward pass, product by product."""
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    total = matmul(scored, shape.hidden, shape.vocabulary)
    for _ in range(shape.layers):
        total += matmul(tokens, shape.hidden, queries)
        total += 2 * matmul(tokens, shape.hidden, keys)
        for token in range(tokens):
            for _ in range(shape.heads):
                visible = context + token + 1
                total += matmul(1, shape.head_dim, visible)  # scores
                total += matmul(1, visible, shape.head_dim)  # weighted sum
        total += matmul(tokens, queries, shape.hidden)
        total += 2 * matmul(tokens, shape.hidden, shape.feed_forward)
        total += matmul(tokens, shape.feed_forward, shape.hidden)
    return total


@given(st.integers(1, 6), st.integers(0, 6))
def test_prefill_counts_every_product(tokens, context):
    cost = prefill(TINY, tokens, context)
    assert cost.operations == forward(TINY, tokens, context, scored=1)


@given(st.lists(st.integers(1, 8), min_size=1, max_size=5))
def test_decode_is_one_token_of_each_sequence(contexts):
    cost = decode(TINY, contexts)
    assert cost.operations == sum(
        forward(TINY, 1, context - 1, scored=1) for context in contexts
    )


@given(st.integers(1, 6), st.integers(1, 4))
def test_training_is_three_forward_passes(tokens, sequences):
    cost = training(TINY, tokens, sequences)
    assert cost.operations == 3 * sequences * forward(TINY, tokens, 0, scored=tokens)


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50))
def test_prefill_in_chunks_has_the_same_pairs(first, second, context):
    whole = causal_pairs(first + second, context)
    assert whole == causal_pairs(first, context) + causal_pairs(second, context + first)


def test_llama_has_as_many_parameters_as_its_makers_say():
    # huggingface.co/meta-llama/Llama-3.1-8B: 8,030,261,248 in its safetensors
    assert LLAMA_8B.parameters == 8_030_261_248


def test_llama_keeps_128_kib_for_each_token():
    assert kv_cache_bytes(LLAMA_8B, 1) == 128 * 2**10
    # Without grouped queries it would be four times that.
    assert kv_cache_bytes(replace(LLAMA_8B, kv_heads=32), 1) == 512 * 2**10


def test_bytes_are_weights_once_and_keys_and_values():
    weights = 2 * (TINY.layer_weights + TINY.head_weights)
    assert prefill(TINY, 5, 3).bytes == weights + kv_cache_bytes(TINY, 8)
    assert decode(TINY, [3, 4]).bytes == weights + kv_cache_bytes(TINY, 7)
    assert training(TINY, 5).bytes == 3 * weights


def test_batching_raises_the_intensity_of_decoding_up_to_attention():
    """Weights are shared by the batch, KV is not (claim 10 of the notes)."""
    alone, batch = decode(LLAMA_8B, [1024]), decode(LLAMA_8B, [1024] * 64)
    assert batch.intensity > 30 * alone.intensity
    attention = decode(LLAMA_8B, [10**6] * 64)
    assert attention.intensity < 5  # 4 queries share a key and a value of 2 bytes each
    assert prefill(LLAMA_8B, 2048).intensity > 1000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: prefill(TINY, 0), "tokens is 0"),
        (lambda: prefill(TINY, 1, -1), "context is -1"),
        (lambda: decode(TINY, []), "the batch is empty"),
        (lambda: decode(TINY, [0]), "context is 0"),
        (lambda: training(TINY, 1, 0), "sequences is 0"),
        (lambda: replace(TINY, layers=0), "layers of tiny is 0"),
        (lambda: replace(TINY, kv_heads=3), "4 heads and 3 kv_heads"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
