"""Messages that get lost or come twice, from a seed.

Reports, actions and finish notices travel over a network. A plan decides for each in
turn how many copies arrive: none, one or two. Requests and their answers are not
touched: a client knows whether it was answered.

Does not handle: delays beyond the report delay, and messages that overtake each other.
"""

from collections.abc import Iterable
from random import Random

KINDS = ("report", "action", "finish")


class MessageFaults:
    """Drops and doubles the given shares (per mille) of messages of the given kinds."""

    def __init__(
        self,
        seed: int,
        *,
        drop_per_mille: int = 0,
        double_per_mille: int = 0,
        kinds: Iterable[str] = KINDS,
    ) -> None:
        self.kinds = tuple(kinds)
        for kind in self.kinds:
            if kind not in KINDS:
                raise ValueError(
                    f"the kind of message is {kind!r}: it must be one of "
                    f"{', '.join(KINDS)}"
                )
        if min(drop_per_mille, double_per_mille) < 0 or (
            drop_per_mille + double_per_mille > 1000
        ):
            raise ValueError(
                f"{drop_per_mille} dropped and {double_per_mille} doubled per mille: "
                "both must be 0 or more, and their sum at most 1000"
            )
        self.drop = drop_per_mille
        self.double = double_per_mille
        self.random = Random(seed)

    def copies(self, kind: str) -> int:
        """How many copies of the next message arrive."""
        if kind not in self.kinds:
            return 1
        draw = int(self.random.random() * 1000)
        if draw < self.drop:
            return 0
        return 2 if draw < self.drop + self.double else 1
