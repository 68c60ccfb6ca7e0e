"""The linear layer with its loss, against torch's two steps, and what it allocates."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.loss import costs, ops
from tensorfleet.loss.allocations import peak_bytes
from tests.loss.strategies import (
    assert_alike,
    problems,
    settings_of,
    value_and_gradients,
)


def two_steps(input, weight, target, **settings):
    return F.cross_entropy(F.linear(input, weight), target, **settings)


def some(tokens, features, classes, dtype=torch.float32, seed=1):
    """Input, weight and target classes, with logits of about 1."""
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(tokens, features, generator=generator).to(dtype),
        (torch.randn(classes, features, generator=generator) / features**0.5).to(dtype),
        torch.randint(classes, (tokens,), generator=generator),
    )


@given(
    problems(),
    st.integers(1, 5),
    st.sampled_from([0, 1, 32, 2**13]),
    st.sampled_from([1, 2, 3, None]),
)
def test_linear_cross_entropy_is_the_two_steps(problem, features, spread, chunk):
    """In float64, with logits that no order of additions and no dtype here rounds.

    They are quarters of integers below 2^8, times a power of two.
    """
    logits, target, rule = problem
    tokens, classes = logits.shape
    generator = torch.Generator().manual_seed(1)
    input = torch.randint(-4, 5, (tokens, features), generator=generator) * spread
    weight = torch.randint(-4, 5, (classes, features), generator=generator) / 4
    mine = value_and_gradients(
        ops.linear_cross_entropy,
        [input.to(logits.dtype), weight.to(logits.dtype)],
        target,
        chunk_tokens=chunk,
        **settings_of(rule),
    )
    truth = value_and_gradients(
        two_steps,
        [input.double(), weight.double()],
        target.double() if target.ndim == 2 else target,
        **settings_of(rule),
    )
    # A slope is at most what the target wants in all. The gradient of the input sums
    # slopes of classes times weights, at most 1 here, that of the weight slopes of
    # tokens times inputs, at most 4 times the spread: divided by what these sums can
    # reach, they must agree as the slopes do.
    mass = 1 if target.ndim == 1 or not tokens else target.float().sum(1).max().item()
    reach = 1, max(1, mass), max(1, mass * tokens * 4 * spread)
    assert_alike(
        *(
            [t / r for t, r in zip(found, reach, strict=True)]
            for found in (mine, truth)
        ),
        logits.dtype,
    )


def test_features_of_what_is_ignored_may_hold_anything():
    """0 · NaN is NaN, so an ignored token must not even enter the sum over tokens."""
    input, weight, target = some(6, 4, 9)
    target[::2] = -100
    for reduction in ("mean", "sum", "none"):
        clean, spoiled = (
            value_and_gradients(
                ops.linear_cross_entropy,
                [input.index_fill(0, torch.tensor([0, 4]), what), weight],
                target,
                reduction=reduction,
                chunk_tokens=4,
            )
            for what in (0.0, float("nan"))
        )
        assert clean[2].abs().sum() > 0
        assert_alike(spoiled, clean, torch.float32)
        assert spoiled[1][::2].abs().sum() == 0


def test_features_are_left_as_they_are():
    input, weight, target = some(6, 4, 9)
    target[::2] = -100
    before = input.clone()
    for wants_input in (True, False):
        leaf = weight.clone().requires_grad_()
        input.requires_grad_(wants_input)
        ops.linear_cross_entropy(input, leaf, target, chunk_tokens=4).backward()
        assert torch.equal(input, before)
        torch.testing.assert_close(
            leaf.grad, torch.autograd.grad(two_steps(input, leaf, target), leaf)[0]
        )


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_bfloat16_is_as_near_to_the_truth_as_two_steps(reduction):
    """In chunks the weight's gradient is rounded once a chunk, by 2^-9 of its size."""
    chunks = 8
    input, weight, target = some(64, 16, 50, torch.bfloat16)
    target[::7] = -100
    mine = value_and_gradients(
        ops.linear_cross_entropy,
        [input, weight],
        target,
        reduction=reduction,
        chunk_tokens=64 // chunks,
    )
    truth = value_and_gradients(
        two_steps, [input.double(), weight.double()], target, reduction=reduction
    )
    for ours, exact in zip(mine, truth, strict=True):
        assert ours.dtype == torch.bfloat16
        # Logits, their gradient and the result are rounded once each, and then comes a
        # rounding for each chunk.
        allowed = (chunks + 3) * 2**-9 * exact.abs().max().item()
        assert (ours.double() - exact).abs().max().item() < allowed


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_the_gradients_are_slopes(reduction):
    """Along a random direction; gradcheck would go backward twice."""
    input, weight, target = some(5, 3, 7, torch.float64)
    target[1] = -100
    along = some(5, 3, 7, torch.float64, seed=2)[:2]

    def loss(input, weight):
        losses = ops.linear_cross_entropy(
            input,
            weight,
            target,
            reduction=reduction,
            label_smoothing=0.1,
            chunk_tokens=2,
        )
        return (losses * torch.linspace(1, 2, losses.numel()).double()).sum()

    step = 1e-6
    up, down = (
        loss(input + h * along[0], weight + h * along[1]) for h in (step, -step)
    )
    leaves = input.requires_grad_(), weight.requires_grad_()
    gradients = torch.autograd.grad(loss(*leaves), leaves)
    slope = sum((g * d).sum() for g, d in zip(gradients, along, strict=True))
    # Differences err by step² times third derivatives, and by 2^-53 / step of rounding.
    assert ((up - down) / (2 * step)).item() == pytest.approx(slope.item(), abs=1e-7)


