"""Quantities print and store what they hold."""

import pytest

from tensorfleet.lab import MIME_TYPE, format_value, quantity


def test_a_quantity_shows_text_and_stores_data():
    bundle = quantity("bytes_moved", 1234567, "bytes")._repr_mimebundle_()
    assert bundle["text/plain"] == "bytes_moved = 1,234,567 bytes"
    assert bundle[MIME_TYPE] == {
        "name": "bytes_moved",
        "value": 1234567,
        "unit": "bytes",
    }


@pytest.mark.parametrize(
    ("value", "digits", "stored"),
    [(2 / 3, 3, 0.667), (123456.789, 4, 123500.0), (0.1 + 0.2, 6, 0.3), (5, None, 5)],
)
def test_significant_digits(value, digits, stored):
    assert quantity("q", value, digits=digits).value == stored


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.5, "0.5"),
        (3.0, "3"),
        (12345.25, "12,345.25"),
        (2.5e-7, "2.5e-07"),
    ],
)
def test_format(value, text):
    assert format_value(value) == text


def test_names_are_identifiers():
    with pytest.raises(ValueError, match="a quantity is named 'two words'"):
        quantity("two words", 1)
