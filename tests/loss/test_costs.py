"""The counts of operations and bytes, against counting by hand."""

import pytest

from tensorfleet.hardware import H200
from tensorfleet.loss import costs


def test_operations_by_hand():
    # 3 tokens, 2 features, 5 classes: 15 logits of 2 products and 2 additions each
    assert costs.linear_operations(3, 2, 5) == 15 * 4
    assert costs.step_operations(3, 2, 5) == 3 * 60
    assert costs.step_operations(3, 2, 5, recompute=True) == 4 * 60


def test_bytes_by_hand():
    assert costs.logits_bytes(2 * 3, 5, 2) == 60
    assert costs.stored_peak_bytes(6, 5, 2) == 180
    assert costs.gradient_bytes(6, 4, 5, 2) == 6 * 4 * 2 + 5 * 4 * 2
    assert costs.chunk_bytes(3, 5, 2, kernel=True) == 30
    assert costs.chunk_bytes(3, 5, 2, kernel=False) == 30 + 60
    assert costs.chunk_bytes(3, 5, 4, kernel=False) == 60
    assert costs.accumulation_bytes(8, 4, 5, 2) == 8 * (40 + 40)


@pytest.mark.parametrize(
    ("tokens", "chunk"), [(0, 512), (512, 512), (8192, 1024), (8193, 1025)]
)
def test_chunks_are_an_eighth_or_512_tokens(tokens, chunk):
    assert costs.chunk_tokens_of(tokens) == chunk


def test_the_floor_is_the_slower_of_arithmetic_and_memory():
    assert costs.seconds_at_least(int(H200.dense_bf16), 0, H200) == pytest.approx(1)
    assert costs.seconds_at_least(0, int(H200.memory_bandwidth), H200) == 1
    both = costs.seconds_at_least(int(H200.dense_bf16), int(1e14), H200)
    assert both == pytest.approx(1e14 / H200.memory_bandwidth)


def test_the_goal_can_be_met_by_count():
    """At the goal's size: a tenth of the memory beyond inputs and gradients."""
    tokens, features, classes = 8192, 4096, 128_256
    gradients = costs.gradient_bytes(tokens, features, classes, 2)
    stored = costs.stored_peak_bytes(tokens, classes, 2) - gradients
    chunk = costs.chunk_tokens_of(tokens)
    assert costs.chunk_bytes(chunk, classes, 2, kernel=True) < stored / 10
    # A float32 sum of the weight's gradient alone would be too much.
    assert 4 * features * classes > stored / 10