@pytest.mark.parametrize("reduction", ["mean", "none"])
@pytest.mark.parametrize("wanted", [(True, False), (False, True), (False, False)])
def test_only_the_wanted_gradients_are_made(reduction, wanted):
    *leaves, target = some(6, 4, 9)
    for leaf, want in zip(leaves, wanted, strict=True):
        leaf.requires_grad_(want)
    expected = two_steps(*leaves, target)
    loss = ops.linear_cross_entropy(
        *leaves, target, reduction=reduction, chunk_tokens=4
    ).mean()
    torch.testing.assert_close(loss, expected)
    assert loss.requires_grad == any(wanted)
    if any(wanted):
        found = [leaf for leaf in leaves if leaf.requires_grad]
        torch.testing.assert_close(
            torch.autograd.grad(loss, found), torch.autograd.grad(expected, found)
        )


def test_without_gradients_none_are_made():
    input, weight, target = some(1024, 8, 2048)
    weight.requires_grad_()
    with torch.no_grad():
        peak = peak_bytes(
            lambda: ops.linear_cross_entropy(input, weight, target, chunk_tokens=64),
            "cpu",
        )
    # No room for the gradient of the weight, 64 KiB, beside the logits of a chunk.
    chunk = costs.chunk_bytes(64, 2048, 4, kernel=False)
    assert chunk <= peak < chunk + 2**16


def test_a_second_backward_pass_is_refused_where_gradients_were_handed_out():
    input, weight, target = some(6, 4, 9)
    weight.requires_grad_()
    loss = ops.linear_cross_entropy(input, weight, target)
    loss.backward(retain_graph=True)
    first = weight.grad.clone()
    with pytest.raises(RuntimeError, match="a second backward pass"):
        loss.backward()
    assert torch.equal(weight.grad, first)
    losses = ops.linear_cross_entropy(input, weight, target, reduction="none")
    weight.grad = None
    for times in (1, 2):
        losses.mean().backward(retain_graph=True)
        torch.testing.assert_close(weight.grad, times * first)


@pytest.mark.parametrize(
    ("dtype", "reduction"),
    [(torch.float32, "mean"), (torch.float32, "none"), (torch.bfloat16, "sum")],
)
@pytest.mark.parametrize("chunk", [64, 256])
def test_only_a_chunk_of_logits_is_ever_there(dtype, reduction, chunk):
    tokens, features, classes = 1024, 16, 4096
    input, weight, target = some(tokens, features, classes, dtype)
    leaves = input.requires_grad_(), weight.requires_grad_()

    def step():
        loss = ops.linear_cross_entropy(
            *leaves, target, reduction=reduction, chunk_tokens=chunk
        )
        loss.sum().backward()

    size = dtype.itemsize
    predicted = costs.gradient_bytes(tokens, features, classes, size)
    predicted += costs.chunk_bytes(chunk, classes, size, kernel=False)
    # What comes on top has a few numbers for each token.
    assert predicted <= peak_bytes(step, "cpu") < predicted + 64 * tokens


def test_more_chunks_take_less_memory():
    input, weight, target = some(1024, 8, 2048)
    leaves = input.requires_grad_(), weight.requires_grad_()
    peaks = [
        peak_bytes(
            lambda chunk=chunk: ops.linear_cross_entropy(
                *leaves, target, chunk_tokens=chunk
            ).backward(),
            "cpu",
        )
        for chunk in (1024, 512, 128, 16)
    ]
    assert all(more > less for more, less in pairwise(peaks))


BAD = [
    (lambda x, w, t: (x, w[0], t), {}, ValueError, "linear_weight has shape"),
    (lambda x, w, t: (x, w[:, :2], t), {}, ValueError, "linear_weight has 2 features"),
    (lambda x, w, t: (x, w[:0], t), {}, ValueError, "linear_weight has no rows"),
    (lambda x, w, t: (x, w.tolist(), t), {}, TypeError, "linear_weight is a list: it"),
    (
        lambda x, w, t: (x, w.double(), t),
        {},
        TypeError,
        "linear_weight has dtype torch.float64",
    ),
    (lambda x, w, t: (x, w, t + 9), {}, IndexError, "target holds"),
    (lambda x, w, t: (x, w, t), {"chunk_tokens": 0}, ValueError, "chunk_tokens is 0"),
    (lambda x, w, t: (x, w, t), {"chunk_tokens": 1.5}, TypeError, "tokens is 1.5: it"),
    (lambda x, w, t: (x, w, t), {"chunk_tokens": "a"}, TypeError, "tokens is 'a': it"),
    (lambda x, w, t: (x, w, t), {"chunk_tokens": True}, TypeError, "tokens is True: "),
    (lambda x, w, t: (x, w, t), {"reduction": "all"}, ValueError, "reduction is 'all'"),
]


@pytest.mark.parametrize(("change", "settings", "error", "message"), BAD)
def test_bad_arguments(change, settings, error, message):
    with pytest.raises(error, match=message):
        ops.linear_cross_entropy(*change(*some(6, 4, 9)), **settings)


def test_autocast_is_refused_by_name():
    arguments = some(6, 4, 9)
    with torch.autocast("cpu", torch.bfloat16):
        with pytest.raises(
            ValueError, match=r"autocast to torch.bfloat16 is on for cpu"
        ):
            ops.linear_cross_entropy(*arguments)
        with torch.autocast("cpu", enabled=False):
            ops.linear_cross_entropy(*arguments)


def test_the_names_of_the_arguments_are_torchs():
    if not hasattr(F, "linear_cross_entropy"):
        pytest.skip("this torch has no linear_cross_entropy")
    input, weight, target = some(6, 4, 9)
    arguments = {"input": input, "linear_weight": weight, "target": target}
    torch.testing.assert_close(
        ops.linear_cross_entropy(**arguments), F.linear_cross_entropy(**arguments)
    )
