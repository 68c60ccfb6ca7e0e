"""What an instance tells the simulation that it belongs to."""

from typing import Protocol

from tensorfleet.fleet.flights import Flight


class Station(Protocol):
    """Where flights go that leave an instance."""

    def ended(self, flight: Flight, now: int) -> None:
        """The flight has been served."""

    def handed_on(self, flight: Flight, now: int) -> None:
        """The first token is written; the KV is to go to a decode instance."""

    def refused(self, flight: Flight, now: int, reason: str) -> None:
        """The flight can never be served here."""
