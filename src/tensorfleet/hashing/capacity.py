"""The slack ε, read exactly.

A cap is a ceiling, and a ceiling forgives no rounding: in floats (1 + 0.1) · 50 is
55.00000000000001, whose ceiling is 56. So ε is read as the decimal number that it is
written as, and caps are computed in integers.
"""

from fractions import Fraction


def growth(epsilon: float | Fraction) -> Fraction:
    """1 + ε, exactly.

    Raises TypeError unless ε is a number, ValueError unless it is finite and above 0.
    """
    if isinstance(epsilon, bool) or not isinstance(epsilon, (int, float, Fraction)):
        raise TypeError(f"epsilon is {epsilon!r}: it must be a number above 0")
    if not 0 < epsilon < float("inf"):
        raise ValueError(f"epsilon is {epsilon!r}: it must be finite and above 0")
    return 1 + Fraction(str(epsilon))
