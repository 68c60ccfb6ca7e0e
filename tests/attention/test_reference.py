"""The definition and the tiles, against one another and on examples made by hand."""

import math
from functools import partial, reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.attention.reference import (
    Partial,
    attention,
    grouped,
    merge,
    softmax,
    tiled_attention,
)
from tests.attention.matrices import SIZES, TOLERANCE, matrix, one_head


def about(row):
    return pytest.approx(row, rel=TOLERANCE, abs=TOLERANCE)


@given(one_head(), st.booleans(), st.integers(1, 8))
def test_tiles_of_any_size_give_the_definition(arguments, is_causal, tile):
    expected = attention(*arguments, is_causal=is_causal)
    found = tiled_attention(*arguments, tile=tile, is_causal=is_causal)
    for row, expected_row in zip(found, expected, strict=True):
        assert row == about(expected_row)


@given(st.data(), st.integers(2, 9), SIZES)
def test_parts_may_come_in_any_order_and_any_grouping(data, num_keys, width):
    scores = matrix(data.draw, 1, num_keys, size=50.0)[0]
    values = matrix(data.draw, num_keys, width)
    whole = Partial.of(scores, values).result()
    parts = [
        Partial.of([score], [value])
        for score, value in zip(scores, values, strict=True)
    ]
    parts = data.draw(st.permutations(parts))
    while len(parts) > 1:  # merge two neighbours, wherever they stand
        at = data.draw(st.integers(0, len(parts) - 2))
        parts[at : at + 2] = [merge(*parts[at : at + 2])]
    assert parts[0].result() == about(whole)


def test_scores_that_would_overflow():
    with pytest.raises(OverflowError):
        math.exp(1000)
    scores, values = [1000.0, 999.0, -1000.0], [[1.0], [2.0], [300.0]]
    share = 1 / (1 + math.exp(-1))
    assert softmax(scores) == pytest.approx([share, 1 - share, 0.0])
    parts = [Partial.of([s], [v]) for s, v in zip(scores, values, strict=True)]
    for order in (parts, parts[::-1]):
        assert reduce(merge, order).result() == pytest.approx([2 - share])


def test_scores_of_minus_infinity():
    """Their keys weigh nothing, wherever they stand; without others nothing is left."""
    values = [[1.0], [2.0], [4.0]]
    for hidden, mean in (([0], 3.0), ([2], 1.5), ([0, 1], 4.0), ([0, 2], 2.0)):
        keys = [[-math.inf] if j in hidden else [1.0] for j in range(3)]
        assert attention([[1.0]], keys, values) == [[mean]]
        for tile in (1, 2, 3):
            assert tiled_attention([[1.0]], keys, values, tile=tile) == [[mean]]
    empty = Partial.of([-math.inf], [[1.0, 2.0]])
    assert merge(empty, empty) == empty == Partial(-math.inf, 0.0, [0.0, 0.0])
    for form in (attention, partial(tiled_attention, tile=1)):
        found = form([[1.0]], [[-math.inf]] * 2, [[1.0]] * 2)
        assert math.isnan(found[0][0])


def test_equal_scores_give_the_plain_mean():
    values = [[1.0, 10.0], [2.0, 20.0], [6.0, 60.0]]
    assert attention([[0.0]], [[1.0], [5.0], [-3.0]], values) == [[3.0, 30.0]]


def test_causal_counts_from_the_first_key():
    keys, values = [[0.0]] * 3, [[3.0], [5.0], [10.0]]
    assert attention([[1.0]] * 4, keys, values, is_causal=True) == [
        [3.0],
        [4.0],
        [6.0],
        [6.0],  # more queries than keys: the last see all
    ]


def test_no_queries():
    assert attention([], [[1.0]], [[2.0]]) == []
    assert tiled_attention([], [[1.0]], [[2.0]], tile=3) == []
    assert grouped(attention, [], [], []) == []


ONE = [[1.0, 2.0]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ONE, [], []), "there are no keys"),
        ((ONE, [[1.0]], [[1.0]]), "queries have width 2 and keys 1"),
        ((ONE, ONE * 2, ONE), "there are 2 keys and 1 values"),
        ((ONE, [[1.0, 2.0], [3.0]], ONE * 2), r"the keys have the widths \[1, 2\]"),
        (([[]], [[]], ONE), "the queries have no components"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        attention(*arguments)
    with pytest.raises(ValueError, match=message):
        tiled_attention(*arguments, tile=2)


def test_bad_tiles_and_heads():
    with pytest.raises(ValueError, match="tile is 0: it must be 1 or more keys"):
        tiled_attention(ONE, ONE, ONE, tile=0)
    with pytest.raises(TypeError, match=r"tile is 2\.5: it must be an integer"):
        tiled_attention(ONE, ONE, ONE, tile=2.5)
    with pytest.raises(ValueError, match="scale is nan: it must be finite"):
        attention(ONE, ONE, ONE, scale=math.nan)
    with pytest.raises(TypeError, match="scale is 'x': it must be a number"):
        attention(ONE, ONE, ONE, scale="x")
    with pytest.raises(ValueError, match="there are 3 heads of queries and 2 of keys"):
        grouped(attention, [ONE] * 3, [ONE] * 2, [ONE] * 2)
    with pytest.raises(ValueError, match="there are 1 heads of queries and 0 of keys"):
        grouped(attention, [ONE], [], [])
    with pytest.raises(ValueError, match="2 heads of keys and 1 of values"):
        grouped(attention, [ONE] * 2, [ONE] * 2, [ONE])
