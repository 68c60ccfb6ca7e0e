"""Random logits, targets and rules, and what two results must share."""

from dataclasses import replace

import torch
from hypothesis import strategies as st

from tensorfleet.loss import Rule

# Losses are sums of V terms, none of them negative; each rounds by 2^-24, or 2^-53, and
# bfloat16 results round once more, by 2^-9. The gradients of V logits are at most as
# large as what the target wants in all, and are not small differences of large numbers,
# however large the logits.
TOLERANCES = {
    torch.float64: {"rtol": 1e-9, "atol": 1e-9},
    torch.float32: {"rtol": 1e-4, "atol": 2e-5},
    torch.bfloat16: {"rtol": 2e-2, "atol": 2e-2},
}

RULES = st.builds(
    Rule,
    ignore_index=st.sampled_from([-100, 0]),
    reduction=st.sampled_from(["none", "mean", "sum"]),
    label_smoothing=st.sampled_from([0.0, 0.1, 1.0]),
)


@st.composite
def problems(draw, dtypes=tuple(TOLERANCES), max_tokens=7, max_classes=40):
    """(logits, target, rule): a few tokens, some ignored, logits up to 10,000."""
    rule = draw(RULES)
    tokens, classes = (
        draw(st.integers(0, max_tokens)),
        draw(st.integers(1, max_classes)),
    )
    generator = torch.Generator().manual_seed(draw(st.integers(0, 999)))
    spread = draw(st.sampled_from([0, 1, 30, 1e4]))
    logits = torch.randn(tokens, classes, generator=generator) * spread
    if draw(st.booleans()):
        target = torch.rand(tokens, classes, generator=generator)
        target[:, ::3] = 0
        rule = replace(rule, ignore_index=-100)  # there is nothing to ignore
    else:
        target = torch.randint(classes, (tokens,), generator=generator)
        every = draw(st.sampled_from([1, 2, 1000]))
        target[every - 1 :: every] = rule.ignore_index
    dtype = draw(st.sampled_from(dtypes))
    if target.ndim == 2:
        target = target.to(dtype)
    return logits.to(dtype), target, rule


def settings_of(rule):
    return {
        "ignore_index": rule.ignore_index,
        "reduction": rule.reduction,
        "label_smoothing": rule.label_smoothing,
    }


def value_and_gradients(function, leaves, *rest, **settings):
    """The loss, and the gradients of `leaves` for an upstream that is no constant."""
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    loss = function(*leaves, *rest, **settings)
    # The same in every dtype: 0.5, 1, 1.5, 2, and again.
    upstream = (torch.arange(loss.numel()) % 4 + 1).to(loss.dtype) / 2
    gradients = torch.autograd.grad(
        loss, leaves, upstream.reshape(loss.shape).to(loss.device)
    )
    return [loss.detach(), *gradients]


def assert_alike(one, other, dtype):
    """Loss and gradients are of `dtype`, and equal up to rounding in it."""
    for mine, theirs in zip(one, other, strict=True):
        assert mine.dtype == dtype
        torch.testing.assert_close(
            mine, theirs.to(dtype), **TOLERANCES[dtype], equal_nan=True
        )
