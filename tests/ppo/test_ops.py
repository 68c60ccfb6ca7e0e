"""Advantages on tensors against the definition; losses against what defines them."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.ppo import ops, reference
from tests.ppo.trajectories import (
    BEFORE,
    FRACTIONS,
    SHAPES,
    overflowing,
    trajectories,
)

FLOATS = st.floats(-3, 3)


def by_definition(tensors, gamma, lam):
    columns = zip(*(tensor.T.tolist() for tensor in tensors), strict=True)
    found = [reference.gae(*column, gamma, lam) for column in columns]
    return torch.tensor(found, dtype=torch.float64).reshape(tensors[0].T.shape).T


@given(
    SHAPES, st.sampled_from([0.0, 0.1, 0.5]), st.integers(0, 99), FRACTIONS, FRACTIONS
)
def test_gae_is_its_definition(shape, ends, seed, gamma, lam):
    tensors = trajectories(shape, ends, seed)
    before = [tensor.clone() for tensor in tensors]
    found = ops.gae(*tensors, gamma, lam)
    # Sums of up to 40 numbers below 12 in doubles: far less than 1e-11 apart.
    torch.testing.assert_close(
        found, by_definition(tensors, gamma, lam), rtol=0, atol=1e-11
    )
    assert all(map(torch.equal, before, tensors))


@pytest.mark.parametrize(
    "shape",
    [
        (1, 1),
        (7, 1),
        (1000, 1),
        (37, 3),
        (5, ops.WIDE),
        (2 * ops.CACHED // ops.WIDE + 3, ops.WIDE),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chunks_and_the_plain_loop_agree(shape, dtype):
    """However the steps are cut."""
    rewards, values, next_values, terminated, truncated = trajectories(
        shape, 0.02, seed=3, dtype=dtype
    )
    last, expected = torch.zeros(shape[1], dtype=torch.float64), []
    for t in reversed(range(shape[0])):
        future = torch.where(terminated[t], 0.0, 0.99 * next_values[t].double())
        last = torch.where(terminated[t] | truncated[t], 0.0, 0.99 * 0.97 * last)
        last = last + rewards[t].double() + future - values[t].double()
        expected.append(last)
    found = ops.gae(rewards, values, next_values, terminated, truncated, 0.99, 0.97)
    assert found.dtype == dtype
    # A step's rounding, of numbers below 40, decays by 0.96 a step: 25 at once.
    torch.testing.assert_close(
        found.double(),
        torch.stack(expected[::-1]),
        rtol=0,
        atol=25 * 40 * torch.finfo(dtype).eps,
    )


@pytest.mark.parametrize("cached", [1, 4, 24])
def test_blocks_of_any_size_agree(cached, monkeypatch):
    tensors = trajectories((29, 2), 0.05, seed=6)
    whole = ops.gae(*tensors, 0.99, 0.97)
    monkeypatch.setattr(ops, "CACHED", cached)
    # The same sums in another order, of numbers below 100 in doubles.
    torch.testing.assert_close(ops.gae(*tensors, 0.99, 0.97), whole, rtol=0, atol=1e-11)


def test_a_terminated_step_has_no_future_and_a_truncated_one_has():
    """One reward of 1 and then a state worth 10, in three columns."""
    rewards, values = torch.ones(1, 3), torch.zeros(1, 3)
    terminated = torch.tensor([[True, False, True]])
    truncated = torch.tensor([[False, True, True]])
    next_values = torch.full((1, 3), 10.0)
    found = ops.gae(rewards, values, next_values, terminated, truncated, 0.5, 1.0)
    assert found.tolist() == [[1.0, 6.0, 1.0]]


def test_no_advantage_crosses_an_end():
    """The next episode's rewards, however large, change nothing before the end."""
    tensors = trajectories((20, 2), 0.0, seed=1)
    tensors[3][9, 0] = tensors[4][9, 1] = True
    found = ops.gae(*tensors, 0.99, 0.95)
    tensors[0][10:] += 1e6
    changed = ops.gae(*tensors, 0.99, 0.95)
    assert torch.equal(found[:10], changed[:10])
    assert not (found[10:] == changed[10:]).any()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_no_overflow_crosses_an_end(dtype):
    """0 · ∞ is NaN, and would make NaN of every step before."""
    found = ops.gae(*overflowing(dtype), 1.0, 1.0)
    assert found[:10].T.tolist() == [BEFORE] * 2
    assert found[10].tolist() == [math.inf] * 2
    assert not found.isnan().any()


