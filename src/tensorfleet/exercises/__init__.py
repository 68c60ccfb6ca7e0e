"""Checks for the book's exercises: `check("scatter.histogram", my_function)`.

`check` calls your function on hidden cases, small ones first, and stops at the first
that fails with the input, what was expected and what came back. It needs no network and
no package but this one.
"""

from tensorfleet.exercises.checking import (
    Exercise,
    ExerciseFailed,
    Passed,
    check,
    exercises,
)

__all__ = ["Exercise", "ExerciseFailed", "Passed", "check", "exercises"]
