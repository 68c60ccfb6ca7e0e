"""The search for the highest rate agrees with runs to the end, on both sides."""

from dataclasses import replace

import pytest

from tensorfleet.fleet import SCENARIOS, simulate
from tensorfleet.fleet.capacity import highest_rate


def share_at(scenario, policy, rate):
    return simulate(
        scenario, policy, rate=rate * scenario.instances
    ).metrics.goodput_share


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["tensorfleet", "round_robin"])
def test_the_rate_found_is_sustained_and_the_one_above_is_not(policy):
    """The search may stop a run early; its verdict must be that of the whole run."""
    scenario = SCENARIOS["steady"].scaled(instances=3, requests=1500)
    found = highest_rate(scenario, policy, tolerance=0.05)
    assert found.rate < found.above <= found.rate * 1.05
    assert share_at(scenario, policy, found.rate) >= 0.99
    assert share_at(scenario, policy, found.above) < 0.99


def test_what_no_rate_sustains_is_zero():
    scenario = SCENARIOS["steady"].scaled(instances=2, requests=200)
    impossible = replace(scenario, slo=replace(scenario.slo, ttft_ns=1))
    assert highest_rate(impossible, "tensorfleet").rate == 0


@pytest.mark.parametrize("wrong", [{"share": 0}, {"share": 1.1}, {"tolerance": 0}])
def test_impossible_arguments_are_named(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        highest_rate(SCENARIOS["steady"], "tensorfleet", **wrong)
