"""Loads and what bounds them: which nodes have room, and which has the least.

Loads come from outside, such as outstanding work. A node of weight w has room while its
load is below w times the limit,

    limit = max(floor, ⌈(1 + ε) · (total load + arriving load) / total weight⌉)

For loads of one unit, equal weights and no floor this is the cap ⌈(1 + ε) · m / n⌉ of
the theorem (see `assignment`), with the arriving ball counted in m. But nothing placed
earlier is ever moved here, and loads rise and fall on their own. So what holds is less:
a load is below the limit *when it is admitted*; the limit may fall later. `admit`
insists on it. (The approach of `hash-balance-factor` in HAProxy and in Envoy.)

The total may be smoothed over time, so that the limit does not fall with every request
that ends; a rise counts at once, or a burst would find all nodes full. The floor keeps
the limit from falling to one or two requests when there is little to do.

All numbers are integers, in any unit, and weights are kept in millionths, because a
ceiling forgives no rounding.
"""

from collections.abc import Iterable
from fractions import Fraction

from tensorfleet.hashing.capacity import growth
from tensorfleet.hashing.leastloaded import LeastLoaded
from tensorfleet.hashing.ring import check_weight
from tensorfleet.hashing.smoothing import SmoothedTotal

UNIT = 1_000_000  # weights are kept as integers, in millionths


