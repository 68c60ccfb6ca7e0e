"""The solutions that the loss chapter shows; the tests run them through `check`."""

from math import exp, inf, log


def log_sum_exp(logits):
    highest = max(logits)
    if highest == -inf:
        return highest
    return highest + log(sum(exp(logit - highest) for logit in logits))


def gradient(logits, target):
    highest = max(logits)
    exponentials = [exp(logit - highest) for logit in logits]
    total = sum(exponentials)
    return [e / total - (i == target) for i, e in enumerate(exponentials)]


def mean_perplexity(batches):
    tokens = sum(count for _, count in batches)
    return exp(sum(mean * count for mean, count in batches if count) / tokens)


def merge(first, second):
    highest = max(first[0], second[0])
    if highest == -inf:
        return highest, 0.0
    return highest, sum(total * exp(m - highest) for m, total in (first, second))


def weight_gradient(inputs, weight, targets):
    counted = sum(target != -100 for target in targets)
    found = [[0.0] * len(row) for row in weight]
    for features, target in zip(inputs, targets, strict=True):
        if target == -100:
            continue
        logits = [
            sum(w * x for w, x in zip(row, features, strict=True)) for row in weight
        ]
        for row, slope in zip(found, gradient(logits, target), strict=True):
            for i, feature in enumerate(features):
                row[i] += slope * feature / counted
    return found
