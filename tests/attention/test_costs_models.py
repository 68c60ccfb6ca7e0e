"""Shapes of real models, and costs that other tests do not count: published totals."""

from dataclasses import replace
from random import Random
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.attention.activations import activation_bytes
from tensorfleet.attention.costs import (
    attention_operations,
    attention_product,
    causal_pairs,
    decode,
    floor_seconds,
    kv_cache_bytes,
    matmul,
    prefill,
    ridge,
    training,
)
from tensorfleet.attention.models import (
    DEEPSEEK_V3,
    GPT2,
    LLAMA_8B,
    LLAMA_70B,
    MODELS,
)
from tensorfleet.attention.shapes import Latent, ModelShape
from tensorfleet.hardware import H100, H200

SIZES = st.integers(1, 12)
GPT3_175B = ModelShape(
    name="GPT-3 175B",
    layers=96,
    hidden=12288,
    heads=96,
    kv_heads=96,
    head_dim=128,
    feed_forward=4 * 12288,
    vocabulary=51_200,
    gated=False,
)


def test_parameters_are_those_that_were_published():
    # The files of the weights say so: huggingface.co/openai-community/gpt2,
    # meta-llama/Llama-3.1-70B, deepseek-ai/DeepSeek-V3 (without the layer that predicts
    # two tokens ahead), where a router of 256 rows and as many biases stands in each of
    # 58 layers.
    assert GPT2.parameters == 124_439_808
    assert LLAMA_70B.parameters == 70_553_706_496
    assert DEEPSEEK_V3.parameters + 58 * 256 * (7168 + 1) == 671_026_419_200


def test_a_token_passes_37_billion_of_deepseeks_weights():
    # arXiv 2412.19437, abstract: 671B in all, 37B activated for each token.
    active = DEEPSEEK_V3.parameters - DEEPSEEK_V3.idle_weights
    assert round(active / 1e9) in (37, 38)
    assert round(DEEPSEEK_V3.parameters / 1e9) == 671


def test_latent_attention_caches_less_than_grouped_queries():
    per_layer = {shape.name: shape.cached_values for shape in MODELS}
    assert per_layer["DeepSeek-V3"] == 576  # arXiv 2405.04434, table 1: 9/2 of a head
    assert per_layer["DeepSeek-V3"] == 9 * 128 // 2
    assert per_layer["Llama 3.1 8B"] == 2048
    plain = replace(DEEPSEEK_V3, latent=None)
    assert kv_cache_bytes(plain, 1) > 56 * kv_cache_bytes(DEEPSEEK_V3, 1)


def test_decoding_on_the_latent_costs_more_operations_and_fewer_bytes():
    """Heads share what is cached, so a byte read serves 128 of them."""
    plain = replace(DEEPSEEK_V3, latent=None)
    long = 10**6
    assert decode(DEEPSEEK_V3, [long]).operations > decode(plain, [long]).operations
    assert decode(DEEPSEEK_V3, [long]).bytes < decode(plain, [long]).bytes / 20
    # Between the ridge of an H200 and that of an H100.
    cache_alone = 2 * (576 + 512) * 128 / (2 * 576)
    assert ridge(H200) < cache_alone < ridge(H100)
    assert decode(DEEPSEEK_V3, [10**12]).intensity == pytest.approx(cache_alone, 1e-3)


