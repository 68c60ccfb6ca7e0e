"""From counts to a score: precisions, smoothing, brevity penalty, geometric mean.

    BLEU = BP · exp((ln p₁ + ln p₂ + ln p₃ + ln p₄) / 4)
    BP   = 1 where the output is as long as the reference, else e^(1 − ref/out)

(Papineni et al. 2002, section 2.3.) The logarithm of a precision of 0 is not finite:
one order without a match makes the whole score 0. Smoothing gives such an order a
little, by the methods 1 to 3 of Chen and Cherry (2014), with sacrebleu's constants:

    floor   0.1 matches instead of none
    add-k   one match and one n-gram more, in every order but the first
    exp     1/2 match for the first order without any, 1/4 for the next ... (mteval)

Does not handle: other orders than 1 to 4, and weights that are not equal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

MAX_ORDER = 4
FLOOR = 0.1
ADDED = 1
SMOOTH_METHODS = ("exp", "floor", "add-k", "none")


@dataclass(frozen=True)
class Bleu:
    """A score from 0 to 100, and what it is made of; the names are sacrebleu's.

    `precisions` are percentages, smoothed; `counts` the matched n-grams of each order
    and `totals` all n-grams of the hypotheses, both before smoothing; `bp` the brevity
    penalty; `sys_len` and `ref_len` lengths in tokens.
    """

    score: float
    counts: tuple[int, ...]
    totals: tuple[int, ...]
    precisions: tuple[float, ...]
    bp: float
    sys_len: int
    ref_len: int

    def __str__(self) -> str:
        precisions = "/".join(f"{precision:.1f}" for precision in self.precisions)
        return (
            f"BLEU = {self.score:.2f} {precisions} (BP = {self.bp:.3f}, "
            f"{self.sys_len} tokens for {self.ref_len})"
        )


def score(
    counts: Sequence[int],
    totals: Sequence[int],
    sys_len: int,
    ref_len: int,
    smooth_method: str = "exp",
    *,
    effective_order: bool = False,
) -> Bleu:
    """The score of counted n-grams; `counts` and `totals` have a number for each order.

    With `effective_order` the mean is over the orders of which the hypothesis has any
    n-gram: a sentence of three words has no 4-gram, and would otherwise score 0. Except
    with add-k, which by adding one to 0 of 0 gives such orders a precision of 100%.
    Without a single match the score is 0, smoothed or not.

    Raises ValueError for an unknown `smooth_method`.
    """
    check_smooth_method(smooth_method)
    bp = brevity_penalty(sys_len, ref_len)
    precisions = [0.0] * len(totals)
    if any(counts):
        precisions = smoothed(counts, totals, smooth_method)
    mean = mean_precision(
        precisions, totals, smooth_method, effective_order=effective_order
    )
    return Bleu(
        bp * mean,
        tuple(counts),
        tuple(totals),
        tuple(precisions),
        bp,
        sys_len,
        ref_len,
    )


def check_smooth_method(name: str) -> None:
    if name not in SMOOTH_METHODS:
        raise ValueError(
            f"smooth_method is {name!r}: it must be one of {', '.join(SMOOTH_METHODS)}"
        )


def brevity_penalty(sys_len: int, ref_len: int) -> float:
    """What output shorter than the reference is multiplied with: 1 if it is not."""
    if sys_len >= ref_len:
        return 1.0
    return exp(1 - ref_len / sys_len) if sys_len else 0.0


def smoothed(
    counts: Sequence[int], totals: Sequence[int], smooth_method: str
) -> list[float]:
    """The precision of each order in percent.

    Where there are no n-grams at all it is 0; with add-k 1 of 1, but in the first.
    """
    precisions, without_match = [], 0
    for order, (count, total) in enumerate(zip(counts, totals, strict=True), 1):
        matched: float = count
        if smooth_method == "add-k" and order > 1:
            matched, total = count + ADDED, total + ADDED
        elif count == 0 and total and smooth_method == "exp":
            without_match += 1
            matched = 0.5**without_match
        elif count == 0 and smooth_method == "floor":
            matched = FLOOR
        precisions.append(100 * matched / total if total else 0.0)
    return precisions


def mean_precision(
    precisions: Sequence[float],
    totals: Sequence[int],
    smooth_method: str,
    *,
    effective_order: bool,
) -> float:
    """The geometric mean over the orders that `score` says to count, in percent."""
    if effective_order and smooth_method != "add-k":
        precisions = [p for p, total in zip(precisions, totals, strict=True) if total]
    return geometric_mean(precisions)


def geometric_mean(values: Sequence[float]) -> float:
    """0 if one of the values is, or if there are none."""
    if min(values, default=0) <= 0:
        return 0.0
    return exp(sum(map(log, values)) / len(values))
