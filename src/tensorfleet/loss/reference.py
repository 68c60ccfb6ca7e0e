"""Softmax, cross-entropy and its gradient on lists: the definition, written to be read.

A model gives every class i of the vocabulary a number, its *logit* l_i. Softmax makes
probabilities of them, and the loss of a token compares these with a target y, which is
a distribution too:

    p_i = exp(l_i) / Σ_j exp(l_j)          softmax
    H = −Σ_i y_i log p_i                   cross-entropy
    ∂H / ∂l_i = p_i Σ_j y_j − y_i          its gradient, p − y where the y sum to 1

Is y one-hot, 1 at the class c and 0 elsewhere, then one term of the sum is left, −log
p_c: the *negative log-likelihood*. Label smoothing ε mixes any target with the uniform
distribution, y' = (1 − ε) y + ε / V (Szegedy et al. 2016, section 7).

Nothing here takes the exponential of a logit. With m = max l every exponent l_i − m is
at most 0, so that nothing overflows, and their sum is at least 1, so that its logarithm
is finite (Blanchard, Higham and Higham 2021):

    −log p_c = log Σ_j exp(l_j − m) − (l_c − m)

At the edges: a term with y_i = 0 counts nothing even where p_i is 0; a class with logit
−inf has probability 0, and wanting it costs infinity; a row of −inf alone, and a row
with +inf or NaN, has no softmax, so that its loss is NaN.

Does not handle: tensors (see `ops`), weights of classes, gradients of the target.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, inf, isinf, isnan, log, nan
from typing import TypeAlias

# A class by its number, or a probability for every class.
Target: TypeAlias = int | Sequence[float]
IGNORE_INDEX = -100  # torch's default, and so everyone's
REDUCTIONS = ("none", "mean", "sum")


@dataclass(frozen=True)
class Rule:
    """How the losses of tokens become one, and what softens their targets.

    A token whose target is `ignore_index` costs nothing and does not count.
    `reduction` is "none" (a loss for each token), "sum", or "mean", which divides by
    the tokens that count. `label_smoothing` is from 0 to 1.

    Raises ValueError for another reduction or smoothing, TypeError for an
    `ignore_index` that is no integer or a smoothing that is no number.
    """

    ignore_index: int = IGNORE_INDEX
    reduction: str = "mean"
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        if type(self.ignore_index) is not int:  # True is an int too
            raise TypeError(
                f"ignore_index is {self.ignore_index!r}: it must be an integer"
            )
        if isinstance(self.label_smoothing, bool) or not isinstance(
            self.label_smoothing, (int, float)
        ):
            raise TypeError(
                f"label_smoothing is {self.label_smoothing!r}: it must be a number "
                "from 0 to 1"
            )
        if self.reduction not in REDUCTIONS:
            raise ValueError(
                f"reduction is {self.reduction!r}: it must be one of "
                f"{', '.join(REDUCTIONS)}"
            )
        if not 0 <= self.label_smoothing <= 1:
            raise ValueError(
                f"label_smoothing is {self.label_smoothing}: it must be from 0 to 1"
            )


def log_sum_exp(logits: Sequence[float]) -> float:
    """log Σ exp(l), without taking the exponential of a large number.

    −inf where all logits are −inf, inf where one is inf. Raises ValueError without
    logits.
    """
    highest, total = _shifted_sum(logits)
    if isinf(highest) and not any(map(isnan, logits)):
        return highest
    return highest + log(total)


def softmax(logits: Sequence[float], temperature: float = 1.0) -> list[float]:
    """The probabilities of the classes, softmax of `logits` / `temperature`.

    A high temperature evens them out, a low one favours the largest. Raises ValueError
    without logits, or for a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}: it must be above 0")
    scaled = [logit / temperature for logit in logits]
    highest, total = _shifted_sum(scaled)
    return [exp(logit - highest) / total for logit in scaled]


