"""The encoder, against torch's own layer and against the definition, and its seeds."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tensorfleet.bert import reference
from tensorfleet.bert.inputs import joined
from tensorfleet.bert.model import Bert, Config, Layer
from tensorfleet.bert.wordpiece import PAD

SMALL = Config(num_words=30, length=12, width=8, num_heads=2, num_layers=2)


def torch_layer_like(layer):
    """torch's encoder layer with the same weights."""
    width = layer.read.normalized_shape[0]
    peer = nn.TransformerEncoderLayer(
        width,
        layer.num_heads,
        4 * width,
        dropout=0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
        dtype=layer.widen.weight.dtype,
    )
    attention = peer.self_attn
    peer.load_state_dict(
        {
            "self_attn.in_proj_weight": layer.queries_keys_values.weight,
            "self_attn.in_proj_bias": layer.queries_keys_values.bias,
            "self_attn.out_proj.weight": layer.heads_out.weight,
            "self_attn.out_proj.bias": layer.heads_out.bias,
            "linear1.weight": layer.widen.weight,
            "linear1.bias": layer.widen.bias,
            "linear2.weight": layer.narrow.weight,
            "linear2.bias": layer.narrow.bias,
            "norm1.weight": layer.read.weight,
            "norm1.bias": layer.read.bias,
            "norm2.weight": layer.think.weight,
            "norm2.bias": layer.think.bias,
        }
    )
    assert attention.num_heads == layer.num_heads
    return peer


def random_layer(width, num_heads, seed):
    """A layer none of whose weights is 0 or 1."""
    layer = Layer(width, num_heads).double()
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.normal_(std=0.5, generator=random)
    return layer


@given(
    st.integers(1, 3),
    st.integers(1, 9),
    st.sampled_from([(4, 1), (4, 4), (12, 3), (32, 4)]),
    st.integers(0, 99),
)
def test_a_layer_and_its_gradients_agree_with_torch(batch, length, sizes, seed):
    layer = random_layer(*sizes, seed)
    peer = torch_layer_like(layer)
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, length, sizes[0], generator=random, dtype=torch.float64)
    padding = torch.rand(batch, length, generator=random) < 0.3
    padding[:, 0] = False
    for hidden in (None, padding):
        ours, theirs = x.clone().requires_grad_(), x.clone().requires_grad_()
        out, expected = layer(ours, hidden), peer(theirs, src_key_padding_mask=hidden)
        torch.testing.assert_close(out, expected)
        out.sin().sum().backward()
        expected.sin().sum().backward()
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_a_layer_is_the_definition_one_number_at_a_time():
    layer = random_layer(6, 2, seed=1)
    random = torch.Generator().manual_seed(1)
    x = torch.randn(1, 5, 6, generator=random, dtype=torch.float64)
    padding = torch.tensor([[False, False, False, False, True]])
    weights = {
        name: weight.detach().tolist() for name, weight in layer.named_parameters()
    }
    expected = reference.layer(x[0].tolist(), padding[0].tolist(), weights, num_heads=2)
    found = layer(x, padding)[0]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


def some_input(batch=3, length=9, seed=0):
    random = torch.Generator().manual_seed(seed)
    tokens = torch.randint(5, SMALL.num_words, (batch, length), generator=random)
    segments = torch.randint(0, 2, (batch, length), generator=random)
    return tokens, segments


