"""The PyTorch functions, against torch's own, the definition, and their promises."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.loss import Rule, example, ops, reference
from tests.loss.strategies import (
    TOLERANCES,
    assert_alike,
    problems,
    settings_of,
    value_and_gradients,
)

INF, NAN = float("inf"), float("nan")


@given(problems())
def test_cross_entropy_is_torchs_in_value_and_gradient(problem):
    """In float64 torch's: in bfloat16 it rounds the log-softmax before it goes on."""
    logits, target, rule = problem
    mine = value_and_gradients(ops.cross_entropy, [logits], target, **settings_of(rule))
    exact = target.double() if target.ndim == 2 else target
    torchs = value_and_gradients(
        F.cross_entropy, [logits.double()], exact, **settings_of(rule)
    )
    assert_alike(mine, torchs, logits.dtype)


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize("spread", [1, 30, 1e4])
@pytest.mark.parametrize("factor", [0, -1, 1.5])
def test_a_wrong_gradient_is_not_taken_for_rounding(dtype, spread, factor):
    """The comparison above can fail, for the mean over seven tokens at every spread."""
    generator = torch.Generator().manual_seed(1)
    logits = (torch.randn(7, 40, generator=generator) * spread).to(dtype)
    right = value_and_gradients(ops.cross_entropy, [logits], torch.arange(7))
    assert_alike(right, right, dtype)
    with pytest.raises(AssertionError, match="not close"):
        assert_alike([right[0], right[1] * factor], right, dtype)


@given(problems(dtypes=(torch.float64,)))
def test_cross_entropy_is_the_definition(problem):
    logits, target, rule = problem
    expected = reference.cross_entropy(logits.tolist(), target.tolist(), rule)
    loss = ops.cross_entropy(logits, target, **settings_of(rule))
    expected = torch.tensor(expected, dtype=torch.float64).reshape(loss.shape)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-9, equal_nan=True)


@given(problems(dtypes=(torch.float64,), max_tokens=4, max_classes=9))
def test_the_gradient_is_the_definitions(problem):
    logits, target, rule = problem
    rule = Rule(rule.ignore_index, "sum", rule.label_smoothing)
    _, gradient = value_and_gradients(
        ops.cross_entropy, [logits], target, **settings_of(rule)
    )
    for row, wanted, slope in zip(
        logits.tolist(), target.tolist(), gradient.tolist(), strict=True
    ):
        expected = [0.0] * len(row)
        if wanted != rule.ignore_index:
            expected = reference.token_gradient(row, wanted, rule.label_smoothing)
        assert slope == pytest.approx([0.5 * g for g in expected], abs=1e-9)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("soft", [False, True])
def test_gradcheck(reduction, soft):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(4, 5, dtype=torch.float64, generator=generator)
    target = torch.tensor([1, -100, 4, 0])
    if soft:
        target = torch.rand(4, 5, dtype=torch.float64, generator=generator)
    rule = {"reduction": reduction, "label_smoothing": 0.1}
    assert torch.autograd.gradcheck(
        lambda x: ops.cross_entropy(x, target, **rule), logits.requires_grad_()
    )


def test_the_notes_example():
    loss = ops.cross_entropy(
        torch.tensor(example.LOGITS), torch.tensor(example.TARGETS)
    )
    assert round(loss.item(), 4) == 0.4899


@pytest.mark.parametrize("target", [[2, 0, 3], [0, 0, 0]])
def test_logits_of_minus_infinity_as_torch(target):
    logits = torch.tensor([[-INF, -INF, 1, 2], [-INF] * 4, [0, -INF, 1e4, -1e4]])
    arguments = [logits], torch.tensor(target)
    mine, torchs = (
        value_and_gradients(function, *arguments, reduction="none")
        for function in (ops.cross_entropy, F.cross_entropy)
    )
    assert_alike(mine, torchs, torch.float32)


def test_what_is_not_wanted_costs_nothing_even_at_minus_infinity():
    logits = torch.tensor([[0.0, -INF, 0.0]])
    target = torch.tensor([[0.5, 0.0, 0.5]])
    loss, gradient = value_and_gradients(ops.cross_entropy, [logits], target)
    assert loss.item() == pytest.approx(torch.tensor(2.0).log().item())
    assert gradient.tolist() == [[0, 0, 0]]
    assert F.cross_entropy(logits, target).isnan()  # the exception that `ops` documents


def test_what_is_ignored_may_hold_anything():
    logits = torch.tensor([[0.0, 1.0], [NAN, INF]])
    target = torch.tensor([0, -100])
    loss, gradient = value_and_gradients(ops.cross_entropy, [logits], target)
    torch.testing.assert_close(loss, F.cross_entropy(logits[:1], target[:1]))
    assert gradient[1].tolist() == [0, 0]
    _, torchs = value_and_gradients(F.cross_entropy, [logits], target)
    assert torchs[1].isnan().all()  # the exception that `ops` documents


def test_logits_are_left_as_they_are_and_may_have_strides():
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).T
    before, target = logits.clone(), torch.tensor([4, 0, 2])
    mine, torchs = (
        value_and_gradients(function, [logits], target)
        for function in (ops.cross_entropy, F.cross_entropy)
    )
    assert_alike(mine, torchs, torch.float32)
    assert torch.equal(logits, before)


BAD = [
    (lambda x, t: (x[0], t), {}, ValueError, r"input has shape \(4,\): .* two dim"),
    (lambda x, t: (x.long(), t), {}, TypeError, "input has dtype torch.int64"),
    (lambda x, t: (x.half(), t), {}, TypeError, "input has dtype torch.float16"),
    (lambda x, t: (x[:, :0], t), {}, ValueError, "input has no classes"),
    (lambda x, t: (x, t[:2]), {}, ValueError, r"target has shape \(2,\): .* \(3,\)"),
    (lambda x, t: (x, t.int()), {}, TypeError, "target has dtype torch.int32"),
    (lambda x, t: (x, x.double()), {}, TypeError, "target has dtype torch.float64"),
    (
        lambda x, t: (x, t + 2),
        {},
        IndexError,
        "target holds 4 at 2: allowed are 0 to 3",
    ),
    (lambda x, t: (x, t - 1), {}, IndexError, "target holds -1 at 0: .* -100 for what"),
    (
        lambda x, t: (x, x.requires_grad_()),
        {},
        ValueError,
        "target requires a gradient",
    ),
    (
        lambda x, t: (x, x),
        {"ignore_index": 0},
        ValueError,
        "ignore_index is 0: it need",
    ),
    (lambda x, t: (x.tolist(), t), {}, TypeError, "input is a list: it must be a ten"),
    (lambda x, t: (x, t.tolist()), {}, TypeError, "target is a list: it must be a ten"),
    (lambda x, t: (x, t), {"reduction": "max"}, ValueError, "reduction is 'max'"),
    (lambda x, t: (x, t), {"label_smoothing": 2}, ValueError, "label_smoothing is 2"),
]


@pytest.mark.parametrize(("change", "settings", "error", "message"), BAD)
def test_bad_arguments(change, settings, error, message):
    arguments = change(torch.randn(3, 4), torch.tensor([0, 1, 2]))
    with pytest.raises(error, match=message):
        ops.cross_entropy(*arguments, **settings)


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(1, 5))
def test_an_ignored_class_that_is_out_of_range_is_not_refused(tokens, classes):
    target = torch.full((tokens,), 77)
    loss = ops.cross_entropy(
        torch.zeros(tokens, classes), target, ignore_index=77, reduction="sum"
    )
    assert loss.item() == 0
