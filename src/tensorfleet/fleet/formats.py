"""The lines of trace files: three formats, each recognised by its content.

A reader turns a file into `Line`s, one for each request, with the number of the line it
came from. Times are exact: decimals become integer nanoseconds without a float between.
`traces` says what the formats are and makes workloads of them.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple

BLOCK_TOKENS = 512
AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
BURSTGPT = ("Timestamp", "Request tokens", "Response tokens")
LONGEST = 10**12  # seconds, before they are turned into integers
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Line(NamedTuple):
    """One request as its file has it; `time` in ns since some beginning."""

    number: int
    time: int
    prompt_tokens: int
    output_tokens: int
    blocks: list[int] | None


def read_lines(path: Path) -> Iterator[Line]:
    """The requests of a file; ValueError with file and line where one is malformed."""
    # What is not text must fail as a malformed line, with its number.
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        number, first = 0, ""
        while not first:
            number += 1
            line = file.readline()
            if not line:
                return
            first = line.strip()
        if first.startswith("{"):
            yield from _mooncake(path, [(number, first)])
            yield from _mooncake(path, enumerate(file, number + 1))
            return
        header = [name.strip() for name in next(csv.reader([first]))]
        for columns in (AZURE, BURSTGPT):
            if set(columns) <= set(header):
                yield from _table(path, file, number, header, columns)
                return
    raise ValueError(
        f"{path}:{number}: not a known trace: a CSV file begins with the columns "
        f"{', '.join(AZURE)} (Azure) or {', '.join(BURSTGPT)} (BurstGPT), a Mooncake "
        "file with a JSON object"
    )


def _table(
    path: Path,
    file: Iterable[str],
    before: int,
    header: list[str],
    columns: tuple[str, ...],
) -> Iterator[Line]:
    places = [header.index(name) for name in columns]
    to_time = _datetime_ns if columns is AZURE else _seconds_ns
    rows = csv.reader(file)
    while True:
        try:
            row = next(rows)
            if not any(field.strip() for field in row):
                continue
            if len(row) != len(header):
                raise ValueError(f"{len(row)} fields instead of {len(header)}")
            time, prompt, output = (row[place].strip() for place in places)
            yield Line(
                before + rows.line_num,
                to_time(time),
                _count(columns[1], _integer(columns[1], prompt), 1),
                _count(columns[2], _integer(columns[2], output), 0),
                None,
            )
        except StopIteration:
            return
        except (ValueError, csv.Error) as error:
            raise ValueError(f"{path}:{before + rows.line_num}: {error}") from None


def _mooncake(path: Path, lines: Iterable[tuple[int, str]]) -> Iterator[Line]:
    for number, text in lines:
        if not text.strip():
            continue
        try:
            yield _mooncake_line(number, text)
        except json.JSONDecodeError as error:
            raise ValueError(f"{path}:{number}: not JSON: {error.msg}") from None
        except ValueError as error:
            raise ValueError(f"{path}:{number}: {error}") from None


def _decimal(text: str) -> Decimal:
    """The number exactly; infinity beyond what decimals hold, which machines set."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("Infinity")


def _mooncake_line(number: int, text: str) -> Line:
    entry = json.loads(text, parse_float=_decimal)
    if not isinstance(entry, dict):
        raise ValueError(f"{text.strip()[:40]!r} is not a JSON object")
    for name in ("timestamp", "input_length", "output_length", "hash_ids"):
        if name not in entry:
            raise ValueError(f"there is no {name}")
    time = entry["timestamp"]
    if isinstance(time, bool) or not isinstance(time, int | Decimal):
        raise ValueError(f"timestamp is {time!r}: it must be milliseconds")
    if not 0 <= time < LONGEST * 1000:
        raise ValueError(f"timestamp is {time!r}: it must be milliseconds, 0 or more")
    prompt = _count("input_length", entry["input_length"], 1)
    output = _count("output_length", entry["output_length"], 0)
    blocks = entry["hash_ids"]
    if not isinstance(blocks, list) or not all(type(block) is int for block in blocks):
        raise ValueError(f"hash_ids is {blocks!r}: it must be a list of integers")
    if not prompt // BLOCK_TOKENS <= len(blocks) <= -(-prompt // BLOCK_TOKENS):
        raise ValueError(
            f"{len(blocks)} hash_ids for {prompt} tokens: there is one for each "
            f"{BLOCK_TOKENS}"
        )
    return Line(number, int(time * 1_000_000), prompt, output, blocks)


def _integer(name: str, text: str) -> int:
    # int() would take "1_000" and other scripts' digits as well.
    if not (text.isascii() and text.removeprefix("-").isdigit()):
        raise ValueError(f"{name} is {text!r}: it must be an integer")
    return int(text)


def _count(name: str, value: object, lowest: int) -> int:
    if type(value) is not int or value < lowest:
        raise ValueError(f"{name} is {value!r}: it must be an integer from {lowest} on")
    return value


def _seconds_ns(text: str) -> int:
    """Decimal seconds as nanoseconds."""
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"Timestamp is {text!r}: it must be seconds") from None
    if not seconds.is_finite() or not 0 <= seconds < LONGEST:
        raise ValueError(f"Timestamp is {text!r}: it must be seconds, 0 or more")
    return int(seconds * 1_000_000_000)


def _datetime_ns(text: str) -> int:
    """A date and time, with up to nine decimals of a second, as nanoseconds."""
    whole, _, rest = text.partition(".")
    zone = rest.find("+")
    decimals, offset = (rest, "") if zone < 0 else (rest[:zone], rest[zone:])
    try:
        moment = datetime.fromisoformat(whole + offset)
    except ValueError:
        raise ValueError(f"TIMESTAMP is {text!r}: it must be a date and time") from None
    if decimals and not (decimals.isascii() and decimals.isdigit()):
        raise ValueError(f"TIMESTAMP is {text!r}: it must be a date and time")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - EPOCH
    seconds = since.days * 86_400 + since.seconds
    return seconds * 1_000_000_000 + int(decimals[:9].ljust(9, "0"))
