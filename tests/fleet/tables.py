"""What tests of tables know of them: the spread, and what each value stands for."""

import math

from tensorfleet.fleet.distributions import CELLS

MEAN = 1_000_000


def cv(table):
    return math.sqrt(table.variance) / table.mean


def middles():
    """The survival probability that each value of a table stands for."""
    body = [(cell + 0.5) / CELLS for cell in range(1, CELLS)]
    return body, [(cell + 0.5) / CELLS**2 for cell in range(CELLS)]
