"""Ejection and silence, against a plain account of what the module promises."""

import pytest

from tensorfleet.router.config import SECOND, RouterConfig
from tensorfleet.router.health import Health
from tests.router.beliefs import belief

CONFIG = RouterConfig(
    eject_after_errors=3, ejection_ns=10 * SECOND, suspect_after_ns=3 * SECOND
)


class Fleet:
    """Instances that have all been heard a moment ago."""

    def __init__(self, names="wxyz"):
        self.health = Health(CONFIG)
        self.beliefs = {name: belief(name) for name in names}

    def fail(self, name, now, times=1):
        for _ in range(times):
            self.health.failed(self.beliefs[name], self.beliefs.values(), now)

    def available(self, now):
        for instance in self.beliefs.values():
            instance.heard_at = now
        return "".join(
            name
            for name, instance in self.beliefs.items()
            if self.health.is_available(instance, now)
        )


def test_three_errors_in_a_row_eject_and_two_do_not():
    fleet = Fleet()
    fleet.fail("w", 0, times=2)
    assert fleet.available(0) == "wxyz"
    fleet.fail("w", 0)
    assert fleet.available(0) == "xyz"
    assert fleet.available(10 * SECOND - 1) == "xyz"
    assert fleet.available(10 * SECOND) == "wxyz"


def test_a_success_between_errors_starts_the_count_again():
    fleet = Fleet()
    for now in range(10):
        fleet.fail("w", now, times=2)
        fleet.health.succeeded(fleet.beliefs["w"])
    assert fleet.available(10) == "wxyz"


def test_on_probation_one_error_ejects_for_twice_as_long():
    fleet = Fleet()
    now = 0
    fleet.fail("w", now, times=3)
    for length in (10, 20, 40, 80, 160, 320, 640, 640):
        assert fleet.available(now + length * SECOND - 1) == "xyz"
        now += length * SECOND
        assert fleet.available(now) == "wxyz"
        fleet.fail("w", now)
    now += 640 * SECOND
    fleet.health.succeeded(fleet.beliefs["w"])  # and all is forgiven
    fleet.fail("w", now, times=3)
    assert fleet.available(now + 10 * SECOND) == "wxyz"


def test_errors_that_come_back_after_the_ejection_do_not_prolong_it():
    fleet = Fleet()
    fleet.fail("w", 0, times=3)
    fleet.fail("w", SECOND, times=20)
    assert fleet.available(10 * SECOND) == "wxyz"


@pytest.mark.parametrize(
    ("names", "ejected"), [("w", 0), ("wx", 1), ("wxy", 1), ("wxyz", 2), ("vwxyz", 2)]
)
def test_never_more_than_half_are_ejected(names, ejected):
    fleet = Fleet(names)
    for name in names:
        fleet.fail(name, 0, times=50)
    assert len(fleet.available(0)) == len(names) - ejected


def test_who_is_silent_for_longer_than_three_seconds_is_not_available():
    fleet = Fleet("w")
    (instance,) = fleet.beliefs.values()
    instance.heard_at = SECOND
    assert fleet.health.is_available(instance, 4 * SECOND)
    assert not fleet.health.is_available(instance, 4 * SECOND + 1)
