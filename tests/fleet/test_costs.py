"""Step costs, against the counts of the attention chapter and published figures."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.attention.costs import LLAMA_8B, decode, prefill
from tensorfleet.fleet.costs import StepCosts, lora_values
from tensorfleet.hardware import H100, H200

COSTS = StepCosts.from_model(efficiency=1.0, overhead_ns=0)


def test_a_decode_step_takes_the_time_of_its_bytes():
    """Up to rounding: coefficients are whole nanoseconds, kv_token_ns is 39 of 39.1."""
    contexts = [1024] * 32
    expected = decode(LLAMA_8B, contexts).bytes / H100.memory_bandwidth * 1e9
    assert COSTS.step_ns(contexts) == pytest.approx(expected, rel=0.005)


def test_a_long_prefill_takes_the_time_of_its_operations():
    """All but the vocabulary's scores, which are counted for every token here."""
    scores = 2 * LLAMA_8B.head_weights * 4095
    operations = prefill(LLAMA_8B, 4096).operations + scores
    expected = operations / H100.dense_bf16 * 1e9
    assert COSTS.step_ns(chunks=[(4096, 0)]) == pytest.approx(expected, rel=0.005)


def test_a_better_gpu_reads_faster_and_computes_the_same():
    better = StepCosts.from_model(gpu=H200, efficiency=1.0, overhead_ns=0)
    assert better.weights_ns < COSTS.weights_ns
    assert better.token_ps == COSTS.token_ps


def test_adapter_sizes():
    """Rank 64 is "about 100 MiB" on the four attention matrices, 320 MiB on all."""
    assert COSTS.adapter_bytes(64) == 104 * 2**20
    every = StepCosts.from_model(targets=LLAMA_8B.matrices)
    assert every.adapter_bytes(64) == 320 * 2**20
    by_hand = 2 * 32 * sum(i + o for i, o in LLAMA_8B.matrices.values())
    assert every.rank_bytes == by_hand


def test_lora_is_the_larger_of_reading_and_computing():
    costs = replace(COSTS, rank_ns=10, rank_token_ps=1000)
    plain = costs.step_ns([1])
    assert costs.step_ns([1], distinct_ranks=8, token_ranks=8) == plain + 80
    assert costs.step_ns([1], distinct_ranks=8, token_ranks=800) == plain + 800


def test_measured_models_are_w_plus_h_n():
    costs = StepCosts.measured(0.004, 0.00032)
    assert costs.step_ns() == 4_000_000
    assert costs.step_ns([100, 900], [(50, 0)]) == 4_000_000 + 3 * 320_000
    # 4 / 0.32 = 12.5 sequences double it
    assert costs.work_costs().doubling_batch == 13


@given(
    st.sampled_from([COSTS, StepCosts.measured(0.008, 0.00065)]),
    st.integers(1, 4000),
)
def test_the_doubling_batch_is_the_first_that_doubles(costs, context):
    batch = costs.work_costs(context=context).doubling_batch
    none = costs.step_ns()
    assert costs.step_ns([context] * batch) >= 2 * none
    assert costs.step_ns([context] * (batch - 1)) < 2 * none


def test_work_costs_are_marginal():
    work = COSTS.work_costs(pcie_bytes_per_s=10**9, context=1000)
    one_more = COSTS.step_ns([1000] * 11) - COSTS.step_ns([1000] * 10)
    assert work.decode_ns_per_token == one_more
    chunk = COSTS.step_ns(chunks=[(2048, 0)])
    assert work.prefill_ns_per_token == chunk // 2048
    assert work.load_ns == COSTS.adapter_bytes(16)  # at a byte a nanosecond


@given(st.integers(1, 5000))
def test_slowing_scales_each_time_and_no_size(per_mille):
    slow = COSTS.slowed(per_mille)
    assert slow.kv_token_ns == max(COSTS.kv_token_ns * per_mille // 1000, 1)
    assert slow.adapter_bytes(8) == COSTS.adapter_bytes(8)
    # Each of six times is rounded down by less than 1 ns, 1 ps or 1 ns a token.
    scaled = COSTS.step_ns([100] * 10) * per_mille / 1000
    assert slow.step_ns([100] * 10) == pytest.approx(scaled, abs=1 + 1000 + 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: StepCosts.from_model(efficiency=0), "efficiency is 0"),
        (lambda: StepCosts.from_model(efficiency=1.1), "efficiency is 1.1"),
        (lambda: StepCosts.from_model(targets=["q", "z"]), "no matrix 'z'"),
        (lambda: StepCosts.measured(0, 1), "W is 0"),
        (lambda: StepCosts.measured(1, -1), "H is -1"),
        (lambda: COSTS.slowed(0), "slowdown is 0"),
        (lambda: replace(COSTS, pair_ps=-1), "pair_ps is -1"),
        (lambda: replace(COSTS, pair_ps=0.5), "pair_ps is 0.5"),
        (lambda: replace(COSTS, rank_bytes=0), "rank_bytes is 0"),
        (lambda: replace(COSTS, weights_ns=0), "a step must take time"),
        (lambda: lora_values(LLAMA_8B, ["up", "x"]), "no matrix 'x'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
