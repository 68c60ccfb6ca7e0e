"""Quantities: the numbers that a lab computes and the pages of the book quote by name.

A lab's last line in a cell, `quantity("hottest_words", 12, "words")`, shows
`hottest_words = 12 words` and stores the same as data in the cell's output. The pages
quote it as {measured}`scatter.hottest_words`, so that no number is typed twice, and a
stored output that changes changes the book.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MIME_TYPE = "application/vnd.tensorfleet.quantity+json"


@dataclass(frozen=True)
class Quantity:
    """A named number with its unit; shown by Jupyter as text and stored as data."""

    name: str
    value: float
    unit: str

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(
                f"a quantity is named {self.name!r}: "
                "it must be letters, digits and underscores"
            )

    def __str__(self) -> str:
        return with_unit(self.value, self.unit)

    def __repr__(self) -> str:
        return f"{self.name} = {self}"

    def _repr_mimebundle_(self, **_: object) -> Mapping[str, object]:
        data = {"name": self.name, "value": self.value, "unit": self.unit}
        return {"text/plain": repr(self), MIME_TYPE: data}


def quantity(
    name: str, value: float, unit: str = "", digits: int | None = None
) -> Quantity:
    """A quantity, rounded to `digits` significant digits where given.

    So it prints alike everywhere.
    """
    return Quantity(
        name, value if digits is None else float(f"{value:.{digits}g}"), unit
    )


def with_unit(value: float, unit: str) -> str:
    """The number and its unit: 12 words, 8%, 31."""
    separator = "" if unit in ("", "%") else " "
    return f"{format_value(value)}{separator}{unit}"


def format_value(value: float) -> str:
    """Digits grouped by thousands.

    1234567 gives 1,234,567, 0.5 gives 0.5, 3.0 gives 3.
    """
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,}" if abs(value) >= 1e-4 else f"{value:g}"
