"""We count long rows faster than torch's best operator, and do the rest as fast.

    python benchmarks/scatter.py [--json] [--record] [--quick]

On a CPU "ours" is tensorfleet.scatter.ops, on a GPU tensorfleet.scatter.kernel, both
with check=False; what the checks cost is measured on its own. The peers are torch's own
operators. Row additions on a CPU are one of these, so that their ratios show the noise.
Indices and rows are larger than the last-level cache. Goals on an H200: 1.0 times the
best peer or more everywhere, 2.0 for skewed counts over at most 256 bins, 70% of copy
bandwidth where memory is the limit.
"""

from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor

from harness import Case, Row, device, main
from tensorfleet.scatter import costs, ops, workload

if device() == "cuda":
    from tensorfleet.scatter import kernel as ours
else:
    ours = ops  # type: ignore[misc]  # the same functions

BINS = (16, 256, 4096, 65536)
EXPONENTS = (0.0, 1.0, 1.5)


def cases(quick: bool) -> list[Callable[[], Case]]:
    size = num_indices(quick)
    return [
        *(
            partial(bincount_case, rows, size // rows, bins, exponent)
            for rows in (1, 64)
            for bins in BINS
            for exponent in EXPONENTS
        ),
        *(
            partial(rows_case, size // width, size // 2048, width, exponent)
            for width in (64, 1024)
            for exponent in EXPONENTS
        ),
        partial(add_check_case, size // 4),
        partial(count_check_case, size),
    ]


def num_indices(quick: bool) -> int:
    return 2**16 if quick else 2**26 if device() == "cuda" else 2**24


def skew_name(exponent: float) -> str:
    return "uniform" if exponent == 0 else f"Zipf {exponent}"


def bincount_name(rows: int, bins: int, exponent: float) -> str:
    return f"bincount, {rows} row{'s' * (rows > 1)}, {bins} bins, {skew_name(exponent)}"


def rows_name(width: int, exponent: float) -> str:
    return f"rows of {width}, {skew_name(exponent)}"


ADD_CHECK_NAME = "scatter_add with checks, 256 places"
COUNT_CHECK_NAME = "bincount with checks, 1 row, 256 bins"


def bincount_case(rows: int, length: int, bins: int, exponent: float) -> Case:
    x = workload.zipf_indices((rows, length), bins, exponent, seed=1).to(device())
    offsets = torch.arange(rows, device=device())[:, None] * bins
    ones = torch.ones_like(x)

    def flat() -> Tensor:
        """One index for a place in all rows' counters; one row needs no offsets."""
        return x.flatten() if rows == 1 else (x + offsets).flatten()

    def by_scatter_add(ones: Tensor) -> Tensor:
        zeros = torch.zeros(rows, bins, dtype=torch.int64, device=device())
        return zeros.scatter_add_(1, x, ones)

    def by_index_add() -> Tensor:
        zeros = torch.zeros(rows * bins, dtype=torch.int64, device=device())
        return zeros.index_add_(0, flat(), torch.ones_like(x).flatten())

    return Case(
        bincount_name(rows, bins, exponent),
        lambda: ours.batched_bincount(x, bins, check=False),
        {
            "scatter_add_": lambda: by_scatter_add(torch.ones_like(x)),
            "scatter_add_, ones ready": lambda: by_scatter_add(ones),
            "index_add_": by_index_add,
            "bincount": lambda: torch.bincount(flat(), minlength=rows * bins),
        },
        costs.bincount_bytes(rows, length, bins),
    )


def rows_case(num_rows: int, num_places: int, width: int, exponent: float) -> Case:
    index = workload.zipf_indices((num_rows,), num_places, exponent, seed=2).to(
        device()
    )
    src = torch.randn(num_rows, width, device=device())
    dst = torch.zeros(num_places, width, device=device())
    expanded = index[:, None].expand(-1, width)
    return Case(
        rows_name(width, exponent),
        lambda: ours.scatter_add_rows(dst, index, src, check=False),
        {
            "index_add": lambda: dst.index_add(0, index, src),
            "scatter_add": lambda: dst.scatter_add(0, expanded, src),
        },
        costs.scatter_add_rows_bytes(num_rows, num_places, width, src.element_size()),
    )


def add_check_case(size: int) -> Case:
    """What the check of the arguments costs: one more pass over the index."""
    index = workload.zipf_indices((size,), 256, 0.0, seed=3).to(device())
    src, dst = torch.randn(size, device=device()), torch.zeros(256, device=device())
    return Case(
        ADD_CHECK_NAME,
        lambda: ops.scatter_add(dst, 0, index, src),
        {"without checks": lambda: ops.scatter_add(dst, 0, index, src, check=False)},
        costs.scatter_add_bytes(size, 256, src.element_size()),
    )


def count_check_case(size: int) -> Case:
    x = workload.zipf_indices((size,), 256, 0.0, seed=3).to(device())
    return Case(
        COUNT_CHECK_NAME,
        lambda: ours.batched_bincount(x, 256),
        {"without checks": lambda: ours.batched_bincount(x, 256, check=False)},
        costs.bincount_bytes(1, size, 256),
    )


def summary(rows: dict[str, Row], quick: bool) -> dict[str, tuple[float, str]]:
    def digits(value: float) -> float:
        return float(f"{value:.3g}")

    copies = [row.copy_gigabytes_per_second for row in rows.values()]
    found = {"copy_bandwidth": (digits(median(copies)), "GB/s")}
    found["num_indices"] = num_indices(quick), "indices"
    named = {
        "count_uniform": bincount_name(1, 256, 0.0),
        "count_zipf": bincount_name(1, 256, 1.5),
        "count_batched": bincount_name(64, 256, 0.0),
        "count_large": bincount_name(1, 65536, 0.0),
        "count_batched_large": bincount_name(64, 65536, 0.0),
        "rows_uniform": rows_name(1024, 0.0),
        "rows_zipf": rows_name(1024, 1.5),
    }
    for name, case in named.items():
        row = rows[case]
        found[f"{name}_floor"] = digits(row.ours_ms * row.share_of_copy_bandwidth), "ms"
        found[f"{name}_time"] = digits(row.ours_ms), "ms"
        found[f"{name}_speedup"] = digits(row.speedup), "times"
    checks = {"add_check_cost": ADD_CHECK_NAME, "count_check_cost": COUNT_CHECK_NAME}
    for name, case in checks.items():
        found[name] = digits(100 * (1 / rows[case].speedup - 1)), "%"
    contests = [row for case, row in rows.items() if case not in checks.values()]
    found["slowest_speedup"] = digits(min(row.speedup for row in contests)), "times"
    found["num_cases"] = len(contests), "cases"
    found["num_at_least_equal"] = sum(row.speedup >= 1 for row in contests), "cases"
    skewed = [
        rows[bincount_name(r, b, e)]
        for r in (1, 64)
        for b in BINS[:2]
        for e in EXPONENTS[1:]
    ]
    found["skewed_small_speedup"] = digits(min(row.speedup for row in skewed)), "times"
    return found


if __name__ == "__main__":
    assert __doc__
    claim = " ".join(__doc__.partition("\n\n")[0].split())
    main("scatter", claim, cases, summary)
