"""The count of bytes, against tensors of known size and torch's profiler."""

import json

import torch
import torch.nn.functional as F
from torch.profiler import ProfilerActivity, profile

from tensorfleet.loss import costs
from tensorfleet.loss.allocations import peak_bytes

KIB = torch.float32.itemsize * 256  # bytes of 256 numbers


def test_known_sizes():
    before = torch.ones(256)

    def run():
        first = torch.ones(256)
        second = first + before  # two are alive
        del first
        third = second.view(16, 16)[0]  # a view of what is there
        return third.add_(1)

    assert peak_bytes(run, "cpu") == 2 * KIB
    assert peak_bytes(lambda: before.add_(1), "cpu") == 0
    assert peak_bytes(lambda: [torch.ones(256) for _ in range(5)], "cpu") == 5 * KIB


def test_eager_cross_entropy_holds_three_times_the_logits_and_torch_counts_the_same(
    tmp_path,
):
    tokens, features, classes = 256, 8, 4096
    generator = torch.Generator().manual_seed(1)
    input = torch.randn(tokens, features, generator=generator, requires_grad=True)
    weight = torch.randn(classes, features, generator=generator, requires_grad=True)
    target = torch.randint(classes, (tokens,), generator=generator)

    def step():
        F.cross_entropy(F.linear(input, weight), target).backward()

    counted = peak_bytes(step, "cpu")
    input.grad = weight.grad = None
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        step()
    profiler.export_chrome_trace(str(tmp_path / "trace.json"))
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    alive, peak = 0, 0
    for event in sorted(
        (e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"]
    ):
        alive += event["args"]["Bytes"]
        peak = max(peak, alive)
    assert counted == peak
    # A number or two more than three tensors: the loss.
    stored = costs.stored_peak_bytes(tokens, classes, 4)
    assert stored <= counted < stored + 100