def test_a_batch_reads_the_experts_that_its_tokens_are_expected_to_pass():
    """Drawn 4,000 times: a token's 8 of 256 experts, for batches of tokens."""
    random, each = Random(1), 58 * 3 * 7168 * 2048
    for tokens in (1, 2, 28, 256):
        drawn = [
            len(set().union(*(random.sample(range(256), 8) for _ in range(tokens))))
            for _ in range(4000 // tokens + 10)
        ]
        read = DEEPSEEK_V3.weights_read(tokens) - DEEPSEEK_V3.layer_weights
        # The number drawn has a standard deviation below 8, its mean one below 2.
        assert read / each + 8 == pytest.approx(mean(drawn), abs=3)
    assert DEEPSEEK_V3.weights_read(1) == DEEPSEEK_V3.layer_weights
    every = DEEPSEEK_V3.layer_weights + DEEPSEEK_V3.idle_weights
    assert DEEPSEEK_V3.weights_read(10**6) == every
    batch, weights = decode(DEEPSEEK_V3, [10] * 28), DEEPSEEK_V3.weights_read(28)
    cache = kv_cache_bytes(DEEPSEEK_V3, 280)
    assert batch.bytes == 2 * (weights + DEEPSEEK_V3.head_weights) + cache
    assert prefill(DEEPSEEK_V3, 28).bytes - batch.bytes == (
        kv_cache_bytes(DEEPSEEK_V3, 28) - cache
    )
    step = training(DEEPSEEK_V3, 7, 4)
    assert step.bytes == 3 * 2 * (weights + DEEPSEEK_V3.head_weights)
    assert all(shape.weights_read(10**6) == shape.layer_weights for shape in MODELS[:3])


@given(SIZES, SIZES, SIZES, st.sampled_from((1, 2, 4)))
def test_matmul_counts_products_sums_and_values(rows, inner, columns, value_bytes):
    cost = matmul(rows, inner, columns, value_bytes)
    touched, operations = set(), 0
    for i in range(rows):
        for j in range(columns):
            touched.add(("C", i, j))
            for k in range(inner):
                touched |= {("A", i, k), ("B", k, j)}
                operations += 2
    assert cost.operations == operations
    assert cost.bytes == len(touched) * value_bytes


def test_the_intensity_of_a_square_product_grows_with_its_side():
    """2·n³ operations over 3·n² values of 2 bytes: n/3."""
    for side in (3, 300, 30_000):
        assert matmul(side, side, side).intensity == side / 3


@given(SIZES, SIZES, SIZES, st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_attention_alone_is_counted_pair_by_pair(
    queries, keys, head_dim, kv_heads, group, causal
):
    heads = kv_heads * group
    cost = attention_product(
        queries, keys, head_dim, heads=heads, kv_heads=kv_heads, batch=2, causal=causal
    )
    pairs = [
        (query, key)
        for query in range(queries)
        for key in range(keys)
        if key <= query or not causal
    ]
    assert cost.operations == 2 * heads * len(pairs) * (2 * head_dim + 2 * head_dim)
    read = heads * queries * head_dim + 2 * kv_heads * keys * head_dim
    written = heads * queries * head_dim
    assert cost.bytes == 2 * 2 * (read + written)


def test_heads_are_their_own_unless_shared():
    assert attention_product(5, 7, 4, heads=6) == attention_product(
        5, 7, 4, heads=6, kv_heads=6
    )


@pytest.mark.parametrize("shape", MODELS, ids=lambda shape: shape.name)
def test_decoding_costs_what_a_prompt_of_one_more_token_does(shape):
    """But latent attention, which decodes in another form."""
    step = decode(shape, [1001]).operations
    if shape.latent is None:
        assert step == prefill(shape, 1, 1000).operations
    else:
        # Keys and values of 1,000 cached tokens need not be made anew.
        assert step < prefill(shape, 1, 1000).operations


def test_a_prompt_in_pieces_makes_latent_keys_and_values_anew():
    whole = prefill(DEEPSEEK_V3, 300).operations
    pieces = prefill(DEEPSEEK_V3, 200).operations
    pieces += prefill(DEEPSEEK_V3, 100, 200).operations
    up = 2 * 512 * 128 * 128 * 61
    scored_twice = 2 * DEEPSEEK_V3.head_weights
    assert pieces - whole == scored_twice + 2 * up * 200


def test_a_floor_is_the_slower_of_computing_and_reading():
    compute, read = prefill(LLAMA_8B, 8192), decode(LLAMA_8B, [1])
    assert compute.intensity > ridge(H100) > read.intensity
    assert floor_seconds(compute, H100) == compute.operations / 989.5e12
    assert floor_seconds(read, H100) == read.bytes / 3.35e12
    # More bandwidth helps the one only.
    assert floor_seconds(compute, H200) == floor_seconds(compute, H100)
    assert floor_seconds(read, H200) < floor_seconds(read, H100)


@pytest.mark.parametrize(
    "shape", [replace(GPT3_175B, heads=64, head_dim=192, kv_heads=64), GPT3_175B]
)
@given(st.integers(1, 64), st.integers(1, 8))
def test_activations_of_a_gpt_are_the_papers(shape, tokens, sequences):
    """Equation 1 of arXiv 2205.05198: s·b·h·(34 + 5·a·s/h) a layer."""
    s, b, h, a = tokens, sequences, shape.hidden, shape.heads
    counted = activation_bytes(shape, s, b, dropout=True)
    assert counted == shape.layers * (34 * s * b * h + 5 * a * s * s * b)


def test_scores_are_most_of_what_gpt_3_keeps():
    """Section 5 of the paper: 5·a·s/h is 80 for GPT-3, at 2,048 tokens."""
    token = activation_bytes(GPT3_175B, 1, dropout=True, keep_scores=False)
    assert token == 96 * (34 * 12288 + 4 * 96)
    whole = activation_bytes(GPT3_175B, 2048, dropout=True)
    assert whole == 96 * 2048 * 12288 * (34 + 80)


@given(st.integers(1, 500), st.sampled_from((GPT2, LLAMA_8B, LLAMA_70B)))
def test_without_scores_activations_are_linear_in_the_length(tokens, shape):
    one, many = (activation_bytes(shape, n, keep_scores=False) for n in (1, tokens))
    assert many == tokens * one
    kept = activation_bytes(shape, tokens)
    scores = shape.layers * shape.heads * tokens * tokens * 2
    assert kept - scores == many - shape.layers * shape.heads * tokens * 4


def test_causal_pairs_are_what_a_mask_leaves():
    for tokens in range(6):
        for context in range(4):
            assert causal_pairs(tokens, context) == sum(
                key <= query + context
                for query in range(tokens)
                for key in range(tokens + context)
            )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: matmul(0, 1, 1), "rows is 0"),
        (lambda: matmul(1, 1, 1, 0), "value_bytes is 0"),
        (lambda: attention_product(1, 0, 1), "keys is 0"),
        (lambda: attention_product(1, 1, 1, heads=0), "heads is 0"),
        (lambda: attention_product(1, 1, 1, kv_heads=0), "kv_heads is 0"),
        (lambda: attention_product(1, 1, 1, batch=-2), "batch is -2"),
        (lambda: Latent(0, 1, 1), "rank is 0"),
        (lambda: Latent(1, 1, -3), "query_rank is -3"),
        (lambda: replace(GPT2, positions=-1), "positions of GPT-2 is -1"),
        (lambda: replace(GPT2, idle_weights=-5), "idle_weights of GPT-2 is -5"),
        (lambda: replace(GPT2, value_bytes=0), "value_bytes of GPT-2 is 0"),
        (lambda: replace(DEEPSEEK_V3, kv_heads=8), "DeepSeek-V3 has 8 kv_heads"),
        (lambda: attention_product(1, 1, 1, heads=4, kv_heads=3), "4 heads and 3 kv_h"),
        (lambda: attention_product(1, 1, 1, heads=2, kv_heads=8), "2 heads and 8 kv_h"),
        (lambda: kv_cache_bytes(LLAMA_8B, -5), "tokens is -5: it must be 0 or more"),
        (lambda: causal_pairs(-5), "tokens is -5: it must be 0 or more"),
        (lambda: causal_pairs(5, -2), "context is -2: it must be 0 or more"),
        (lambda: attention_operations(LLAMA_8B, -2), "pairs is -2"),
        (lambda: replace(DEEPSEEK_V3, routed_experts=-1), "routed_experts of DeepSeek"),
        (lambda: replace(DEEPSEEK_V3, active_experts=0), "active_experts of DeepSeek"),
        (lambda: replace(GPT2, active_experts=1), "must be at most routed_experts, 0"),
        (lambda: DEEPSEEK_V3.weights_read(0), "tokens is 0: it must be 1 or more"),
        (lambda: activation_bytes(GPT2, 0), "tokens is 0"),
        (lambda: activation_bytes(GPT2, 1, 0), "sequences is 0"),
        (lambda: activation_bytes(DEEPSEEK_V3, 1), "DeepSeek-V3 has latent attention"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: decode(LLAMA_8B, [1.5]), r"context is 1\.5: it must be an integer"),
        (lambda: prefill(LLAMA_8B, float("nan")), "tokens is nan: it must be an int"),
        (lambda: matmul("2", 1, 1), "rows is '2': it must be an integer"),
    ],
)
def test_what_is_no_integer_is_named(call, message):
    with pytest.raises(TypeError, match=message):
        call()
