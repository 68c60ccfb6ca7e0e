"""How an exercise is checked.

An exercise is a list of cases, each the arguments of one call, and a judge, which looks
at the arguments and the answer and returns what is wrong with it, or nothing. Most
judges compare with a reference implementation; see `equals`. A chapter's exercises
stand in the module of its name beside this one, in a dictionary called EXERCISES.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from inspect import signature
from math import isclose
from pkgutil import iter_modules
from traceback import extract_tb
from typing import Any

import tensorfleet

Arguments = tuple[Any, ...]
Judge = Callable[[Arguments, Any], str | None]


@dataclass(frozen=True)
class Exercise:
    """What `check` needs: the call to write, cases to try it on, and a judge."""

    signature: str
    cases: Callable[[], Iterable[Arguments]]
    judge: Judge


@dataclass(frozen=True)
class Passed:
    """The result of a check that found nothing wrong."""

    name: str
    num_cases: int

    def __repr__(self) -> str:
        return f"{self.name}: correct on all {self.num_cases} cases"


class ExerciseFailed(AssertionError):
    """A case failed. The message shows the call, what is wrong, and the answer."""

    def _render_traceback_(self) -> list[str]:
        # Jupyter calls this. The reader's own frames are not on the stack any more, so
        # the message is all.
        return str(self).splitlines()


def check(name: str, function: Callable[..., Any]) -> Passed:
    """Check `function` as the answer to the exercise `name`, "chapter.exercise".

    Tensors and arrays are welcome as answers: they are read through their `tolist`.
    Raises ExerciseFailed at the first case that fails; ValueError for an unknown name.
    """
    exercise = _find(name)
    if not callable(function):
        raise TypeError(
            f"the answer to {name} is {function!r}: "
            f"it must be a function {exercise.signature}"
        )
    num_cases = 0
    for arguments in exercise.cases():
        num_cases += 1
        given = deepcopy(arguments)
        misfit = _misfit(function, given, exercise.signature)
        if misfit:
            raise ExerciseFailed(_message(name, num_cases, arguments, misfit))
        try:
            answer = _plain(function(*given))
        except Exception as error:
            raise ExerciseFailed(
                _message(name, num_cases, arguments, _raised(error, function))
            ) from error
        complaint = _changed(arguments, given) or exercise.judge(arguments, answer)
        if complaint:
            raise ExerciseFailed(_message(name, num_cases, arguments, complaint))
    return Passed(name, num_cases)


def exercises(chapter: str) -> dict[str, Exercise]:
    """The exercises of a chapter by name.

    Raises ValueError for a chapter without any.
    """
    chapters = _chapters()
    if chapter not in chapters:
        raise ValueError(
            f"no exercises for the chapter {chapter!r}: "
            f"there are some for {', '.join(chapters)}"
        )
    found: dict[str, Exercise] = import_module(f"{__package__}.{chapter}").EXERCISES
    return found


def equals(reference: Callable[..., Any]) -> Judge:
    """A judge that wants exactly what `reference` returns."""
    return _compared(reference, lambda answer, expected: answer == expected)


def close_to(reference: Callable[..., Any]) -> Judge:
    """A judge that wants a list of floats within 1e-5 of those of `reference`, relative
    to the larger of each pair: what float32 and another order of additions may change.
    """
    near = partial(isclose, rel_tol=1e-5, abs_tol=1e-12)

    def close(answer: Any, expected: list[float]) -> bool:
        return (
            isinstance(answer, list)
            and len(answer) == len(expected)
            and all(isinstance(value, (int, float)) for value in answer)
            and all(map(near, answer, expected))
        )

    return _compared(reference, close)


def _compared(reference: Callable[..., Any], same: Callable[[Any, Any], bool]) -> Judge:
    def judge(arguments: Arguments, answer: Any) -> str | None:
        expected = reference(*arguments)
        if same(answer, expected):
            return None
        return f"returned {_short(answer)}\nexpected {_short(expected)}"

    return judge


def _chapters() -> list[str]:
    folder = f"{tensorfleet.__path__[0]}/exercises"
    return sorted(
        module.name for module in iter_modules([folder]) if module.name != "checking"
    )


def _find(name: str) -> Exercise:
    chapter, _, exercise = name.partition(".")
    found = exercises(chapter)
    if exercise not in found:
        names = ", ".join(f"{chapter}.{known}" for known in found)
        raise ValueError(f"no exercise is named {name!r}: the chapter has {names}")
    return found[exercise]


def _misfit(function: Callable[..., Any], given: Arguments, wanted: str) -> str | None:
    """What is wrong with the function's parameters, if anything."""
    try:
        parameters = signature(function)
    except ValueError:  # some built-in functions do not say
        return None
    try:
        parameters.bind(*given)
    except TypeError:
        return f"your function takes {parameters}; it must accept {wanted}"
    return None


def _plain(answer: Any) -> Any:
    if hasattr(answer, "tolist"):
        return answer.tolist()
    return (
        [_plain(item) for item in answer]
        if isinstance(answer, (list, tuple))
        else answer
    )


def _raised(error: Exception, function: Callable[..., Any]) -> str:
    """The error, with the last line of the reader's own file that led to it."""
    frames = extract_tb(error.__traceback__)
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    own = [frame for frame in frames if frame.filename == file]
    where = own[-1] if own else frames[-1]
    return (
        f"raised {type(error).__name__}: {error}\n"
        f"in line {where.lineno} of {where.name}: {where.line}"
    )


def _changed(arguments: Arguments, given: Arguments) -> str | None:
    return None if arguments == given else "changed its arguments: work on a copy"


def _message(name: str, case: int, arguments: Arguments, complaint: str) -> str:
    call = ", ".join(_short(argument) for argument in arguments)
    return f"{name} fails on case {case}.\ncalled with ({call})\n{complaint}"


def _short(value: Any, limit: int = 300) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"
