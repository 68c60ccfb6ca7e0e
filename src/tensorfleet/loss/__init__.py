"""From logits to a loss: softmax, cross-entropy, and how not to store the logits.

`reference` holds the definition, `ops` the PyTorch functions, `kernel` the Triton
kernel, `fused` the loop over blocks of tokens that both share, `costs` the operations
and bytes that it saves. This package exports what the standard library can run.
"""

from tensorfleet.loss.reference import (
    Rule,
    cross_entropy,
    log_sum_exp,
    perplexity,
    shifted,
    softmax,
    token_gradient,
    token_loss,
)

__all__ = [
    "Rule",
    "cross_entropy",
    "log_sum_exp",
    "perplexity",
    "shifted",
    "softmax",
    "token_gradient",
    "token_loss",
]
