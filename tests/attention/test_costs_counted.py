"""The counts against PyTorch's: of operations, and of bytes that autograd keeps."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tensorfleet.attention.activations import activation_bytes
from tensorfleet.attention.costs import (
    ModelShape,
    attention_operations,
    attention_product,
    causal_pairs,
    decode,
    kv_cache_bytes,
    prefill,
    training,
)
from tensorfleet.attention.models import DEEPSEEK_V3, GPT2, LLAMA_8B, LLAMA_70B
from tensorfleet.attention.shapes import Latent
from tests.attention.small_models import Cache, LatentAttention, Layer, Model

GPT = ModelShape(
    name="small GPT",
    layers=2,
    hidden=24,
    heads=3,
    kv_heads=3,
    head_dim=8,
    feed_forward=96,
    vocabulary=50,
    gated=False,
    tied=True,
    biases=True,
    positions=32,
)
LLAMA = replace(
    GPT,
    name="small Llama",
    heads=6,
    kv_heads=2,
    feed_forward=40,
    gated=True,
    tied=False,
    biases=False,
    positions=0,
)
LATENT = replace(
    LLAMA,
    name="small DeepSeek",
    kv_heads=6,
    latent=Latent(rank=12, rotary_dim=4, query_rank=10),
)


def operations(run):
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


def unmasked(shape, tokens):
    """Operations that the plain algorithm does on pairs that a mask would hide."""
    return attention_operations(shape, tokens**2 - causal_pairs(tokens))


@pytest.mark.parametrize("shape", [GPT, LLAMA], ids=lambda shape: shape.name)
@pytest.mark.parametrize(("tokens", "sequences"), [(1, 1), (7, 2), (32, 1)])
def test_a_training_step_does_what_is_counted(shape, tokens, sequences):
    model = Model(shape)
    words = torch.zeros(sequences, tokens, dtype=torch.long)
    counted = operations(lambda: model(words).sum().backward())
    assert counted == training(shape, tokens, sequences).operations + (
        3 * sequences * unmasked(shape, tokens)
    )


@pytest.mark.parametrize("shape", [GPT, LLAMA], ids=lambda shape: shape.name)
@pytest.mark.parametrize("tokens", [1, 9, 32])
def test_a_prompt_does_what_is_counted_but_scores_all_its_tokens(shape, tokens):
    model, words = Model(shape), torch.zeros(1, tokens, dtype=torch.long)
    counted = operations(lambda: model(words))
    scored = 2 * shape.head_weights * (tokens - 1)
    assert (
        counted == prefill(shape, tokens).operations + unmasked(shape, tokens) + scored
    )


@pytest.mark.parametrize("shape", [GPT, LLAMA], ids=lambda shape: shape.name)
@pytest.mark.parametrize("sequences", [1, 3])
def test_decoding_with_a_cache_does_what_is_counted(shape, sequences):
    """Every token of a batch, one after the other, and the same result as at once."""
    torch.manual_seed(1)
    model = Model(shape).double()
    words = torch.randint(shape.vocabulary, (sequences, 12))
    caches = [Cache() for _ in model.layers]
    with torch.no_grad():
        for t in range(12):
            counted = operations(lambda t=t: model.step(words[:, : t + 1], caches))
            assert counted == decode(shape, [t + 1] * sequences).operations
        kept = sum(x.nbytes for cache in caches for x in (cache.keys, cache.values))
        values = kept // 8  # in doubles
        assert values * shape.value_bytes == kv_cache_bytes(shape, 12 * sequences)
        # In a single layer the last token sees all others, with or without a mask.
        one = Model(replace(shape, layers=1)).double()
        empty = [Cache()]
        stepped = [one.step(words[:, : t + 1], empty) for t in range(12)][-1]
        # Doubles, and sums of at most 96 terms near 1.
        torch.testing.assert_close(
            stepped[:, 0], one(words)[:, -1], rtol=1e-12, atol=1e-12
        )


@pytest.mark.parametrize("shape", [GPT2, LLAMA_8B, LLAMA_70B], ids=lambda s: s.name)
def test_real_models_have_the_parameters_of_their_shapes(shape):
    """Built without memory. Llama's norms have no biases, ours have."""
    with torch.device("meta"):
        model = Model(shape)
    tables = 0 if shape.positions else shape.hidden
    norms = 0 if shape.biases else (2 * shape.layers + 1) * shape.hidden
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert counted - tables - norms == shape.parameters


