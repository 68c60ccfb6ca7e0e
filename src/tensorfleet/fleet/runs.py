"""Runs of decode steps, added up in closed form, in integers.

While n sequences only decode, each step reads one token of KV more in each of them, so
it takes `growth` nanoseconds longer than the one before. m steps, of which the first
takes `first`, take

    T(m) = m·first + growth·m·(m - 1)/2

and the number that has ended before a given time is the root of a quadratic. Both are
exact: `isqrt` rounds down, and so does the division after it.
"""

from math import isqrt


def duration(first: int, growth: int, steps: int) -> int:
    """T(steps), in nanoseconds."""
    return steps * first + growth * (steps * (steps - 1) // 2)


def ended_within(first: int, growth: int, elapsed: int) -> int:
    """The largest m for which T(m) <= `elapsed`; `first` is 1 or more.

    From growth·m² + b·m <= 2·elapsed with b = 2·first - growth.
    """
    if not growth:
        return elapsed // first
    b = 2 * first - growth
    return (isqrt(b * b + 8 * growth * elapsed) - b) // (2 * growth)
