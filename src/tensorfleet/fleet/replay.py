"""What if that one request had gone elsewhere? The same past, one decision changed.

    snapshot ──the same arrivals, the same actions──→ the request arrives
                                                       ├→ gpu-0, and on to its end
                                                       ├→ gpu-1, and on to its end
                                                       └→ ...

A `Past` keeps three snapshots of a running simulation and what was done since. A
`Replay` goes back to the last one before a request, runs to the moment when it arrives,
and from there once for each instance. All others are routed by the policy as it then
sees fit, with the same random numbers, so that nothing differs but for this request.

A snapshot is the pickled simulation: some 15 ms for 16 instances with 600 requests
under way, and half of that to read it again.

Does not handle: a request that came before the oldest snapshot, and a fleet that is
overrun, of which no snapshot is taken, since that would take too long.
"""

import gc
import pickle
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from tensorfleet.fleet.deeds import Deed
from tensorfleet.fleet.flights import Flight
from tensorfleet.fleet.live import Recording
from tensorfleet.fleet.metrics import SECOND
from tensorfleet.fleet.routing import RouterLike
from tensorfleet.fleet.simulation import Simulation
from tensorfleet.router.membership import Membership
from tensorfleet.router.messages import Request
from tensorfleet.router.policy import Choice, Policy
from tensorfleet.router.router import Router

KEPT = 3  # snapshots
MOST_FLYING = 1200  # requests under way in a fleet of which a snapshot is taken
SLICE_NS = SECOND // 10
PATIENCE_NS = 60 * SECOND  # after which a replayed request counts as endless


class Snapshot(NamedTuple):
    """A simulation at a time, after so many arrivals; another has been read already.

    `done` counts what had been done to it.
    """

    time: int
    arrived: int
    data: bytes
    done: int


