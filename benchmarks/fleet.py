"""One configuration of our router sustains as much load as the best single baseline's.

    python benchmarks/fleet.py [--json] [--record] [--quick]

Two parts. *Quality* (`quality`): the highest rate per instance at which 99% of the
requests meet the SLO, for every policy on every scenario. Goals: at most 5% below the
best individually tuned baseline in each scenario, and 20% above the best single
configuration of a baseline on the geometric mean. Intervals are 95%, by Student's t
over six paired seeds. *Speed* (`scale`): a million requests on 1,000 instances with
100,000 adapters, the router included; goals: 30 s on one core and 2 GB, growth near
linear, and an event core 5 times as fast as SimPy's.

The quality part takes about an hour of two cores; what is done is kept in _build,
so that it may be interrupted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import quality
import scale
from quality import FULL, ORACLE, OURS, QUICK, Look, Rates, geometric_mean, ratio
from records import processor_environment, processor_folder
from report import Quantities, main
from scale import Size
from turns import Outcome, contest_table


@dataclass(frozen=True)
class Standing:
    """Ours against the best individually tuned baseline of a scenario.

    `regret` is the share by which ours is below it; below 0, ours is better. `low` and
    `high` are its 95% interval.
    """

    kind: str
    scenario: str
    ours: float
    oracle: float
    best: float
    best_policy: str
    best_knobs: dict[str, float]
    regret: float
    low: float
    high: float


def measure(quick: bool, repeats: int) -> tuple[list[Any], Quantities]:
    core, waited = scale.run_event_core(quick, repeats)
    sizes = scale.run_sizes(quick)
    plan = QUICK if quick else FULL
    single = quality.tune(plan)
    rates = quality.evaluate(plan, single)
    looks = quality.look(plan, single)
    standings = [standing(rates, scenario) for scenario in plan.scenarios]
    found = speed_quantities(core, waited, sizes)
    found |= quality_quantities(rates, standings) | look_quantities(looks)
    found["quality_instances"] = plan.instances, "instances"
    found["quality_seeds"] = len(plan.seeds), "seeds"
    return [core, *sizes, *rates, *standings, *looks], found


def standing(rates: list[Rates], scenario: str) -> Standing:
    rows = [row for row in rates if row.scenario == scenario]
    (ours,) = [row for row in rows if row.role == "ours"]
    (oracle,) = [row for row in rows if row.role == "oracle"]
    baselines = [row for row in rows if row.role in ("single", "tuned")]
    best = max(baselines, key=lambda row: geometric_mean(row.rates))
    middle, low, high = ratio(ours.rates, best.rates)
    return Standing(
        "standing",
        scenario,
        geometric_mean(ours.rates),
        geometric_mean(oracle.rates),
        geometric_mean(best.rates),
        best.policy,
        best.knobs,
        1 - middle,
        1 - high,
        1 - low,
    )


def over_scenarios(rates: list[Rates], policy: str) -> list[float]:
    """A single configuration's geometric mean over the scenarios, seed by seed."""
    rows = [r for r in rates if r.policy == policy and r.role in ("ours", "single")]
    return [geometric_mean(seed) for seed in zip(*(r.rates for r in rows), strict=True)]


def quality_quantities(rates: list[Rates], standings: list[Standing]) -> Quantities:
    names = dict.fromkeys(row.policy for row in rates if row.role == "single")
    means = {name: geometric_mean(over_scenarios(rates, name)) for name in names}
    best = max(means, key=lambda name: means[name])
    ours = over_scenarios(rates, OURS)
    gain, low, high = ratio(ours, over_scenarios(rates, best))
    found: Quantities = {
        "gain_over_best_single": (percent(gain - 1), "%"),
        "gain_low": (percent(low - 1), "%"),
        "gain_high": (percent(high - 1), "%"),
        f"{OURS}_mean_rate": (round(geometric_mean(ours), 2), "/s"),
    }
    for name, mean in means.items():
        found[f"{name}_mean_rate"] = round(mean, 2), "/s"
    oracle = geometric_mean(row.oracle for row in standings)
    found["best_single_mean_rate"] = round(means[best], 2), "/s"
    found["oracle_over_best_single"] = percent(oracle / means[best] - 1), "%"
    found[f"{ORACLE}_mean_rate"] = round(oracle, 2), "/s"
    for row in standings:
        found[f"{row.scenario}_regret"] = percent(row.regret), "%"
        found[f"{row.scenario}_rate"] = round(row.ours, 2), "/s"
        found[f"{row.scenario}_best"] = round(row.best, 2), "/s"
        found[f"{row.scenario}_oracle"] = round(row.oracle, 2), "/s"
    found["largest_regret"] = percent(max(row.regret for row in standings)), "%"
    return found


