"""Likely mistakes in the exercises on choices: `check` must find each of them."""

from itertools import accumulate

from tests.exercises import solutions_choices as solutions

# Each with what it does wrong.
MISTAKES = [
    # draws the second bin from all, so that a bin may meet itself
    (
        "choices.next_ball",
        lambda loads: [
            (2 * sum(o > x for o in loads) + loads.count(x)) / len(loads) ** 2
            for x in loads
        ],
    ),
    # gives every tie to the bin on the left
    (
        "choices.next_ball",
        lambda loads: [
            sum((o, j) > (x, i) for j, o in enumerate(loads))
            / (len(loads) * (len(loads) - 1) / 2)
            for i, x in enumerate(loads)
        ],
    ),
    # may give the same index twice
    (
        "choices.distinct_pairs",
        lambda n, numbers: [[int(u * n), int(v * n)] for u, v in numbers],
    ),
    # takes the neighbour instead of the same one, which is then twice as likely
    (
        "choices.distinct_pairs",
        lambda n, numbers: [
            [int(u * n), (int(v * n) + (int(u * n) == int(v * n))) % n]
            for u, v in numbers
        ],
    ),
    # one choice, whatever d is
    (
        "choices.queue_tail",
        lambda utilisation, d, levels: [utilisation**i for i in range(levels + 1)],
    ),
    # counts what the report already holds
    (
        "choices.believed_lengths",
        lambda reports, sent: [
            length + sum(s == server for s, _ in sent)
            for server, (length, _) in enumerate(reports)
        ],
    ),
    # the chance of at most k instead of exactly k
    (
        "choices.maximum_chances",
        lambda m, n: list(accumulate(solutions.maximum_chances(m, n))),
    ),
]
