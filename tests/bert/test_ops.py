"""Attention and losses on tensors, against the plain definitions and torch's own."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from tensorfleet.bert import ops, reference
from tensorfleet.bert.inputs import NO_TARGET


def heads(batch, num_heads, length, size, seed, dtype=torch.float64):
    random = torch.Generator().manual_seed(seed)
    shape = (batch, num_heads, length, size)
    return [torch.randn(shape, generator=random, dtype=dtype) for _ in range(3)]


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 7),
    st.integers(1, 5),
    st.integers(0, 99),
)
def test_attention_is_the_definition_for_every_head(batch, num, length, size, seed):
    queries, keys, values = heads(batch, num, length, size, seed)
    random = torch.Generator().manual_seed(seed)
    padding = torch.rand(batch, length, generator=random) < 0.4
    padding[:, 0] = False  # [CLS] is always there
    out = ops.attention(queries, keys, values, padding)
    weights = ops.attention_weights(queries, keys, padding)
    for n in range(batch):
        for head in range(num):
            rows = [x[n, head].tolist() for x in (queries, keys, values)]
            expected, looks = reference.attention(*rows, padding[n].tolist())
            # Sums of at most seven products of float64, in another order.
            torch.testing.assert_close(
                out[n, head], torch.tensor(expected, dtype=torch.float64)
            )
            torch.testing.assert_close(
                weights[n, head], torch.tensor(looks, dtype=torch.float64)
            )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_padding_is_padding_nowhere(dtype):
    queries, keys, values = heads(2, 4, 64, 32, 1, dtype)
    nowhere = torch.zeros(2, 64, dtype=torch.bool)
    out = ops.attention(queries, keys, values)
    assert out.dtype == dtype
    torch.testing.assert_close(out, ops.attention(queries, keys, values, nowhere))
    weights = ops.attention_weights(queries.float(), keys.float())
    # In bfloat16 the weights, which sum to 1, and the values, hardly above 4, may each
    # be rounded by one part in 2**8.
    error = 1e-5 if dtype == torch.float32 else 2 * 4 / 2**8
    torch.testing.assert_close(
        out.float(), weights @ values.float(), rtol=0, atol=error
    )


def test_what_padding_holds_changes_nothing():
    queries, keys, values = heads(1, 2, 6, 4, 2)
    padding = torch.tensor([[False, False, False, False, True, True]])
    before = ops.attention(queries, keys, values, padding)
    keys[..., 4:, :], values[..., 4:, :] = 1e6, -1e6
    assert torch.equal(before, ops.attention(queries, keys, values, padding))


def test_attention_to_scores_of_any_size_stays_finite():
    queries, keys, values = heads(1, 1, 5, 4, 3)
    assert ops.attention(1e3 * queries, 1e3 * keys, values).isfinite().all()


@given(
    st.lists(st.integers(0, 4) | st.just(NO_TARGET), min_size=1, max_size=9).filter(
        lambda targets: set(targets) != {NO_TARGET}
    ),
    st.integers(0, 99),
)
def test_the_loss_is_the_definition(targets, seed):
    random = torch.Generator().manual_seed(seed)
    scores = 5 * torch.randn(len(targets), 5, generator=random, dtype=torch.float64)
    expected = reference.masked_nll(scores.tolist(), targets, NO_TARGET)
    tensor = torch.tensor(targets)
    assert ops.masked_nll(scores, tensor).item() == pytest.approx(expected)
    # The same, of the places that are asked alone.
    places, wanted = ops.asked(tensor[None])
    assert NO_TARGET not in wanted
    assert ops.masked_nll(scores[places], wanted).item() == pytest.approx(expected)


def test_cross_entropy_of_one_hot_shares_is_the_negative_log_likelihood():
    """What the notes say, and torch with both kinds of targets."""
    scores = [2.0, -1.0, 0.5, 0.0]
    for target in range(4):
        shares = [float(word == target) for word in range(4)]
        found = reference.cross_entropy(shares, scores)
        assert found == pytest.approx(reference.nll(scores, target))
        both = [
            functional.cross_entropy(torch.tensor(scores, dtype=torch.float64), wanted)
            for wanted in (
                torch.tensor(target),
                torch.tensor(shares, dtype=torch.float64),
            )
        ]
        assert both == pytest.approx([found, found])


def test_the_loss_falls_to_zero_as_the_right_word_becomes_certain():
    losses = [reference.nll([0.0, gap, 0.0], 1) for gap in (0, 1, 5, 20, 800)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] == pytest.approx(math.log(3))
    assert 0 <= losses[-1] < 1e-15  # nothing overflows


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda q, p: ops.attention(q[0], q[0], q[0]), ValueError, "batch, heads"),
        (lambda q, p: ops.attention(q, q[:, :, :2], q), ValueError, "keys have shapes"),
        (lambda q, p: ops.attention(q, q, q[:, :, :2]), ValueError, "values have"),
        (lambda q, p: ops.attention(q, q, q, p.int()), TypeError, "torch.int32"),
        (lambda q, p: ops.attention(q, q, q, p[:, :2]), ValueError, r"\(1, 2\)"),
        (lambda q, p: ops.attention_weights(q, q, p.T), ValueError, r"\(3, 1\)"),
        (lambda q, p: ops.masked_nll(q, p), ValueError, "n, words"),
        (
            lambda q, p: ops.masked_nll(q[0, 0], torch.full((3,), NO_TARGET)),
            ValueError,
            "no place has a target",
        ),
        (lambda q, p: ops.attention(q, q, q, ~p), ValueError, "sequence 0 is padding"),
        (lambda q, p: ops.attention_weights(q, q, ~p), ValueError, "sequence 0 is"),
        (
            lambda q, p: ops.masked_nll(q[0, 0], torch.tensor([0, 4, 1])),
            ValueError,
            "no target 4: there are 0 to 3",
        ),
        (
            lambda q, p: ops.masked_nll(q[0, 0], torch.tensor([0, -1, 1])),
            ValueError,
            "no target -1: there are 0 to 3",
        ),
        (
            lambda q, p: ops.masked_nll(q[0, 0], torch.zeros(3, dtype=torch.int32)),
            TypeError,
            "torch.int32",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call(torch.ones(1, 2, 3, 4), torch.zeros(1, 3, dtype=torch.bool))