@contextmanager
def _uncollected() -> Iterator[None]:
    """The collector would search all that pickling makes, again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def dump(simulation: Simulation, done: int = 0) -> Snapshot:
    """The simulation as it is. It should have forgotten the flights that ended."""
    with _uncollected():
        data = pickle.dumps(simulation, pickle.HIGHEST_PROTOCOL)
    return Snapshot(simulation.now, simulation.num_arrived, data, done)


def load(snapshot: Snapshot, recording: Recording) -> Simulation:
    """A simulation that goes on from there, with what arrived then."""
    with _uncollected():
        simulation: Simulation = pickle.loads(snapshot.data)  # our own bytes
    simulation.feed(recording.branch(snapshot.arrived + 1))
    return simulation


class Past:
    """Snapshots of a simulation every `interval_ns`, and what was done to it since."""

    def __init__(
        self, simulation: Simulation, recording: Recording, interval_ns: int
    ) -> None:
        self.simulation = simulation
        self.recording = recording
        self.interval_ns = interval_ns
        self.snapshots = [dump(simulation)]
        self._kept_at = simulation.now
        self.deeds: list[tuple[int, Deed]] = []
        self._forgotten = 0  # deeds

    def do(self, deed: Deed) -> None:
        """Do something to the simulation now, as it will be done in a replay."""
        deed(self.simulation)
        self.deeds.append((self.simulation.now, deed))

    def keep(self) -> None:
        """Take a snapshot if it is time, and let go of the oldest."""
        if self.simulation.now - self._kept_at < self.interval_ns:
            return
        self._kept_at = self.simulation.now
        done = self._forgotten + len(self.deeds)
        if self.simulation.num_flying <= MOST_FLYING:
            self.snapshots.append(dump(self.simulation, done))
            del self.snapshots[:-KEPT]
        else:
            del self.snapshots[:1]
        oldest = self.snapshots[0].done if self.snapshots else done
        del self.deeds[: oldest - self._forgotten]
        self._forgotten = oldest

    def since(self, snapshot: Snapshot) -> list[tuple[int, Deed]]:
        """What was done after it, and when."""
        return self.deeds[snapshot.done - self._forgotten :]

    @property
    def needed(self) -> int:
        """The number of the first arrival that a replay may want."""
        if self.snapshots:
            return self.snapshots[0].arrived + 1
        return self.simulation.num_arrived + 1

    def before(self, time: int) -> Snapshot | None:
        """The last snapshot that does not contain what arrived at `time`."""
        fitting = [one for one in self.snapshots if one.time < time]
        return fitting[-1] if fitting else None


class Replay:
    """One flight sent to each instance of `names` in turn.

    `ended` are the flights that it became, by instance, as far as `work` has come.
    Those that are not in the router's pool at that time are left out. Raises ValueError
    when the flight is older than the past.
    """

    def __init__(self, past: Past, flight: Flight, names: Sequence[str]) -> None:
        snapshot = past.before(flight.arrival)
        if snapshot is None:
            raise ValueError(
                f"request {flight.request.id} came before the oldest snapshot"
                if past.snapshots
                else "too much is under way for a snapshot"
            )
        self.flight = flight
        self.names = tuple(names)
        self.recording = past.recording
        self.deeds = past.since(snapshot)
        self.ended: dict[str, Flight] = {}
        self.is_over = False
        self._steps = self._run(load(snapshot, past.recording))
        self._credit = 0

    def work(self, requests: int) -> None:
        """Go on for about as many requests as this."""
        self._credit += requests
        while self._credit > 0 and not self.is_over:
            done = next(self._steps, None)
            if done is None:
                self.is_over = True
            else:
                self._credit -= done

    def _run(self, simulation: Simulation) -> Iterator[int]:
        """All of it; yields how many requests have arrived in each slice."""
        request, arrival = self.flight.request, self.flight.arrival
        yield from self._to(simulation, arrival - 1, self.deeds)
        before = dump(simulation)
        later = [deed for deed in self.deeds if deed[0] >= arrival]
        for name in self.names:
            simulation = load(before, self.recording)
            if not overrule(simulation.routers[self.flight.router], request, name):
                continue
            simulation.advance(arrival)
            flight = next(
                flight
                for flight in reversed(simulation.flights)
                if flight.request.id == request.id
            )
            steps = self._to(simulation, arrival + PATIENCE_NS, later)
            while flight.status == "flying":
                done = next(steps, None)
                if done is None:
                    break
                yield done
            self.ended[name] = flight
            yield 1

    def _to(
        self, simulation: Simulation, until: int, deeds: Sequence[tuple[int, Deed]]
    ) -> Iterator[int]:
        """Up to `until` in slices, each deed done when it was done then."""
        stops = [(time, deed) for time, deed in deeds if time <= until]
        for time, deed in [*stops, (until, None)]:
            while simulation.now < time:
                before = simulation.num_arrived
                simulation.advance(min(simulation.now + SLICE_NS, time))
                yield simulation.num_arrived - before + 1
            if deed is not None:
                deed(simulation)


class Overruled(Policy):
    """A policy, but for one request, which goes to `name`; then it is itself again.

    The policy is asked all the same, so that its draws and counts stay in step.
    """

    def __init__(
        self, policy: Policy, members: Membership, request: Request, name: str
    ) -> None:
        super().__init__(policy.pool, policy.config, policy.random)
        self.policy = policy
        self.members = members
        self.request_id = request.id
        self.name = name
        self.counts_requests = policy.counts_requests
        self.is_bounded = policy.is_bounded

    def choose(self, request: Request, work: int, now: int) -> Choice:
        choice = self.policy.choose(request, work, now)
        if request.id != self.request_id:
            return choice
        members = self.members
        members.prefilling[request.key.model] = self.policy
        if choice[0] == self.name:
            return choice
        # A bounded policy has counted it there already.
        members.update_load(members.instances[choice[0]])
        return self.name, "the reader", (), 0, True


def overrule(router: RouterLike, request: Request, name: str) -> bool:
    """Let the next decision on the request be `name`; False if it is not in the pool.

    Nothing else may happen in between but decisions on requests.
    """
    if not isinstance(router, Router):
        raise TypeError(f"{router!r} cannot be overruled: it must be a Router")
    members = router.members
    policy = members.policy_for(request)
    if policy is None or name not in policy.pool.instances:
        return False
    overruled = Overruled(policy, members, request, name)
    members.prefilling[request.key.model] = overruled
    return True