def look_quantities(looks: list[Look]) -> Quantities:
    """Means over the scenarios, of times geometric ones, by policy."""
    found: Quantities = {}
    for policy in dict.fromkeys(row.policy for row in looks):
        rows = [row for row in looks if row.policy == policy]
        for name in ("ttft_p99", "tpot_p99", "coldest_ttft_p99"):
            mean = geometric_mean(getattr(row, name) for row in rows)
            found[f"{policy}_{name}"] = float(f"{mean:.3g}"), "ms"
        moved = fmean(row.keys_moved for row in rows)
        found[f"{policy}_keys_moved"] = round(moved), "keys"
        on_front = sum(row.on_front for row in rows)
        found[f"{policy}_on_front"] = on_front, f"of {len(rows)}"
    return found


def speed_quantities(core: Outcome, waited: float, sizes: list[Size]) -> Quantities:
    largest = max(sizes, key=lambda size: (size.instances, size.requests))
    by_requests = [s for s in sizes if s.instances == largest.instances]
    share = [s for s in sizes if s.requests * largest.instances
             == largest.requests * s.instances]  # fmt: skip
    ours, theirs = core.microseconds
    return {
        "simulator_time": (digits(largest.seconds), "s"),
        "simulator_memory": (digits(largest.gigabytes), "GB"),
        "simulator_requests": (largest.requests, "requests"),
        "simulator_instances": (largest.instances, "instances"),
        "simulator_adapters": (largest.adapters, "adapters"),
        "growth_with_requests": (
            digits(growth([s.requests for s in by_requests], by_requests)), "exponent"
        ),
        "growth_with_instances": (
            digits(growth([s.instances for s in share], share)), "exponent"
        ),
        "event_core_rate": (digits(1e6 / core.microseconds[ours]), "customers/s"),
        "event_core_speedup": (digits(core.ratio(theirs, ours)), "times"),
        "event_core_mean_wait": (digits(waited), "ms"),
    }  # fmt: skip


def growth(xs: Sequence[float], sizes: list[Size]) -> float:
    return scale.exponent(list(xs), [size.seconds for size in sizes])


def digits(value: float) -> float:
    return float(f"{value:.2g}")


def percent(share: float) -> float:
    return round(100 * share, 1)


def table(result: dict[str, Any], rows: list[Any]) -> list[str]:
    def of(kind: type) -> list[Any]:
        return [row for row in rows if isinstance(row, kind)]

    lines = contest_table(result, of(Outcome))
    lines += ["", f"{'instances':>10} {'requests':>10} {'seconds':>8} {'GB':>6}"]
    lines += [
        f"{s.instances:10,} {s.requests:10,} {s.seconds:8.1f} {s.gigabytes:6.2f}"
        for s in of(Size)
    ]
    lines += [
        "",
        f"{'scenario':16} {'ours':>6} {'oracle':>6} {'best':>6} {'regret and 95%':>24}"
        "  best individually tuned baseline",
    ]
    lines += [
        f"{s.scenario:16} {s.ours:6.2f} {s.oracle:6.2f} {s.best:6.2f} {s.regret:8.1%}"
        f" [{s.low:6.1%}, {s.high:6.1%}]  {s.best_policy} {s.best_knobs or ''}"
        for s in of(Standing)
    ]
    rates, looks = of(Rates), of(Look)
    scenarios = list(dict.fromkeys(row.scenario for row in rates))
    lines += ["", f"{'rates':18}" + "".join(f" {s[:9]:>9}" for s in scenarios)]
    for policy in dict.fromkeys(row.policy for row in rates):
        means = {
            row.scenario: geometric_mean(row.rates)
            for row in rates
            if row.policy == policy and row.role != "tuned"
        }
        lines.append(f"{policy:18}" + "".join(f" {means[s]:9.2f}" for s in scenarios))
    lines += [
        "",
        f"{'scenario':16} {'policy':18} {'TTFT':>8} {'TPOT':>6} {'coldest':>8}"
        f" {'moved':>7} {'hits':>6} {'in SLO':>7}  (p99, ms; * Pareto front)",
    ]
    lines += [
        f"{s.scenario:16} {s.policy:18} {s.ttft_p99:8.0f} {s.tpot_p99:6.1f}"
        f" {s.coldest_ttft_p99:8.0f} {s.keys_moved:7.0f} {s.hit_rate:6.1%}"
        f" {s.goodput_share:7.2%} {'*' if s.on_front and s.policy != ORACLE else ''}"
        for s in looks
    ]
    return lines


if __name__ == "__main__":
    assert __doc__
    main(
        "fleet",
        " ".join(__doc__.partition("\n\n")[0].split()),
        measure,
        table,
        partial(processor_environment, "simpy"),
        processor_folder,
    )
