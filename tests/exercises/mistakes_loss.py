"""Likely mistakes in the exercises on loss: `check` must find each of them."""

from math import exp, log

from tests.exercises import solutions_loss as solutions

# Each with what it does wrong.
MISTAKES = [
    # exponentials of the logits as they are
    (
        "loss.log_sum_exp",
        lambda logits: log(sum(exp(min(x, 700)) for x in logits)),
    ),
    # the largest is subtracted and not added again
    (
        "loss.log_sum_exp",
        lambda logits: log(sum(exp(x - max(logits)) for x in logits)),
    ),
    # subtracts −∞ from −∞ where there is nothing else
    (
        "loss.log_sum_exp",
        lambda logits: max(logits) + log(sum(exp(x - max(logits)) for x in logits)),
    ),
    # points uphill
    (
        "loss.gradient",
        lambda logits, target: [-slope for slope in solutions.gradient(logits, target)],
    ),
    # the probabilities alone
    (
        "loss.gradient",
        lambda logits, target: [
            slope + (i == target)
            for i, slope in enumerate(solutions.gradient(logits, target))
        ],
    ),
    # the mean of the batches' means
    (
        "loss.mean_perplexity",
        lambda batches: exp(sum(mean for mean, _ in batches) / len(batches)),
    ),
    # the mean of the batches' perplexities
    (
        "loss.mean_perplexity",
        lambda batches: (
            sum(count * exp(mean) for mean, count in batches if count)
            / sum(count for _, count in batches)
        ),
    ),
    # lets the mean of a batch without tokens in, which is NaN
    (
        "loss.mean_perplexity",
        lambda batches: exp(
            sum(mean * count for mean, count in batches)
            / sum(count for _, count in batches)
        ),
    ),
    # adds the sums as if both were relative to the same maximum
    (
        "loss.merge",
        lambda first, second: (max(first[0], second[0]), first[1] + second[1]),
    ),
    # undoes the shift, and overflows or vanishes
    (
        "loss.merge",
        lambda first, second: (
            max(first[0], second[0]),
            sum(t * exp(min(m, 700)) for m, t in (first, second))
            / exp(min(max(first[0], second[0]), 700)),
        ),
    ),
    # subtracts −∞ from −∞ where neither half has read anything
    (
        "loss.merge",
        lambda first, second: (
            max(first[0], second[0]),
            sum(t * exp(m - max(first[0], second[0])) for m, t in (first, second)),
        ),
    ),
    # divides by all tokens, the ignored ones too
    (
        "loss.weight_gradient",
        lambda inputs, weight, targets: [
            [g * sum(t != -100 for t in targets) / len(targets) for g in row]
            for row in solutions.weight_gradient(inputs, weight, targets)
        ],
    ),
    # the ignored tokens count as the last class
    (
        "loss.weight_gradient",
        lambda inputs, weight, targets: solutions.weight_gradient(
            inputs, weight, [len(weight) - 1 if t == -100 else t for t in targets]
        ),
    ),
]
