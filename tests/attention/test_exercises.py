"""The judges of the exercises, against brute force and automatic differentiation."""

import pytest
import torch

from tensorfleet.attention.costs import kv_cache_bytes
from tensorfleet.attention.models import LLAMA_70B
from tensorfleet.exercises import attention


def test_the_cache_is_that_of_the_costs():
    sizes = LLAMA_70B.layers, LLAMA_70B.kv_heads, LLAMA_70B.head_dim
    assert attention.kv_bytes(*sizes, 77, 2) == kv_cache_bytes(LLAMA_70B, 77)


def test_tokens_are_counted_one_by_one():
    for tokens in range(1, 6):
        each = [6 * 3**2 + 4 * 3 * seen for seen in range(1, tokens + 1)]
        assert attention.decode_operations(tokens, 3) == sum(each)


@pytest.mark.parametrize("queries", [1, 5, 8])
@pytest.mark.parametrize("keys", [1, 4, 9])
@pytest.mark.parametrize("tiles", [(1, 1), (2, 3), (3, 2), (16, 4)])
def test_tiles_are_those_with_a_pair_that_is_seen(queries, keys, tiles):
    rows, columns = tiles
    seen = {
        (query // rows, key // columns)
        for query in range(queries)
        for key in range(keys)
        if key <= query
    }
    assert attention.causal_tiles(queries, keys, rows, columns) == len(seen)


def test_the_gradient_is_that_of_autograd():
    for scores, logsumexp, values, gradient in attention.score_gradient_cases():
        s = torch.tensor(scores, dtype=torch.double, requires_grad=True)
        v, g = (torch.tensor(x, dtype=torch.double) for x in (values, gradient))
        assert logsumexp == pytest.approx(s.logsumexp(0).item())
        (s.softmax(0) @ v @ g).backward()
        ours = torch.tensor(
            attention.score_gradient(scores, logsumexp, values, gradient),
            dtype=torch.double,
        )
        # A few dozen roundings of doubles, where logsumexp is up to 1,000:
        # the latter lose three digits of sixteen.
        torch.testing.assert_close(ours, s.grad, rtol=1e-10, atol=1e-10)