class BoundedLoads:
    """The loads of some nodes. Without a ring, it says who may take more, not who does.

    `epsilon` is the slack, `floor` the least limit (in the unit of the loads),
    `smoothing_ns` the time over which a fall of the total is smoothed (0: not at all).
    `loads`, `total` and `weights` are there to be read, not to be changed.

    Raises TypeError or ValueError for parameters that are impossible.
    """

    def __init__(
        self, epsilon: float | Fraction, floor: int, smoothing_ns: int
    ) -> None:
        self._growth = growth(epsilon)
        check_integer("floor", floor, 0)
        check_integer("smoothing_ns", smoothing_ns, 0)
        self.epsilon = epsilon
        self.floor = floor
        self.smoothing_ns = smoothing_ns
        self.loads: dict[str, int] = {}
        self.weights: dict[str, float] = {}
        self.total = 0
        self._shares: dict[str, int] = {}  # the weights in millionths
        self._total_shares = 0
        self._num_unequal = 0  # nodes whose weight is not 1
        self._factor = self._growth.numerator * UNIT
        self._divisor = 0  # set with the first node
        self._half_growth = (1 + self._growth) / 2
        self._light, self._light_divisor = self._half_growth.numerator, 0
        self._smoothed = SmoothedTotal(smoothing_ns)
        self._index = LeastLoaded(self._relative_load)

    def add(self, node: str, weight: float = 1.0) -> None:
        """Add a node without load.

        Raises TypeError or ValueError for a weight that is none, or below a millionth.
        """
        shares = shares_of(weight)
        self.loads[node] = 0
        self.weights[node] = weight
        self._shares[node] = shares
        self._index.fell(node)
        self._weigh(shares, 1)

    def remove(self, node: str) -> None:
        """Remove a node and its load. Raises KeyError if it is not there."""
        self._check_known(node)
        self.total -= self.loads.pop(node)
        del self.weights[node]
        self._index.remove(node)
        self._weigh(self._shares.pop(node), -1)

    def limit(self, now: int, amount: int = 0) -> int:
        """The cap of a node of weight 1 when `amount` arrives at time `now`, in ns.

        Raises ValueError when the ring is empty.
        """
        if not self.loads:
            raise ValueError("the ring is empty: it must have a node to have a limit")
        total = self.total
        if self.smoothing_ns:
            smoothed = self._smoothed
            if not smoothed.since <= now < smoothed.until:
                smoothed.renew(total, now)
            if smoothed.value > total:
                total = smoothed.value
        limit = -(-self._factor * (total + amount) // self._divisor)
        return limit if limit > self.floor else self.floor

    def cap(self, node: str, now: int, amount: int = 0) -> int:
        """The load from which on `node` has no room: its weight times the limit.

        Raises KeyError for an unknown node.
        """
        self._check_known(node)
        return self._scaled(node, self.limit(now, amount))

    def with_room(self, nodes: Iterable[str], limit: int) -> list[str]:
        """Those of `nodes` whose load is below their weight times `limit`."""
        loads = self.loads
        if self._num_unequal:
            return [node for node in nodes if loads[node] < self._scaled(node, limit)]
        return [node for node in nodes if loads[node] < limit]

    def admit(self, node: str, amount: int, now: int, overflow: bool = False) -> None:
        """Add `amount` to the load of `node`.

        Raises ValueError when the node has no room and the decision did not say
        `overflow`, or when `amount` is negative; KeyError for an unknown node.
        """
        _check_amount(amount)
        self._check_known(node)
        if not overflow:
            cap = self._scaled(node, self.limit(now, amount))
            if self.loads[node] >= cap:
                raise ValueError(
                    f"{node!r} has the load {self.loads[node]}: "
                    f"it must be below {cap} to take {amount} more"
                )
        self.loads[node] += amount
        self.total += amount

    def offer(self, node: str, amount: int, limit: int) -> bool:
        """Admit `amount` if the node has room below `limit`, and say whether it had.

        `admit` in one step, for a caller that has asked for the limit. Checks no
        arguments, for it stands on a router's hot path.
        """
        load = self.loads[node]
        if load >= (self._scaled(node, limit) if self._num_unequal else limit):
            return False
        self.loads[node] = load + amount
        self.total += amount
        return True

    def offer_light(self, node: str, amount: int) -> bool:
        """Admit `amount` if the node is far from full, and say whether it was.

        It is below the floor, or at most half of epsilon above the average as it is
        now. Checks no arguments, for it stands on a router's hot path.
        """
        load, floor = self.loads[node], self.floor
        if self._num_unequal:
            floor = self._scaled(node, floor)
        if load >= floor and (
            load * self._light_divisor > self.total * self._light * self._shares[node]
        ):
            return False
        self.loads[node] = load + amount
        self.total += amount
        return True

    def release(self, node: str, amount: int) -> None:
        """Subtract `amount` from the load of `node`.

        Raises ValueError when the load is less than that, KeyError for an unknown node.
        """
        _check_amount(amount)
        self._check_known(node)
        if self.loads[node] < amount:
            raise ValueError(
                f"{amount} cannot be released from {node!r}: "
                f"its load is {self.loads[node]}"
            )
        self.loads[node] -= amount
        self.total -= amount
        self._index.fell(node)

    def set_load(self, node: str, load: int) -> None:
        """Replace the load of `node` by what it reports itself.

        Raises ValueError for a negative load, KeyError for an unknown node.
        """
        _check_amount(load)
        self._check_known(node)
        self.total += load - self.loads[node]
        self.loads[node] = load
        self._index.fell(node)

    def least_loaded(self) -> str:
        """The node with the least load for its weight, of several the first by name.

        Raises ValueError when the ring is empty.
        """
        if not self.loads:
            raise ValueError("the ring is empty: it has no least loaded node")
        return self._index.least()

    def least_bound(self) -> int:
        """A load that no node is below, found at once; it may be lower than need be.

        It is 0 where weights differ. Raises IndexError when the ring is empty.
        """
        return 0 if self._num_unequal else self._index.bound()

    def _relative_load(self, node: str) -> int | Fraction:
        load, shares = self.loads[node], self._shares[node]
        return load if shares == UNIT else Fraction(load * UNIT, shares)

    def _scaled(self, node: str, limit: int) -> int:
        return -(-limit * self._shares[node] // UNIT)

    def _weigh(self, shares: int, sign: int) -> None:
        """A node of these shares has come (sign 1) or gone (sign -1)."""
        self._total_shares += sign * shares
        self._num_unequal += sign * (shares != UNIT)
        self._divisor = self._growth.denominator * self._total_shares
        self._light_divisor = self._half_growth.denominator * self._total_shares

    def _check_known(self, node: str) -> None:
        if node not in self.loads:
            raise KeyError(f"the node {node!r} is not on the ring")


def shares_of(weight: float) -> int:
    """A weight in millionths, if it is a number above 0 and not less than one."""
    check_weight(weight)
    shares = round(weight * UNIT)
    if shares < 1:
        raise ValueError(f"the weight is {weight!r}: it must be at least 1/{UNIT}")
    return shares


def _check_amount(amount: int) -> None:
    if amount.__class__ is not int:
        raise TypeError(f"the load {amount!r} is no integer: it must be one")
    if amount < 0:
        raise ValueError(f"the load is {amount}: it must be 0 or more")


def check_integer(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {value!r}: it must be an integer")
    if value < least:
        raise ValueError(f"{name} is {value}: it must be {least} or more")
