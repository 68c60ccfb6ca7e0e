"""Amounts in words that fit a picture: three digits, a prefix, a unit."""


def amount(value: float, unit: str) -> str:
    """Three digits and a prefix: 1234567 bytes are 1.23 MB."""
    prefixes = ["", "k", "M", "G", "T", "P", "E", "Z"]
    while value >= 999.5 and len(prefixes) > 1:
        value, prefixes = value / 1000, prefixes[1:]
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    shown = f"{value:,.{digits}f}" if isinstance(value, float) else f"{value}"
    return f"{shown} {prefixes[0]}{unit}"


def duration(seconds: float) -> str:
    """Three digits and a unit: 0.00123 is 1.23 ms, 172800 are 2.00 days."""
    for size, unit in ((86_400, "days"), (3600, "hours"), (1, "s"), (1e-3, "ms")):
        if seconds >= size:
            return amount(seconds / size, unit)
    return amount(seconds * 1e6, "µs")


def percent(part: int, whole: int) -> float:
    """A share, to a tenth of a percent."""
    return round(100 * part / whole, 1)
