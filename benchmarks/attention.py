"""Attention in one kernel: linear memory, at 60% of FlashAttention's speed or more.

    python benchmarks/attention.py [--json] [--record] [--quick]

On a GPU "tiled" is tensorfleet.attention.kernel in bf16; on a CPU it is
tensorfleet.attention.ops.tiled_attention in float32, separate operators and no kernel,
so that only the first half of the claim is tried there. The peers are ops.attention,
which writes all scores ("naive"), and torch's scaled_dot_product_attention ("sdpa"), on
a GPU its FlashAttention. In turns with them run a product of large matrices and a
plain copy, the ceilings of the roofline: the floor of a case is the longer of its
operations at the product's best rate and its bytes at the copy's best, over all cases.
What was measured while the machine did other work is not recorded. Goals on an H200 at
8,192 tokens, width 128, bf16: memory linear in the length, and at least 60% of sdpa's
speed.

Memory is the most that a run holds beyond its inputs: on a GPU what the allocator says,
on a CPU the results of operators, which leaves out what sdpa allocates inside.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import log2
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from tqdm import tqdm

import report
from harness import Case, copy_case, device, run_case
from records import device_name, environment, results_folder
from tensorfleet.attention import costs, ops
from tensorfleet.attention.meter import PeakMemory
from tensorfleet.hardware import A100, H100, H200
from turns import Run

if device() == "cuda":
    from tensorfleet.attention.kernel import attention as ours
else:
    ours = ops.tiled_attention

MATMUL = "product of matrices"
MOST_SPREAD = 0.3  # of a case's time, and between the product's rates: more is noise


@dataclass(frozen=True)
class Setting:
    """What is computed: attention of so many queries over so many keys."""

    name: str
    queries: int
    keys: int
    batch: int = 1
    heads: int = 8
    kv_heads: int = 8
    width: int = 64
    is_causal: bool = False

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if device() == "cuda" else torch.float32

    @property
    def cost(self) -> costs.Cost:
        return costs.attention_product(
            self.queries,
            self.keys,
            self.width,
            heads=self.heads,
            kv_heads=self.kv_heads,
            batch=self.batch,
            causal=self.is_causal,
            value_bytes=self.dtype.itemsize,
        )

    def contestants(self) -> dict[str, Run]:
        generator = torch.Generator(device()).manual_seed(1)

        def random(heads: int, positions: int) -> Tensor:
            shape = (self.batch, heads, positions, self.width)
            numbers = torch.randn(shape, generator=generator, device=device())
            return numbers.to(self.dtype)

        tensors = (
            random(self.heads, self.queries),
            random(self.kv_heads, self.keys),
            random(self.kv_heads, self.keys),
        )
        options: dict[str, Any] = {
            "is_causal": self.is_causal,
            "enable_gqa": self.heads != self.kv_heads,
        }
        functions: dict[str, Callable[..., Tensor]] = {
            "tiled": ours,
            "naive": ops.attention,
            "sdpa": flash if device() == "cuda" else scaled_dot_product_attention,
        }
        return {
            name: partial(function, *tensors, **options)
            for name, function in functions.items()
        }


def flash(query: Tensor, key: Tensor, value: Tensor, **options: Any) -> Tensor:
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        return scaled_dot_product_attention(query, key, value, **options)


@dataclass(frozen=True)
class Row:
    """The outcome of a setting: milliseconds and megabytes of each contestant.

    `intensity` is in operations a byte, `floor_ms` the longer of computing at the best
    rate of a product of matrices and reading at the best of a copy, over all settings.
    `share_of_peak` compares the operations with what the maker of a known GPU states.
    """

    name: str
    times_ms: dict[str, float]
    spread: float
    memory_mb: dict[str, float]
    intensity: float
    floor_ms: float
    matmul_gigaflops: float
    copy_gigabytes_per_second: float
    share_of_sdpa: float
    share_of_floor: float
    share_of_peak: float | None


@dataclass(frozen=True)
class Measured:
    """What was timed in a setting, in turns with the two ceilings."""

    setting: Setting
    times_ms: dict[str, float]
    spread: float
    memory_mb: dict[str, float]
    matmul_gigaflops: float
    copy_gigabytes_per_second: float

    def row(self, matmul_rate: float, copy_rate: float) -> Row:
        """Compared with the best rates of a product and a copy, in GFLOP/s and GB/s."""
        cost, ours = self.setting.cost, self.times_ms["tiled"]
        floor = max(cost.operations / matmul_rate, cost.bytes / copy_rate) / 1e6
        known = [g for g in (A100, H100, H200) if device_name().startswith(g.name)]
        return Row(
            name=self.setting.name,
            times_ms=self.times_ms,
            spread=self.spread,
            memory_mb=self.memory_mb,
            intensity=cost.intensity,
            floor_ms=floor,
            matmul_gigaflops=self.matmul_gigaflops,
            copy_gigabytes_per_second=self.copy_gigabytes_per_second,
            share_of_sdpa=self.times_ms["sdpa"] / ours,
            share_of_floor=floor / ours,
            share_of_peak=(
                costs.floor_seconds(cost, known[0]) * 1e3 / ours if known else None
            ),
        )


def settings(quick: bool) -> list[Setting]:
    gpu = device() == "cuda"
    length = 128 if quick else 8192 if gpu else 2048
    full = Setting("full", length, length)
    if gpu:
        full = replace(full, heads=16, kv_heads=16, width=128)
    causal = replace(full, name="causal", is_causal=True)
    shared = full.heads // 4
    found = [
        full,
        causal,
        replace(causal, name="gqa", kv_heads=shared),
        replace(
            full,
            name="decode",
            queries=1,
            keys=4 * length,
            batch=8 if gpu else 2,
            kv_heads=shared,
        ),
    ]
    found.extend(
        replace(full, name=length_name(tokens), queries=tokens, keys=tokens)
        for tokens in (length // 4, length // 2, 2 * length)
    )
    if gpu:
        narrow = (replace(x, name=f"{x.name}, width 64", width=64) for x in found[:2])
        found.extend(narrow)
    return found


def length_name(tokens: int) -> str:
    return f"full, {tokens} tokens"


def measure_setting(setting: Setting, copy: Case, size: int, repeats: int) -> Measured:
    """Time a setting, in turns with a product of matrices and a copy."""
    runs = setting.contestants()
    memory = {name: peak_megabytes(run) for name, run in runs.items()}
    one, other = (
        torch.ones(size, size, dtype=setting.dtype, device=device()) for _ in range(2)
    )
    case = Case(
        setting.name,
        runs["tiled"],
        {
            **{name: run for name, run in runs.items() if name != "tiled"},
            MATMUL: lambda: one @ other,
        },
        setting.cost.bytes,
    )
    row = run_case(case, copy, repeats)
    matmul_rate = costs.matmul(size, size, size).operations / row.peers_ms[MATMUL] / 1e6
    times = {"tiled": row.ours_ms} | {
        name: time for name, time in row.peers_ms.items() if name != MATMUL
    }
    return Measured(
        setting=setting,
        times_ms=times,
        spread=row.spread,
        memory_mb=memory,
        matmul_gigaflops=matmul_rate,
        copy_gigabytes_per_second=row.copy_gigabytes_per_second,
    )


def peak_megabytes(run: Run) -> float:
    """The most memory that a run holds at once, beyond what was there before."""
    if device() == "cpu":
        with PeakMemory() as memory:
            run()
        return float(memory.peak) / 1e6
    run()  # what is compiled and kept at the first call is not the run's
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return float(torch.cuda.max_memory_allocated() - before) / 1e6


def measure(quick: bool, repeats: int) -> tuple[list[Row], report.Quantities]:
    gpu = device() == "cuda"
    copy = copy_case(2**20 if quick else 2**32 if gpu else 2**28)
    size = 256 if quick else 8192 if gpu else 2048
    turns = tqdm(settings(quick), unit="case", disable=None)
    found = [measure_setting(setting, copy, size, repeats) for setting in turns]
    matmul_rate, copy_rate = ceilings(found)
    rows = [measured.row(matmul_rate, copy_rate) for measured in found]
    return rows, summary({row.name: row for row in rows}, settings(quick))


def ceilings(rows: Sequence[Measured | Row]) -> tuple[float, float]:
    """The best rate of the product of matrices and the best of the copy."""
    return (
        max(row.matmul_gigaflops for row in rows),
        max(row.copy_gigabytes_per_second for row in rows),
    )


def disturbed(rows: list[Row]) -> str | None:
    """Why these times are no record, if the machine did other work meanwhile."""
    floors = {row.name: row.floor_ms for row in rows}
    if floors["causal"] > floors["full"]:
        return "half of the operations have a floor above that of all of them"
    for row in rows:
        if row.spread > MOST_SPREAD:
            return (
                f"the times of {row.name!r} spread by {row.spread:.0%}, "
                f"more than {MOST_SPREAD:.0%}"
            )
    rates = [row.matmul_gigaflops for row in rows]
    if min(rates) < (1 - MOST_SPREAD) * max(rates):
        return (
            f"the same product ran at {min(rates):.0f} and at {max(rates):.0f} "
            f"GFLOP/s, more than {MOST_SPREAD:.0%} apart"
        )
    return None


def summary(rows: dict[str, Row], all_settings: list[Setting]) -> report.Quantities:
    def digits(value: float) -> float:
        return float(f"{value:.3g}")

    found: report.Quantities = {}
    for name in ("full", "causal", "gqa", "decode"):
        row = rows[name]
        found[f"{name}_floor"] = digits(row.floor_ms), "ms"
        for contestant, time in row.times_ms.items():
            found[f"{name}_{contestant}_time"] = digits(time), "ms"
        for contestant, memory in row.memory_mb.items():
            found[f"{name}_{contestant}_memory"] = digits(memory), "MB"
        found[f"{name}_share_of_sdpa"] = digits(100 * row.share_of_sdpa), "%"
        found[f"{name}_share_of_floor"] = digits(100 * row.share_of_floor), "%"
        if row.share_of_peak is not None:
            found[f"{name}_share_of_peak"] = digits(100 * row.share_of_peak), "%"
        found[f"{name}_intensity"] = digits(row.intensity), "operations a byte"
    full, decode = all_settings[0], all_settings[3]
    for contestant in ("naive", "tiled"):
        doubled = rows[length_name(2 * full.queries)].memory_mb[contestant]
        growth = log2(doubled / rows["full"].memory_mb[contestant])
        found[f"{contestant}_memory_exponent"] = digits(growth), ""
    matmul_rate, copy_rate = ceilings(list(rows.values()))
    found["matmul_rate"] = digits(matmul_rate), "GFLOP/s"
    found["copy_bandwidth"] = digits(copy_rate), "GB/s"
    found["ridge"] = digits(matmul_rate / copy_rate), "operations a byte"
    found["num_tokens"] = full.queries, "tokens"
    found["num_cached"] = decode.keys, "tokens"
    found["num_cases"] = len(rows), "cases"
    return found


def table(result: dict[str, Any], rows: list[Row]) -> list[str]:
    width = max(len(row.name) for row in rows)
    lines = [
        f"{result['device']}, torch {result['versions']['torch']}; "
        f"medians of {result['repeats']}",
        "",
        f"{'case':{width}}  {'contestant':>10} {'ms':>9} {'MB':>9} {'floor ms':>9}"
        f" {'of floor':>8} {'sdpa/it':>8}",
    ]
    for row in rows:
        for contestant, time in row.times_ms.items():
            lines.append(
                f"{row.name:{width}}  {contestant:>10} {time:9.3f}"
                f" {row.memory_mb[contestant]:9.2f} {row.floor_ms:9.3f}"
                f" {row.floor_ms / time:8.1%} {row.times_ms['sdpa'] / time:7.2f}x"
            )
    spreads = ", ".join(f"{row.name} {row.spread:.1%}" for row in rows)
    return [*lines, "", f"spread of ours: {spreads}"]


if __name__ == "__main__":
    assert __doc__
    claim = " ".join(__doc__.partition("\n\n")[0].split())
    report.main(
        "attention", claim, measure, table, environment, results_folder, disturbed
    )
