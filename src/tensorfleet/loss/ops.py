"""Cross-entropy on PyTorch tensors, of logits or of what the logits are made from.

    cross_entropy(input, target)      input: logits (tokens, classes)
    linear_cross_entropy(input, linear_weight, target)
                                      the same of input @ linear_weight.T, without ever
                                      storing all of these logits

Arguments, results and their edges are those of torch.nn.functional.cross_entropy, with
two exceptions, both on purpose. A token that is ignored has the gradient 0 even where
its logits are NaN (torch: NaN), and adds nothing to that of the weight even where its
features are. A class that a soft target gives the probability 0 costs nothing even
where its logit is −inf (torch: NaN).

`rows` is the arithmetic, written in place; see `reference` for the formulas and `fused`
for the loop over chunks of tokens. Losses are computed in float32, or in float64 for
float64, and returned in the dtype of the input. Results are on its device.

Does not handle: class weights, a bias, more than two dimensions (flatten them), float16
(the gradient of a mean over many tokens would underflow).
"""

import torch
from torch import Tensor

from tensorfleet.loss import fused
from tensorfleet.loss.arguments import check_cross_entropy, check_linear
from tensorfleet.loss.reference import IGNORE_INDEX, Rule


def cross_entropy(
    input: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    check: bool = True,
) -> Tensor:
    """The cross-entropy of softmax(`input`) against `target`, in nats.

    `input` holds logits of shape (N, V) in float32, float64 or bfloat16. `target` holds
    classes, int64 of shape (N,), or probabilities of shape (N, V) in the dtype of
    `input`. Tokens of class `ignore_index` cost nothing and do not count in the mean.
    The result has shape () or, with reduction "none", (N,). `check=False` leaves out
    the check that classes are in range, for which a GPU must be waited for.

    Raises ValueError for shapes, devices or settings that do not fit, TypeError for
    dtypes, IndexError for a class out of range.
    """
    rule = Rule(ignore_index, reduction, label_smoothing)
    check_cross_entropy(input, target, rule, check)
    return fused.cross_entropy(rows, input, target, rule)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    ignore_index: int = IGNORE_INDEX,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
    chunk_tokens: int | None = None,
    check: bool = True,
) -> Tensor:
    """`cross_entropy(input @ linear_weight.T, target)`, a chunk of tokens at a time.

    `input` has shape (N, D), `linear_weight` (V, D) and the dtype of `input`; the rest
    is as in `cross_entropy`. Logits of `chunk_tokens` tokens exist at once: fewer take
    less memory, and round the gradient of the weight more often. None means an eighth
    of all tokens, but 512 at least.

    Raises as `cross_entropy` does; ValueError under torch.autocast; RuntimeError in a
    second backward pass, except with reduction "none".
    """
    rule = Rule(ignore_index, reduction, label_smoothing)
    check_linear(input, linear_weight, target, rule, chunk_tokens, check)
    return fused.linear_cross_entropy(
        rows, input, linear_weight, target, rule, chunk_tokens
    )


def rows(
    logits: Tensor,
    target: Tensor,
    rule: Rule,
    scale: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """The loss of each row and, scaled into `out`, its gradient; see `fused.Rows`."""
    work = logits.to(fused.compute_dtype(logits.dtype), copy=out is not logits)
    work.sub_(work.amax(1, keepdim=True))
    kept, share = 1 - rule.label_smoothing, rule.label_smoothing / work.shape[1]
    ignored = classes = wanted = None
    if target.ndim == 1:
        ignored = target == rule.ignore_index
        classes = target.masked_fill(ignored, 0)[:, None]
        attained = torch.zeros_like(work[:, 0])
        if kept:  # else the target counts nothing, even where its logit is −inf
            attained += kept * work.gather(1, classes)[:, 0]
        if share:
            attained += share * work.sum(1)
        mass = torch.ones_like(attained)
    else:
        wanted = kept * target.to(work.dtype) + share
        attained = (wanted * work).masked_fill_(wanted == 0, 0).sum(1)
        mass = wanted.sum(1)
    total = work.exp_().sum(1)
    losses = mass * total.log() - attained
    if scale is not None and out is not None:
        work *= (mass * scale / total)[:, None]
        if wanted is not None:
            work.addcmul_(wanted, scale[:, None], value=-1)
        elif classes is not None:
            work.scatter_add_(1, classes, -kept * scale[:, None])
            work -= share * scale[:, None]
        if ignored is not None:
            work.masked_fill_(ignored[:, None], 0)
        if out is not work:
            out.copy_(work)
    return losses if ignored is None else losses.masked_fill_(ignored, 0)
