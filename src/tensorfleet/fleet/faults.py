"""What happens to a fleet while it serves: faults, growth, new revisions.

Each is a small record that turns into timed events for a simulation. Times are shares
of the run, numbers of instances shares of the fleet (rounded, at least one), so that a
scenario keeps its shape when it is scaled. The first instances by number are hit.

Does not handle: faults at random times. The fault simulator of the tests has those.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tensorfleet.fleet.config import FleetConfig
from tensorfleet.fleet.deeds import Deed
from tensorfleet.fleet.simulation import Event
from tensorfleet.router.messages import AdapterKey, Revision


class Fault(Protocol):
    """Something that happens to `fleet` in a run of `duration_ns`.

    `keys` are the adapters, the most popular first.
    """

    def events(
        self, fleet: FleetConfig, keys: Sequence[AdapterKey], duration_ns: int
    ) -> Iterator[Event]: ...


@dataclass(frozen=True, slots=True)
class Crash:
    """Instances crash at once, and are back later with empty memories."""

    share: float
    at: float
    until: float

    def __post_init__(self) -> None:
        _check(self.share, self.at, self.until)

    def events(
        self, fleet: FleetConfig, keys: Sequence[AdapterKey], duration_ns: int
    ) -> Iterator[Event]:
        for name in _names(fleet, self.share):
            yield round(self.at * duration_ns), Deed("crash", name)
            back = Deed("restore", name, keep_host=False)
            yield round(self.until * duration_ns), back


@dataclass(frozen=True, slots=True)
class Slow:
    """Instances take `per_mille` thousandths of the usual time for everything."""

    share: float
    at: float
    until: float
    per_mille: int

    def __post_init__(self) -> None:
        _check(self.share, self.at, self.until)
        if self.per_mille < 1:
            raise ValueError(f"per_mille is {self.per_mille}: it must be 1 or more")

    def events(
        self, fleet: FleetConfig, keys: Sequence[AdapterKey], duration_ns: int
    ) -> Iterator[Event]:
        for name in _names(fleet, self.share):
            slow = Deed("set_slowdown", name, self.per_mille)
            yield round(self.at * duration_ns), slow
            normal = Deed("set_slowdown", name, 1000)
            yield round(self.until * duration_ns), normal


@dataclass(frozen=True, slots=True)
class BlackHole:
    """Instances answer every request with an error at once, and so look idle."""

    share: float
    at: float
    until: float

    def __post_init__(self) -> None:
        _check(self.share, self.at, self.until)

    def events(
        self, fleet: FleetConfig, keys: Sequence[AdapterKey], duration_ns: int
    ) -> Iterator[Event]:
        for name in _names(fleet, self.share):
            for when, on in ((self.at, True), (self.until, False)):
                yield round(when * duration_ns), Deed("fail_fast", name, on)


@dataclass(frozen=True, slots=True)
class Join:
    """New instances join, with empty memories: `share` of those there at the start."""

    share: float
    at: float

    def __post_init__(self) -> None:
        _check(self.share, self.at, 1)

    def events(
        self, fleet: FleetConfig, keys: Sequence[AdapterKey], duration_ns: int
    ) -> Iterator[Event]:
        for name in _names(fleet, self.share):
            config = replace(fleet.instances[0], name=f"new-{name}")
            yield round(self.at * duration_ns), Deed("add_instance", config)


@dataclass(frozen=True, slots=True)
class Leave:
    """Instances are taken away: they finish what they have and get no more."""

    share: float
    at: float

    def __post_init__(self) -> None:
        _check(self.share, self.at, 1)

    def events(
        self, fleet: FleetConfig, keys: Sequence[AdapterKey], duration_ns: int
    ) -> Iterator[Event]:
        for name in _names(fleet, self.share):
            yield round(self.at * duration_ns), Deed("remove_instance", name)


@dataclass(frozen=True, slots=True)
class Revisions:
    """The hub publishes a new revision of each of the `adapters` most popular adapters.

    They come one after the other from `at` to `until`. Every fifth is rolled back
    halfway from there to the end of the run: its old hash returns under a newer
    generation.
    """

    adapters: int
    at: float
    until: float

    def __post_init__(self) -> None:
        _check(1, self.at, self.until)
        if self.adapters < 1:
            raise ValueError(f"adapters is {self.adapters}: it must be 1 or more")

    def events(
        self, fleet: FleetConfig, keys: Sequence[AdapterKey], duration_ns: int
    ) -> Iterator[Event]:
        span = self.until - self.at
        chosen = keys[: self.adapters]
        for place, key in enumerate(chosen):
            when = round((self.at + span * place / len(chosen)) * duration_ns)
            yield when, Deed("publish", key, Revision("second", 1))
            if place % 5 == 4:
                later = (when + duration_ns) // 2
                yield later, Deed("publish", key, Revision("first", 2))


def _names(fleet: FleetConfig, share: float) -> list[str]:
    """The names of the first `share` of the instances, of one at least."""
    number = max(round(share * len(fleet.instances)), 1)
    return [config.name for config in fleet.instances[:number]]


def _check(share: float, at: float, until: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: it must be above 0 and at most 1")
    if not 0 <= at < until <= 1:
        raise ValueError(
            f"from {at} to {until} of the run: both must be from 0 to 1, and the first "
            "below the second"
        )
