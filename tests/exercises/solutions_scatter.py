"""The solutions that the scatter chapter shows; the tests run them through `check`."""

from math import fsum


def histogram(values, num_bins):
    counts = [0] * num_bins
    for value in values:
        counts[value] += 1
    return counts


def source_gradient(gradient, index):
    return [
        [gradient[target][column] for column, target in enumerate(row)] for row in index
    ]


def segment_mean(values, segment, num_segments):
    totals = [0.0] * num_segments
    counts = [0] * num_segments
    for value, target in zip(values, segment, strict=True):
        totals[target] += value
        counts[target] += 1
    return [total / max(count, 1) for total, count in zip(totals, counts, strict=True)]


def serial_steps(indices, lanes):
    steps = 0
    for start in range(0, len(indices), lanes):
        group = indices[start : start + lanes]
        steps += max(group.count(index) for index in group)
    return steps


def order_free_add(pairs, num_places):
    values = [[] for _ in range(num_places)]
    for target, value in pairs:
        values[target].append(value)
    return [fsum(group) for group in values]