def target_distribution(
    target: Target, num_classes: int, label_smoothing: float = 0.0
) -> list[float]:
    """The target as a probability for every class, one-hot where it is a class.

    Raises IndexError for a class that does not exist, TypeError for one that is no
    integer, ValueError for a wrong number of probabilities.
    """
    if isinstance(target, (int, float)):
        if not isinstance(target, int) or isinstance(target, bool):
            raise TypeError(f"the target is {target!r}: a class must be an integer")
        if not 0 <= target < num_classes:
            raise IndexError(
                f"the target is {target}: it must be from 0 to {num_classes - 1}"
            )
        target = [float(i == target) for i in range(num_classes)]
    elif len(target) != num_classes:
        raise ValueError(
            f"the target has {len(target)} probabilities: it must have one for each of "
            f"the {num_classes} classes"
        )
    share = label_smoothing / num_classes
    return [(1 - label_smoothing) * y + share for y in target]


def token_loss(
    logits: Sequence[float], target: Target, label_smoothing: float = 0.0
) -> float:
    """−Σ y log p of one token, in nats. Raises as `target_distribution` does."""
    wanted = target_distribution(target, len(logits), label_smoothing)
    highest, total = _shifted_sum(logits)
    return sum(wanted) * log(total) - sum(
        y * (logit - highest) for y, logit in zip(wanted, logits, strict=True) if y
    )


def token_gradient(
    logits: Sequence[float], target: Target, label_smoothing: float = 0.0
) -> list[float]:
    """The derivative of `token_loss` with respect to each logit: p Σ y − y."""
    wanted = target_distribution(target, len(logits), label_smoothing)
    mass = sum(wanted)
    return [p * mass - y for p, y in zip(softmax(logits), wanted, strict=True)]


def cross_entropy(
    logits: Sequence[Sequence[float]],
    targets: Sequence[Target],
    rule: Rule | None = None,
) -> float | list[float]:
    """The loss of many tokens: a row of `logits` and a target for each.

    As torch.nn.functional.cross_entropy gives it: the mean over no token is NaN, their
    sum 0. Raises ValueError for another number of targets than rows, and as
    `token_loss` does.
    """
    rule = rule or Rule()
    if len(targets) != len(logits):
        raise ValueError(
            f"there are {len(targets)} targets: there must be one for each of the "
            f"{len(logits)} rows of logits"
        )
    counts = [target != rule.ignore_index for target in targets]
    losses = [
        token_loss(row, target, rule.label_smoothing) if counted else 0.0
        for row, target, counted in zip(logits, targets, counts, strict=True)
    ]
    if rule.reduction == "none":
        return losses
    divisor = sum(counts) if rule.reduction == "mean" else 1
    return sum(losses) / divisor if divisor else nan


def perplexity(loss: float) -> float:
    """exp(loss): among how many equally likely words a model wavers that loses so much.

    `loss` is a mean over tokens, in nats. inf where exp(loss) is beyond all floats.
    """
    try:
        return exp(loss)
    except OverflowError:
        return inf


def shifted(
    tokens: Sequence[int], padding: int | None = None, ignore_index: int = IGNORE_INDEX
) -> tuple[list[int], list[int]]:
    """Inputs and targets of a language model: at each position the next token.

    Both are one shorter than `tokens`: nothing follows the last one. Where the next
    token is `padding`, the target is `ignore_index`. Raises ValueError for fewer than
    two tokens.
    """
    if len(tokens) < 2:
        raise ValueError(
            f"there are {len(tokens)} tokens: there must be two, one to predict the "
            "other from"
        )
    following = [ignore_index if token == padding else token for token in tokens[1:]]
    return list(tokens[:-1]), following


def _shifted_sum(logits: Sequence[float]) -> tuple[float, float]:
    """The largest logit m, and Σ exp(l − m)."""
    if not logits:
        raise ValueError("there are no logits: there must be one or more")
    highest = max(logits)
    return highest, fsum(exp(logit - highest) for logit in logits)
