"""What the standard library writes as it runs was compiled with the book.

A dataclass writes its methods as text and has Python compile it, and so does a named
tuple. In a browser that is a good part of the time in which a panel is imported. Python
imports this module as it starts; `compiled` has the code for each text.
"""

import collections
import dataclasses
import marshal
from types import CodeType
from typing import Any

FILE = "written.marshal"  # beside this module, once it has been made

Names = dict[str, Any]


def stored() -> dict[str, CodeType]:
    assert __spec__ is not None
    loader: Any = __spec__.loader  # of an archive
    try:
        found: dict[str, CodeType] = marshal.loads(
            loader.get_data(f"{loader.archive}/{FILE}")
        )
    except OSError:
        return {}
    return found


compiled = stored()


def code(text: str, mode: str) -> CodeType:
    found = compiled.get(text)
    if found is None:
        found = compiled[text] = compile(text, "<string>", mode)
    return found


def run(text: str, names: Names, found: Names) -> None:
    exec(code(text, "exec"), names, found)


def value(text: str, names: Names) -> object:
    return eval(code(text, "eval"), names)


# They take the place of the built-in functions in these two modules alone.
dataclasses.exec = run  # type: ignore[attr-defined]
collections.eval = value  # type: ignore[attr-defined]
