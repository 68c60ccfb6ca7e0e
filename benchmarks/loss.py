"""In chunks a linear layer's loss takes a tenth of the memory of two steps in float32,
in bfloat16 without the kernel a quarter, in about their time.

    python benchmarks/loss.py [--json] [--record] [--quick]

On a CPU "ours" is tensorfleet.loss.ops, on a GPU tensorfleet.loss.kernel, both with
check=False. "two steps" is torch's linear and then its cross_entropy, once as it is and
once through torch.compile; "torch, chunks" is torch's own chunked loss, where this
torch has one. Each does a forward and a backward pass. "products" are the three matrix
products alone, the floor, and four thirds of them that of a loss for each token, which
needs the logits twice. Memory is the peak beyond inputs and gradients: on a CPU what
torch's profiler sees allocated, on a GPU what the allocator counts. Goals on an H200 at
8,192 tokens of 4,096 features and 128,256 classes in bfloat16: at most a tenth of the
memory of two steps, and at most 1.1 times their time.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile
from tqdm import tqdm

from harness import device
from records import environment, results_folder
from report import Quantities, main
from tensorfleet.loss import costs, ops
from tensorfleet.loss.allocations import peak_bytes
from turns import Run, seconds, times_in_turns

if device() == "cuda":
    from tensorfleet.loss import kernel as ours
else:
    ours = ops  # type: ignore[misc]  # the same functions

OURS, EAGER, COMPILED, CHUNKED, PRODUCTS = (
    "ours",
    "two steps",
    "two steps, compiled",
    "torch, chunks",
    "products",
)


@dataclass(frozen=True)
class Row:
    """One case: milliseconds, their spread, and peak bytes of each contestant.

    The spread is half the distance between the quartiles, over the median. Bytes are
    those beyond inputs and gradients.
    """

    name: str
    milliseconds: dict[str, float]
    spreads: dict[str, float]
    extra_bytes: dict[str, int]
    predicted_bytes: int
    stored_bytes: int


@dataclass(frozen=True)
class Problem:
    """A layer with its loss: sizes, dtype and reduction."""

    name: str
    tokens: int
    features: int
    classes: int
    dtype: torch.dtype
    reduction: str = "mean"


def problems(quick: bool) -> Iterator[Problem]:
    if quick:
        sizes = 1024, 16, 512
    elif device() == "cuda":
        sizes = 8192, 4096, 128_256
    else:
        sizes = 2048, 256, 16_384
    if device() == "cpu":
        yield Problem("float32, mean", *sizes, torch.float32)
    yield Problem("bfloat16, mean", *sizes, torch.bfloat16)
    none = torch.float32 if device() == "cpu" else torch.bfloat16
    yield Problem("a loss for each token", *sizes, none, "none")


def contestants(problem: Problem, quick: bool) -> tuple[dict[str, Run], list[Tensor]]:
    """What is run, by name, and the tensors whose gradients it leaves behind."""
    torch.manual_seed(0)
    shapes = (problem.tokens, problem.classes)
    x, w = (
        torch.randn(size, problem.features, dtype=problem.dtype, device=device())
        .div_(problem.features**0.25)
        .requires_grad_()
        for size in shapes
    )
    target = torch.randint(problem.classes, shapes[:1], device=device())
    reduction = problem.reduction

    def two_steps(x: Tensor, w: Tensor) -> Tensor:
        return F.cross_entropy(F.linear(x, w), target, reduction=reduction)

    def step(loss: Callable[[Tensor, Tensor], Tensor]) -> Run:
        def run() -> None:
            x.grad = w.grad = None
            loss(x, w).mean().backward()  # type: ignore[no-untyped-call]

        return run

    def products() -> None:
        logits = x.detach() @ w.detach().T
        _ = logits @ w.detach(), logits.T @ x.detach()

    found: dict[str, Run] = {
        OURS: step(
            lambda x, w: ours.linear_cross_entropy(
                x, w, target, reduction=reduction, check=False
            )
        ),
        EAGER: step(two_steps),
    }
    if not quick:  # it takes longer to compile than to run
        found[COMPILED] = step(torch.compile(two_steps))
    if hasattr(F, "linear_cross_entropy") and problem.reduction == "mean":
        options = torch.nn.LinearCrossEntropyOptions()
        found[CHUNKED] = step(
            lambda x, w: F.linear_cross_entropy(x, w, target, options=options)
        )
    return found | {PRODUCTS: products}, [x, w]


def run_problem(problem: Problem, quick: bool, repeats: int) -> Row:
    runs, leaves = contestants(problem, quick)
    times = times_in_turns(runs.values(), repeats, _seconds)
    size = problem.dtype.itemsize
    shape = problem.tokens, problem.features, problem.classes
    gradients = costs.gradient_bytes(*shape, size)
    extra = {}
    for name, run in runs.items():
        for leaf in leaves:
            leaf.grad = None
        extra[name] = _peak(run) - (gradients if name != PRODUCTS else 0)
    chunk = costs.chunk_tokens_of(problem.tokens)
    return Row(
        problem.name,
        {n: median(t) * 1e3 for n, t in zip(runs, times, strict=True)},
        {n: _spread(t) for n, t in zip(runs, times, strict=True)},
        extra,
        costs.chunk_bytes(chunk, problem.classes, size, kernel=device() == "cuda"),
        costs.stored_peak_bytes(problem.tokens, problem.classes, size) - gradients,
    )


def measure(quick: bool, repeats: int) -> tuple[list[Row], Quantities]:
    turns = tqdm(list(problems(quick)), unit="case", disable=None)
    rows = [run_problem(problem, quick, repeats) for problem in turns]
    return rows, summary({row.name: row for row in rows}, quick)


def summary(rows: dict[str, Row], quick: bool) -> Quantities:
    def digits(value: float) -> float:
        return float(f"{value:.3g}")

    first = next(problems(quick))
    found: Quantities = {
        "tokens": (first.tokens, "tokens"),
        "features": (first.features, "features"),
        "classes": (first.classes, "classes"),
    }
    named = {"mean": first.name, "bf16": "bfloat16, mean"}
    for name, case in (named | {"none": "a loss for each token"}).items():
        row = rows[case]
        times, extra = row.milliseconds, row.extra_bytes
        products = 4 / 3 if name == "none" else 1  # the logits are made twice
        found |= {
            f"{name}_time": (digits(times[OURS]), "ms"),
            f"{name}_floor": (digits(times[PRODUCTS] * products), "ms"),
            f"{name}_eager_time": (digits(times[EAGER]), "ms"),
            f"{name}_time_ratio": (digits(times[OURS] / times[EAGER]), "times"),
            f"{name}_memory": (digits(extra[OURS] / 1e6), "MB"),
            f"{name}_memory_predicted": (digits(row.predicted_bytes / 1e6), "MB"),
            f"{name}_eager_memory": (digits(extra[EAGER] / 1e6), "MB"),
            f"{name}_eager_predicted": (digits(row.stored_bytes / 1e6), "MB"),
            f"{name}_memory_saving": (digits(extra[EAGER] / extra[OURS]), "times"),
        }
        for other, key in ((COMPILED, "compiled"), (CHUNKED, "chunks")):
            if other in times:
                ratio = digits(times[OURS] / times[other])
                saving = digits(extra[other] / extra[OURS])
                found[f"{name}_{key}_time_ratio"] = ratio, "times"
                found[f"{name}_{key}_memory_saving"] = saving, "times"
    return found


def table(result: dict[str, Any], rows: list[Row]) -> list[str]:
    width = max(len(row.name) for row in rows)
    lines = [
        f"{result['device']}, torch {result['versions']['torch']}; "
        f"medians of {result['repeats']}",
        "",
        f"{'case':{width}}  {'contestant':>20} {'ms':>9} {'spread':>7} {'of eager':>9}"
        f" {'MB extra':>9} {'of eager':>9}",
    ]
    for row in rows:
        eager_time, eager_bytes = row.milliseconds[EAGER], row.extra_bytes[EAGER]
        lines += [
            f"{row.name:{width}}  {name:>20} {time:9.1f} {row.spreads[name]:7.1%}"
            f" {time / eager_time:8.2f}x {row.extra_bytes[name] / 1e6:9.2f}"
            f" {row.extra_bytes[name] / eager_bytes:8.2f}x"
            for name, time in row.milliseconds.items()
        ]
    return lines


def _seconds(run: Run) -> float:
    """Seconds of one run, with what it launched."""

    def finished() -> None:
        run()
        if device() == "cuda":
            torch.cuda.synchronize()

    return seconds(finished)


def _peak(run: Run) -> int:
    """Bytes alive at the peak beyond those before, inside of operations too."""
    if device() == "cuda":
        return peak_bytes(run, "cuda")
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        run()
    with TemporaryDirectory() as folder:
        file = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(file))
        events = json.loads(file.read_text())["traceEvents"]
    changes = [event for event in events if event["name"] == "[memory]"]
    alive = peak = 0
    for event in sorted(changes, key=lambda event: float(event["ts"])):
        alive += event["args"]["Bytes"]
        peak = max(peak, alive)
    return peak


def _spread(times: list[float]) -> float:
    low, middle, high = quantiles(times, n=4)
    return (high - low) / 2 / middle


if __name__ == "__main__":
    assert __doc__
    claim = " ".join(__doc__.partition("\n\n")[0].split())
    main("loss", claim, measure, table, environment, results_folder)