def test_values_behind_a_terminated_step_are_not_read():
    tensors = trajectories((6, 2), 0.0, seed=2)
    tensors[3][-1] = True
    found = ops.gae(*tensors, 0.9, 0.9)
    tensors[2][-1] = math.nan
    assert torch.equal(found, ops.gae(*tensors, 0.9, 0.9))


def test_no_gradient_flows_through_advantages():
    rewards, values, *others = trajectories((4, 2), 0.1, seed=4)
    assert not ops.gae(
        rewards, values.requires_grad_(), *others, 0.9, 0.9
    ).requires_grad


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gamma": 1.01}, ValueError, r"gamma is 1\.01: it must be from 0 to 1"),
        ({"gamma": math.nan}, ValueError, "gamma is nan"),
        ({"lam": -0.5}, ValueError, r"lam is -0\.5: it must be from 0 to 1"),
        ({"values": (3, 3)}, ValueError, r"values has shape \(3, 3\): .* \(3, 2\)"),
        ({"truncated": (2, 2)}, ValueError, r"truncated has shape \(2, 2\)"),
        ({"rewards": (6,)}, ValueError, r"rewards has shape \(6,\): .*columns"),
        ({"rewards": torch.int64}, TypeError, r"rewards has dtype torch\.int64"),
        ({"next_values": torch.float16}, TypeError, "next_values has dtype"),
        ({"terminated": torch.float32}, TypeError, r"must be torch\.bool"),
        ({"rewards": math.nan}, ValueError, r"rewards holds nan at \(1, 0\)"),
        ({"values": math.inf}, ValueError, r"values holds inf at \(1, 0\)"),
        ({"next_values": -math.inf}, ValueError, r"next_values holds -inf at \(1, 0\)"),
    ],
)
def test_bad_arguments_are_named(change, error, message):
    names = ("rewards", "values", "next_values", "terminated", "truncated")
    tensors = dict(
        zip(names, trajectories((3, 2), 0.0, 5, dtype=torch.float32), strict=True)
    )
    numbers = {"gamma": 0.9, "lam": 0.9}
    ((name, new),) = change.items()
    if name in numbers:
        numbers[name] = new
    elif isinstance(new, tuple):
        tensors[name] = torch.zeros(new, dtype=tensors[name].dtype)
    elif isinstance(new, torch.dtype):
        tensors[name] = tensors[name].to(new)
    else:
        tensors[name][1, 0] = new
    with pytest.raises(error, match=message):
        ops.gae(**tensors, **numbers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("advantage", [1.0, 0.0, -1.0])
def test_a_ratio_beyond_all_numbers_gives_no_nan(dtype, advantage):
    new = torch.tensor([1000.0], dtype=dtype, requires_grad=True)
    advantages = torch.full_like(new, advantage)
    loss = ops.clipped_surrogate(new, torch.zeros_like(new), advantages, 0.2)
    loss.backward()
    assert new.grad.tolist() == [0.0]
    if advantage >= 0:  # the clip holds: what is gained is that of 1 + ε
        assert loss.item() == pytest.approx(-1.2 * advantage, rel=1e-3)  # float16
    else:
        assert 100 < loss.item() < math.inf


@given(
    st.lists(st.tuples(FLOATS, FLOATS, FLOATS), min_size=1, max_size=8),
    st.sampled_from([0.0, 0.1, 0.2, 1.0]),
)
def test_the_clipped_surrogate_is_its_definition(steps, clip):
    new, old, advantages = torch.tensor(steps, dtype=torch.float64).T
    expected = [
        -reference.clipped_surrogate(math.exp(n - o), a, clip) for n, o, a in steps
    ]
    found = ops.clipped_surrogate(new, old, advantages, clip)
    # The ratio is at most e**6, and loses a few units of its last place.
    assert found.item() == pytest.approx(math.fsum(expected) / len(steps), abs=1e-10)


@pytest.mark.parametrize(
    ("ratio", "advantage"),
    [(1.0, 1.0), (1.5, 1.0), (0.5, 1.0), (1.5, -1.0), (0.5, -1.0), (1.1, -2.0)],
)
def test_autograd_finds_the_slope_of_the_definition(ratio, advantage):
    """d(loss)/d(log π) = -ρ times the slope by ρ: zero where the step went too far."""
    new = torch.tensor(ratio, dtype=torch.float64).log().requires_grad_()
    ops.clipped_surrogate(
        new, torch.zeros_like(new), torch.full_like(new, advantage), 0.2
    ).backward()
    expected = -ratio * reference.clipped_slope(ratio, advantage, 0.2)
    # One exponential of one logarithm: within a few units of the last place.
    assert new.grad.item() == pytest.approx(expected, abs=1e-14)


def test_a_value_that_moved_too_far_learns_nothing_on_its_way_to_the_return():
    old, returns = torch.zeros(4), torch.tensor([5.0, 5.0, 5.0, 0.05])
    new = torch.tensor([0.1, 1.0, -1.0, 1.0], requires_grad=True)
    ops.value_loss(new, old, returns, 0.2).backward()
    # Within the range; too far, on the way; too far, away from it; past the return.
    assert [slope == 0 for slope in new.grad.tolist()] == [False, True, False, False]
    plain = ops.value_loss(new, old, returns, math.inf)
    torch.testing.assert_close(
        plain, 0.5 * torch.nn.functional.mse_loss(new, returns), rtol=1e-6, atol=0
    )


def test_the_estimate_of_kl_has_the_mean_that_defines_it():
    """Summed over all actions, weighted by the old policy, it is KL(old ‖ new)."""
    generator = torch.Generator().manual_seed(0)
    old, new = torch.randn(2, 6, dtype=torch.float64, generator=generator).log_softmax(
        1
    )
    terms = torch.stack(
        [ops.approximate_kl(n, o) for n, o in zip(new, old, strict=True)]
    )
    assert (terms >= 0).all()
    kl = torch.nn.functional.kl_div(new, old, log_target=True, reduction="sum")
    torch.testing.assert_close((old.exp() * terms).sum(), kl)


@given(st.lists(st.lists(FLOATS, min_size=3, max_size=3), min_size=1, max_size=4))
def test_group_advantages_are_their_definition(rewards):
    found = ops.group_advantages(torch.tensor(rewards, dtype=torch.float64))
    # Rewards that nearly agree are told apart by rounding alone.
    if all(max(group) - min(group) > 1e-6 or len({*group}) == 1 for group in rewards):
        expected = [reference.group_advantages(group) for group in rewards]
        torch.testing.assert_close(
            found, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-6
        )
    assert found.isfinite().all()


def test_groups_of_huge_rewards_and_of_none_that_count():
    huge = torch.tensor([[1e30, -1e30], [0.0, 0.0], [1e-30, 0.0]])
    assert ops.group_advantages(huge).tolist() == [[1, -1], [0, 0], [1, -1]]
    with pytest.raises(TypeError, match=r"rewards has dtype torch\.int64"):
        ops.group_advantages(torch.tensor([[1, 0]]))
    with pytest.raises(ValueError, match=r"rewards holds nan at \(0, 1\)"):
        ops.group_advantages(torch.tensor([[1.0, math.nan]]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: ops.clipped_surrogate(t, t[:1], t, 0.2), "old_log_probs has shape"),
        (lambda t: ops.clipped_surrogate(t, t, t[:1], 0.2), "advantages has shape"),
        (lambda t: ops.clipped_surrogate(t, t, t, -0.1), r"clip is -0\.1"),
        (lambda t: ops.value_loss(t, t[:1], t, 0.2), "old_values has shape"),
        (lambda t: ops.value_loss(t, t, t[:1], 0.2), "returns has shape"),
        (lambda t: ops.value_loss(t, t, t, math.nan), "clip is nan"),
        (lambda t: ops.approximate_kl(t, t[:1]), "old_log_probs has shape"),
        (lambda t: ops.group_advantages(t), r"rewards has shape \(3,\)"),
        (lambda t: ops.group_advantages(t[:, None][:, :0]), r"shape \(3, 0\)"),
    ],
)
def test_losses_name_what_does_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.zeros(3))
