"""Likely mistakes in the exercises on the fleet: `check` must find each of them."""

from itertools import takewhile
from math import ceil, factorial

import numpy as np

from tests.exercises import solutions_fleet as solutions

# Each with what it does wrong.
MISTAKES = [
    # the rank rounded to the nearest
    (
        "fleet.percentile",
        lambda values, p: sorted(values)[max(round(p * len(values) / 100), 1) - 1],
    ),
    # the rank rounded up in floats, where 0.07 times 100 is more than 7
    (
        "fleet.percentile",
        lambda values, p: sorted(values)[ceil(p / 100 * len(values)) - 1],
    ),
    # a percentile between two values
    (
        "fleet.percentile",
        lambda values, p: float(np.percentile(values, p)),
    ),
    # counts time from 0 instead of from the first arrival
    (
        "fleet.littles_law",
        lambda stays: [
            len(stays) / max(e for _, e in stays),
            sum(e - b for b, e in stays) / len(stays),
            sum(e - b for b, e in stays) / max(e for _, e in stays),
        ],
    ),
    # first in, first out
    (
        "fleet.lru_hits",
        lambda requests, slots: sum(
            adapter in loads[-slots:]
            for loads in [[]]
            for adapter in requests
            if adapter in loads[-slots:] or loads.append(adapter)
        ),
    ),
    # Erlang's formula B: the chance to be turned away where nobody may wait
    (
        "fleet.erlang_c",
        lambda servers, loads: [
            (load**servers / factorial(servers))
            / sum(load**k / factorial(k) for k in range(servers + 1))
            for load in loads
        ],
    ),
    # the utilisation, which is the chance to wait at a single server only
    (
        "fleet.erlang_c",
        lambda servers, loads: [load / servers for load in loads],
    ),
    # the quadratic in floats
    (
        "fleet.steps_done",
        lambda first, growth, elapsed: (
            int(
                (
                    ((2 * first - growth) ** 2 + 8 * growth * elapsed) ** 0.5
                    - (2 * first - growth)
                )
                / (2 * growth)
            )
            if growth
            else elapsed // first
        ),
    ),
    # a step that does not grow
    ("fleet.steps_done", lambda first, growth, elapsed: elapsed // first),
    # a request without its adapter holds up those behind it
    (
        "fleet.admitted",
        lambda waiting, ready, *rest: solutions.admitted(
            list(takewhile(lambda w: w[0] in ready, waiting)), ready, *rest
        ),
    ),
    # room for the chunk only, not for the whole prompt
    (
        "fleet.admitted",
        lambda waiting, ready, batch, budget, room, most: solutions.admitted(
            waiting, ready, batch, budget, max(room, 10**9), most
        ),
    ),
    # every request counts as an adapter of its own
    (
        "fleet.admitted",
        lambda waiting, ready, batch, budget, room, most: solutions.admitted(
            waiting, ready, batch, budget, room, most
        )[: max(most - len(batch), 0)],
    ),
]
