"""The definition against PyTorch, and heads that share keys."""

from functools import partial
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.attention.reference import attention, grouped, tiled_attention
from tests.attention.matrices import TOLERANCE, one_head


def torch_attention(queries, keys, values, **options):
    tensors = [
        torch.tensor(x, dtype=torch.float64)[None, None]
        for x in (queries, keys, values)
    ]
    function = torch.nn.functional.scaled_dot_product_attention
    return function(*tensors, **options)[0, 0]


def assert_close(found, expected):
    found = torch.tensor(found, dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


@given(one_head(), st.booleans(), st.sampled_from([None, 0.5, 2.0]))
def test_the_definition_is_torch(arguments, is_causal, scale):
    options = {"is_causal": is_causal, "scale": scale}
    expected = torch_attention(*arguments, **options)
    assert_close(attention(*arguments, **options), expected)


@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_heads_that_share_keys(key_heads):
    random = Random(1)
    heads, shapes = 4, [(3, 2), (5, 2), (5, 3)]

    def head(rows, columns):
        return [[random.gauss(0, 1) for _ in range(columns)] for _ in range(rows)]

    queries = [head(*shapes[0]) for _ in range(heads)]
    keys, values = ([head(*s) for _ in range(key_heads)] for s in shapes[1:])
    tensors = (
        torch.tensor(x, dtype=torch.float64)[None] for x in (queries, keys, values)
    )
    expected = torch.nn.functional.scaled_dot_product_attention(
        *tensors, enable_gqa=True
    )[0]
    assert_close(grouped(attention, queries, keys, values), expected)
    tiled = partial(tiled_attention, tile=2)
    assert_close(grouped(tiled, queries, keys, values), expected)
