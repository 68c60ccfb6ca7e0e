"""A panel: an explorable as a small state machine in plain Python.

    controls            what the reader may set or press, declared once
    act(name, value)    a control is set, or a button pressed
    advance(seconds)    time passes
    work()              no time passes, but what a `busy` scene waits for goes on
    frame()             what to show now, as a `Scene`

The page, a notebook and a test drive the same object. Whatever comes from outside (a
link, a text field, another program) is checked here against the declaration, so that a
panel's own code sees only values that it allows. The same controls, actions and seconds
give the same frames.

Does not handle: several readers of one panel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from tensorfleet.explore.scene import Scene

Value = bool | int | float | str
LONGEST_STEP = 1.0  # seconds: a tab that was away does not catch up


@dataclass(frozen=True, slots=True)
class Slider:
    """A number from `lowest` to `highest`, in steps from the lowest.

    It is an int where `step` is one.
    """

    name: str
    label: str
    lowest: float
    highest: float
    step: float
    default: float
    unit: str = ""

    def checked(self, value: Value) -> Value:
        """`value` as the panel gets it; TypeError or ValueError where that is none."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{self.name} is {value!r}: it must be a number")
        if not (isfinite(value) and self.lowest <= value <= self.highest):
            raise ValueError(
                f"{self.name} is {value}: it must be from {self.lowest} to "
                f"{self.highest}"
            )
        steps = round((value - self.lowest) / self.step)
        number = self.lowest + steps * self.step
        return int(number) if isinstance(self.step, int) else round(number, 9)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `options`."""

    name: str
    label: str
    options: tuple[str, ...]
    default: str

    def checked(self, value: Value) -> Value:
        if value not in self.options:
            raise ValueError(
                f"{self.name} is {value!r}: it must be one of {', '.join(self.options)}"
            )
        return value


@dataclass(frozen=True, slots=True)
class Toggle:
    """On or off."""

    name: str
    label: str
    default: bool = False

    def checked(self, value: Value) -> Value:
        if not isinstance(value, bool):
            raise TypeError(f"{self.name} is {value!r}: it must be true or false")
        return value


@dataclass(frozen=True, slots=True)
class Words:
    """A line of text of at most `longest` characters."""

    name: str
    label: str
    default: str = ""
    longest: int = 200

    def checked(self, value: Value) -> Value:
        if not isinstance(value, str):
            raise TypeError(f"{self.name} is {value!r}: it must be a text")
        if len(value) > self.longest or not value.isprintable():
            raise ValueError(
                f"{self.name} has {len(value)} characters: it must be one line of "
                f"{self.longest} at most"
            )
        return value


@dataclass(frozen=True, slots=True)
class Button:
    """Something that can be done, whenever it is pressed."""

    name: str
    label: str


Setting = Slider | Choice | Toggle | Words
Control = Setting | Button


class Panel:
    """Base of all panels. A subclass declares `controls` and overrides the last seven.

    `title` names it for readers, `moves` says whether it changes as time passes, so
    that it is advanced; `state` holds the value of each setting. Raises KeyError for a
    name that is not declared, TypeError or ValueError for a value that the declaration
    excludes.
    """

    title: ClassVar[str] = ""
    moves: ClassVar[bool] = False
    controls: ClassVar[tuple[Control, ...]] = ()

    def __init__(self, **state: Value) -> None:
        self.state: dict[str, Value] = {
            control.name: control.default
            for control in self.controls
            if not isinstance(control, Button)
        }
        self.state |= self._checked(state)
        self.reset()

    def act(self, name: str, value: Value | None = None) -> None:
        """Set a setting, or press a button, which takes no value."""
        control = self._control(name)
        if isinstance(control, Button):
            if value is not None:
                raise ValueError(f"{name} is a button: {value!r} cannot be set on it")
            self.pressed(name)
        elif value is None:
            raise ValueError(f"{name} is not a button: it needs a value")
        else:
            self.state[name] = control.checked(value)
            self.changed(name)

    def advance(self, seconds: float) -> None:
        """Let time pass: `LONGEST_STEP` at most, however long the page was away."""
        if not (isfinite(seconds) and seconds >= 0):
            raise ValueError(f"seconds is {seconds}: it must be 0 or more")
        self.passed(min(seconds, LONGEST_STEP))

    def frame(self) -> Scene:
        """What to show now."""
        raise NotImplementedError

    def reset(self) -> None:
        """Begin again, with the settings as they are."""

    def changed(self, name: str) -> None:
        """A setting has a new value; begins again unless overridden."""
        self.reset()

    def pressed(self, name: str) -> None:
        """A button was pressed."""

    def passed(self, seconds: float) -> None:
        """Time has passed."""

    def work(self) -> None:
        """Do some of what a busy scene waits for: a few hundredths of a second's."""

    def pick(self, value: str) -> None:
        """A mark was clicked that has this value as its `pick`."""

    def _control(self, name: str) -> Control:
        for control in self.controls:
            if control.name == name:
                return control
        raise KeyError(
            f"there is no control {name!r}: there are "
            f"{', '.join(control.name for control in self.controls) or 'none'}"
        )

    def _checked(self, state: Mapping[str, Value]) -> dict[str, Value]:
        found = {}
        for name, value in state.items():
            control = self._control(name)
            if isinstance(control, Button):
                raise ValueError(f"{name} is a button: it has no state")
            found[name] = control.checked(value)
        return found