def test_gpt_2s_training_step_on_a_thousand_tokens():
    """The real sizes, on tensors without memory."""
    with torch.device("meta"):
        model, words = Model(GPT2), torch.zeros(1, 1024, dtype=torch.long)
        counted = operations(lambda: model(words).sum().backward())
    assert counted == training(GPT2, 1024).operations + 3 * unmasked(GPT2, 1024)


@pytest.mark.parametrize("tokens", [1, 5, 16])
def test_latent_attention_does_what_is_counted_in_both_forms(tokens):
    attention, h = LatentAttention(LATENT), torch.randn(tokens, LATENT.hidden)
    one_layer = replace(LATENT, layers=1)
    rest = 3 * 2 * LATENT.hidden * LATENT.feed_forward  # of which it has none
    scoring = 2 * LATENT.head_weights
    counted = operations(lambda: attention.whole(h))
    assert counted == (
        prefill(one_layer, tokens).operations
        + unmasked(one_layer, tokens)
        - rest * tokens
        - scoring
    )
    cached = attention.of["kv_down"](h)
    counted = operations(lambda: attention.step(h[-1:], cached))
    assert counted == decode(one_layer, [tokens]).operations - rest - scoring


def test_both_forms_of_latent_attention_are_the_same_function():
    torch.manual_seed(1)
    attention = LatentAttention(LATENT).double()
    h = torch.randn(9, LATENT.hidden, dtype=torch.double)
    with torch.no_grad():
        last = attention.whole(h)[-1:]
        step = attention.step(h[-1:], attention.of["kv_down"](h))
    # Doubles, and sums of at most 24 terms near 1.
    torch.testing.assert_close(step, last, rtol=1e-12, atol=1e-12)


def test_deepseeks_forms_at_their_real_sizes():
    with torch.device("meta"):
        attention = LatentAttention(DEEPSEEK_V3)
        h, cached = torch.empty(1, 7168), torch.empty(4096, 576)
        counted = operations(lambda: attention.step(h, cached))
    one_layer = replace(DEEPSEEK_V3, layers=1)
    rest = 3 * 2 * 7168 * DEEPSEEK_V3.feed_forward + 2 * DEEPSEEK_V3.head_weights
    assert counted == decode(one_layer, [4096]).operations - rest


@pytest.mark.parametrize(("queries", "keys"), [(1, 1), (6, 6), (3, 8), (8, 3)])
def test_attention_alone_does_what_is_counted(queries, keys):
    q, k = torch.randn(2, 4, queries, 8), torch.randn(2, 4, keys, 8)
    counted = operations(lambda: (q @ k.transpose(2, 3)).softmax(-1) @ k)
    assert counted == attention_product(queries, keys, 8, heads=4, batch=2).operations


class Kept:
    """Bytes of the distinct tensors that autograd keeps, without parameters.

    Without statistics of norms too, which have one number a token: (sequences, tokens,
    1).
    """

    def __init__(self, model):
        self.parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
        self.storages = {}

    def pack(self, tensor):
        storage = tensor.untyped_storage()
        statistics = tensor.ndim == 3 and tensor.shape[2] == 1
        if storage.data_ptr() not in self.parameters and not statistics:
            self.storages[storage.data_ptr()] = storage
        return tensor

    @property
    def bytes(self):
        return sum(storage.nbytes() for storage in self.storages.values())


def kept_bytes(layer, tokens, sequences):
    kept = Kept(layer)
    x = torch.randn(sequences, tokens, layer.shape.hidden, dtype=torch.bfloat16)
    x.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda t: t):
        out = layer(x)
    assert out.shape == x.shape
    return kept.bytes


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize("shape", [GPT, LLAMA], ids=lambda shape: shape.name)
@pytest.mark.parametrize(("tokens", "sequences"), [(2, 1), (5, 2), (40, 3)])
def test_autograd_keeps_what_is_counted(shape, dropout, tokens, sequences):
    layer = Layer(shape, dropout).bfloat16()
    counted = activation_bytes(
        replace(shape, layers=1), tokens, sequences, dropout=dropout > 0
    )
    assert kept_bytes(layer, tokens, sequences) == counted