def test_the_seed_alone_decides_how_a_model_begins():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = Bert(SMALL, seed=3)
    torch.manual_seed(2)
    same, other = Bert(SMALL, seed=3), Bert(SMALL, seed=4)
    inputs = some_input()
    assert torch.equal(one(*inputs), same(*inputs))
    assert not torch.equal(one(*inputs), other(*inputs))
    torch.manual_seed(1)
    Bert(SMALL, seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_padding_behind_a_sequence_changes_nothing_in_it():
    model = Bert(SMALL, seed=0).double()
    tokens, segments = some_input()
    alone = model(tokens, segments)
    longer = torch.nn.functional.pad(tokens, (0, 3), value=PAD)
    found = model(longer, torch.nn.functional.pad(segments, (0, 3)))
    torch.testing.assert_close(found[:, :9], alone)


def test_the_vector_of_padding_changes_nothing():
    """A pair leaves one place of an even length: nothing that is read depends on it."""
    model = Bert(SMALL, seed=0).double()
    pair = joined((7, 8, 9, 10), (11, 12, 13, 14), length=12)
    assert pair.tokens.count(PAD) == 1
    tokens, segments = torch.tensor([pair.tokens]), torch.tensor([pair.segments])

    def read():
        found = model(tokens, segments)
        return model.next_scores(found), model.word_scores(found)[:, :-1, PAD + 1 :]

    before = read()
    with torch.no_grad():
        model.words.weight[PAD] += 1
    assert all(map(torch.equal, before, read()))


def test_tokens_look_to_both_sides_and_places_and_segments_count():
    model = Bert(SMALL, seed=0)
    tokens, segments = some_input(batch=1)
    before = model(tokens, segments)
    for place in (0, 8):
        changed = tokens.clone()
        changed[0, place] = 5 + (changed[0, place] - 4) % 25
        after = model(changed, segments)
        assert ((after - before).abs().amax(-1) > 1e-6).all()
    assert not torch.allclose(model(tokens, 1 - segments), before)
    assert not torch.allclose(model(tokens.flip(1), segments.flip(1)).flip(1), before)


def test_shares_of_looks_sum_to_one_and_none_goes_to_padding():
    model = Bert(SMALL, seed=0)
    tokens, segments = some_input()
    tokens[1, 6:] = PAD
    looks = model.looks(tokens, segments)
    assert len(looks) == SMALL.num_layers
    for shares in looks:
        assert shares.shape == (3, SMALL.num_heads, 9, 9)
        torch.testing.assert_close(shares.sum(-1), torch.ones(3, 2, 9))
        assert (shares[1, :, :, 6:] == 0).all()
        assert (shares[0] > 0).all()


def test_a_token_begins_by_looking_at_its_like():
    """Keys are near the queries at first: the same piece elsewhere stands out."""
    config = Config(num_words=200, length=24, width=64, num_heads=4, num_layers=1)
    tokens = torch.arange(5, 29)[None]
    tokens[0, 20] = tokens[0, 3]
    segments = torch.zeros_like(tokens)
    stands_out = []
    for seed in range(10):
        shares = Bert(config, seed).looks(tokens, segments)[0][0].mean(0)[20]
        others = sum(shares) - shares[3] - shares[20]
        stands_out.append(float(shares[3] / (others / 22)))
    # Keys of their own would give 1 on average, with a spread of 0.2 for a seed.
    assert sum(stands_out) / 10 > 1.2


def test_words_are_scored_by_the_vectors_by_which_they_enter():
    model = Bert(SMALL, seed=0)
    x = model(*some_input())
    scores = model.word_scores(x)
    assert scores.shape == (3, 9, SMALL.num_words)
    scores.sum().backward()
    entering, before = model.words.weight, scores.detach()
    with torch.no_grad():
        entering[7] += 1
    moved = model.word_scores(x.detach()) - before
    assert moved[..., 7].abs().max() > 0
    assert (moved[..., :7] == 0).all()
    assert (moved[..., 8:] == 0).all()


def test_the_summary_is_of_the_first_token_alone():
    model = Bert(SMALL, seed=0)
    x = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(1))
    scores = model.next_scores(x)
    assert scores.shape == (2, 2)
    x[:, 1:] += 1
    assert torch.equal(model.next_scores(x), scores)
    x[:, 0] += 1
    assert not torch.equal(model.next_scores(x), scores)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_words": 0}, "num_words is 0: it must be 1 or more"),
        ({"num_layers": -1}, "num_layers is -1"),
        ({"width": 9}, "width is 9: 2 heads"),
    ],
)
def test_impossible_sizes_are_refused(change, message):
    sizes = {"num_words": 30, "width": 8, "num_heads": 2} | change
    with pytest.raises(ValueError, match=message):
        Config(**sizes)


@pytest.mark.parametrize("size", [30.5, True, "30"])
def test_sizes_that_are_no_whole_numbers_are_refused(size):
    with pytest.raises(TypeError, match=f"num_words is {size!r}: it must be an int"):
        Config(num_words=size)


def test_a_layer_refuses_heads_that_cannot_share_out_its_width():
    with pytest.raises(ValueError, match="width is 9: 2 heads"):
        Layer(9, 2)


def test_sequences_that_do_not_fit_are_refused():
    model = Bert(SMALL, seed=0)
    with pytest.raises(ValueError, match=r"\(1, 13\).*T at most 12"):
        model(*some_input(batch=1, length=13))
    tokens, segments = some_input()
    with pytest.raises(ValueError, match=r"segments have shape \(3, 8\)"):
        model(tokens, segments[:, :8])
    with pytest.raises(ValueError, match="no token 30: there are 0 to 29"):
        model(torch.full_like(tokens, 30), segments)
    with pytest.raises(ValueError, match="no token -1: there are 0 to 29"):
        model(torch.full_like(tokens, -1), segments)
    with pytest.raises(ValueError, match="no segment 2: there are 0 to 1"):
        model(tokens, torch.full_like(segments, 2))
    tokens[1] = PAD
    with pytest.raises(ValueError, match="sequence 1 is padding only"):
        model(tokens, segments)
