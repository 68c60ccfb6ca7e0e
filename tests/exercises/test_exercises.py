"""Solutions pass, wrong answers fail, and the messages help."""

from importlib import import_module
from pkgutil import iter_modules

import numpy as np
import pytest
import torch

import tensorfleet.exercises
from tensorfleet.exercises import ExerciseFailed, check, exercises

CHAPTERS = [
    module.name
    for module in iter_modules(tensorfleet.exercises.__path__)
    if module.name != "checking"
]
MISTAKES = [
    pytest.param(name, mistake, id=f"{name}-{number}")
    for chapter in CHAPTERS
    for number, (name, mistake) in enumerate(
        import_module(f"tests.exercises.mistakes_{chapter}").MISTAKES
    )
]
NAMES = [f"{chapter}.{name}" for chapter in CHAPTERS for name in exercises(chapter)]


def solution(name):
    chapter, _, exercise = name.partition(".")
    return getattr(import_module(f"tests.exercises.solutions_{chapter}"), exercise)


@pytest.mark.parametrize("name", NAMES)
def test_solution_passes(name):
    result = check(name, solution(name))
    assert result.num_cases >= 5
    assert repr(result) == f"{name}: correct on all {result.num_cases} cases"


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "wrong", [lambda *_: None, lambda *_: [], lambda first, *_: first]
)
def test_wrong_answers_fail(name, wrong):
    with pytest.raises(ExerciseFailed, match=f"{name} fails on case"):
        check(name, wrong)


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_likely_mistakes_fail(name, mistake):
    with pytest.raises(ExerciseFailed):
        check(name, mistake)


def test_the_message_shows_call_answer_and_expectation():
    with pytest.raises(ExerciseFailed) as failure:
        check("scatter.histogram", lambda values, num_bins: [0] * num_bins)
    assert str(failure.value) == (
        "scatter.histogram fails on case 1.\n"
        "called with ([0, 1, 1, 3], 5)\n"
        "returned [0, 0, 0, 0, 0]\n"
        "expected [1, 2, 0, 1, 0]"
    )
    assert failure.value._render_traceback_() == str(failure.value).splitlines()


def test_an_answer_that_raises_is_told_so():
    with pytest.raises(
        ExerciseFailed,
        match=r"raised ZeroDivisionError: division by zero\nin line \d+ of <lambda>",
    ):
        check("scatter.histogram", lambda *_: 1 / 0)


def test_an_answer_that_changes_its_arguments_is_told_so():
    def histogram(values, num_bins):
        counts = solution("scatter.histogram")(values, num_bins)
        values.clear()
        return counts

    with pytest.raises(ExerciseFailed, match="changed its arguments"):
        check("scatter.histogram", histogram)


def test_tensors_and_arrays_are_answers_too():
    assert check(
        "scatter.histogram",
        lambda v, n: np.bincount(np.array(v, dtype=int), minlength=n),
    )
    assert check(
        "scatter.histogram",
        lambda v, n: torch.bincount(torch.tensor(v, dtype=torch.long), minlength=n),
    )


def test_float32_and_another_order_of_operations_are_close_enough_for_a_mean():
    def segment_mean(values, segment, num_segments):
        totals = torch.zeros(num_segments).index_add(
            0, torch.tensor(segment, dtype=torch.long), torch.tensor(values)
        )
        counts = torch.bincount(
            torch.tensor(segment, dtype=torch.long), minlength=num_segments
        )
        return totals / counts.clamp(min=1)

    assert check("scatter.segment_mean", segment_mean)
    with pytest.raises(ExerciseFailed, match="returned"):
        check("scatter.segment_mean", lambda *given: segment_mean(*given) * 1.0001)


def test_a_wrong_number_of_parameters_is_told_so():
    with pytest.raises(ExerciseFailed) as failure:
        check("scatter.histogram", lambda values: values)
    assert "your function takes (values); it must accept (values, num_bins)" in str(
        failure.value
    )


def test_unknown_names():
    with pytest.raises(ValueError, match=r"the chapter has scatter\.histogram"):
        check("scatter.histo", print)
    with pytest.raises(
        ValueError,
        match=r"no exercises for the chapter 'scater': there are some for .*scatter",
    ):
        check("scater.histogram", print)
    with pytest.raises(TypeError, match="must be a function"):
        check("scatter.histogram", 7)
