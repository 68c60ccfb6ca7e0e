"""A fault simulator: thousands of small fleets in trouble, each drawn from one seed.

    python -m tensorfleet.fleet.chaos --seeds 1000 --start 0

runs the seeds 0 to 999 (`chaos_plan` says what a seed decides) under watch (`witness`
and `fleet_witness`), and prints a line for each that breaks a promise; the line names
the command that repeats it. While faults happen:

- every request ends exactly once: served, failed or shed, the latter two with a reason;
- one revision serves it from its first token to its last;
- it is tried again at most once, elsewhere, and never after a token was sent;
- a router that bounds its loads admits none above the bound of the definition, unless
  the decision says overflow;
- what a router counts as outstanding is what it sent and has not got back;
- KV, adapter slots and bytes are what is held, within the limits, and nothing in use is
  evicted;
- KV is reused by the revision that made it;
- no router has an instance in its pool that has been silent for too long.

Then the faults stop, and after `RECOVERY_NS`

- new requests are served, all of them;
- every router has every instance in its pool, and believes in no work that is not
  there; all routers have the same replicas;
- every adapter on every instance is in its newest generation, and older ones are gone.
  A rollout that failed on two instances may be halted: then a newer generation ends it.

Every tenth seed runs again, and once more on instances that step every iteration: the
same decisions, reports and records must come of it (FoundationDB is tested in this way:
Zhou et al., "FoundationDB: A Distributed Unbundled Transactional Key Value Store",
SIGMOD 2021, section 4).

Does not handle: shrinking. A failing seed is small enough to be read.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from traceback import extract_tb

from tensorfleet.fleet.chaos_plan import RECOVERY_NS, Plan, draw_plan
from tensorfleet.fleet.fleet_witness import WatchedSimulation, check_memory
from tensorfleet.fleet.instance import Instance
from tensorfleet.fleet.message_faults import MessageFaults
from tensorfleet.fleet.revisions import READY
from tensorfleet.fleet.simulation import Event
from tensorfleet.fleet.witness import WatchedRouter, promise
from tensorfleet.router import AdapterKey, Revision, Router
from tensorfleet.router.config import SECOND
from tensorfleet.router.leader import LeaseStore

REPEAT_EVERY = 10
PATIENCE_NS = 30 * SECOND


class World(WatchedSimulation):
    """The simulation of a plan; its methods are what happens to it."""

    def __init__(self, plan: Plan, *, reference: bool = False) -> None:
        self.plan = plan
        self.lease = LeaseStore(SECOND // 2) if plan.num_routers > 1 else None
        self.restarts = 0
        arrivals = [(at, replace(request), out) for at, request, out in plan.arrivals]
        super().__init__(
            plan.fleet,
            [self._router(index) for index in range(plan.num_routers)],
            arrivals,
            events=[self._event_of(event) for event in plan.events],
            reference=reference,
        )
        self.diaries: list[list[tuple[object, ...]]] = []

    @staticmethod
    def _event_of(event: tuple[int, str, tuple[object, ...]]) -> Event:
        time, name, arguments = event
        return time, lambda world: getattr(world, name)(*arguments)

    def _router(self, index: int) -> WatchedRouter:
        router = Router(
            self.plan.router,
            name=f"router-{index}",
            seed=self.plan.seed + index,
            lease=self.lease,
        )
        return WatchedRouter(router, self.plan.lossless)

    def watched(self) -> list[WatchedRouter]:
        return [r for r in self.routers if isinstance(r, WatchedRouter)]

    # --- what a plan may ask for, beside the simulation's own --------------------

    def restore_empty(self, name: str) -> None:
        self.restore(name, keep_host=False)

    def restart_router(self, index: int) -> None:
        offset = self.watched()[index].offset
        self.diaries.append(self.watched()[index].diary)
        fresh = self._router(index)
        fresh.offset = offset
        fresh.steady_since = self.now
        self.replace_router(index, fresh)

    def set_clock(self, index: int, offset: int) -> None:
        self.watched()[index].offset = offset
        self.watched()[index].steady_since = self.now

    def lose_messages(
        self, seed: int, lost: int, doubled: int, kinds: tuple[str, ...]
    ) -> None:
        faults = MessageFaults(
            seed, drop_per_mille=lost, double_per_mille=doubled, kinds=kinds
        )
        self.set_message_faults(faults)

    def deliver_messages(self) -> None:
        self.set_message_faults(None)

    # --- the end -----------------------------------------------------------------

    def record(self) -> tuple[object, ...]:
        """All that was decided, reported and done."""
        flights = [
            (
                flight.request.id,
                flight.status,
                flight.reason,
                flight.first_token,
                flight.end,
                flight.instance,
                flight.generation,
                flight.retries,
                flight.preemptions,
                flight.cached_tokens,
            )
            for flight in self.flights
        ]
        return flights, self.diaries, [router.diary for router in self.watched()]

    def unsettled(self) -> Iterator[str]:
        """What is not as it should be once faults have stopped, in words."""
        flying = [f.request.id for f in self.flights if f.status == "flying"]
        if flying:
            yield f"requests {flying} have not ended"
        present = [name for name in self.instances if name not in self.removed]
        tables = [
            {key: set(names) for key, names in router.router.replicas().items()}
            for router in self.watched()
        ]
        if any(table != tables[0] for table in tables):
            yield f"the routers disagree on the replicas: {tables}"
        for router in self.watched():
            inner = router.router
            pools = [policy.pool for policy in inner.members.policies()]
            names = {name for pool in pools for name in pool.names}
            if names != set(present):
                yield f"{router.name} has {sorted(names)} of {present} in its pools"
            # An instance that has left reports no more, so a lost notice stays lost.
            waits = [id for id, sent in inner.sent.items() if sent[1].name in present]
            if waits:
                yield f"{router.name} still waits for {waits}"
            for name, instance in inner.members.instances.items():
                if instance.num_requests or instance.load:
                    yield (
                        f"{router.name} believes in {instance.num_requests} requests "
                        f"and {instance.load} ns of work on {name}"
                    )
        for name in present:
            yield from self._leftovers(name)

    def _leftovers(self, name: str) -> Iterator[str]:
        instance = self.instances[name]
        store = instance.store
        if instance.memory.running_tokens or store.loads:
            yield f"{name} holds KV, or waits for adapters, with nothing to do"
        for key, adapter in store.adapters.items():
            newest = self.hub.newest.get(key, 0)
            for generation, weights in adapter.held.items():
                if weights.users or adapter.waiting:
                    yield f"{name} counts requests for {key} that have ended"
                if weights.state != READY or generation != newest:
                    yield f"{name} has generation {generation} of {key}, not {newest}"

    def halted(self) -> set[AdapterKey]:
        """Adapters whose newest revision has failed on two instances."""
        return {
            key
            for router in self.watched()
            for key, names in router.failures.items()
            if len(names) > 1
        }


def run(plan: Plan, *, reference: bool = False) -> World:
    """Run a plan to its end and beyond. Raises Broken, or whatever goes wrong."""
    world = World(plan, reference=reference)
    last = plan.arrivals[-1][0]
    world.advance(last)
    _settle(world)
    return world


def _settle(world: World) -> None:
    """Wait until everything is as it should be; halted rollouts get a new revision."""
    end, healed = world.now + PATIENCE_NS, False
    while wrong := list(world.unsettled()):
        promise(world.now < end, f"{PATIENCE_NS // SECOND} s after the end:", wrong[0])
        if not healed and world.now > end - PATIENCE_NS // 2:
            healed = True
            for key in sorted(world.halted()):
                generation = world.hub.newest.get(key, 0) + 1
                world.publish(key, Revision(f"repair {generation}", generation))
        world.advance(world.now + SECOND // 2)
    for flight in world.flights:
        who = f"request {flight.request.id}"
        promise(world.ends[flight.request.id] == 1, who, "has not ended once")
        late = flight.arrival >= world.plan.faults_end + RECOVERY_NS
        promise(
            flight.status == "served" or not late,
            who,
            f"came after the faults and is {flight.status}: {flight.reason}",
        )
    for instance in world.instances.values():
        if isinstance(instance, Instance):
            check_memory(instance)


def check(seed: int) -> World:
    """Run one seed; returns what is left. Raises Broken, or whatever goes wrong."""
    plan = draw_plan(seed)
    world = run(plan)
    if seed % REPEAT_EVERY == 0:
        record = world.record()
        promise(run(plan).record() == record, "the same seed gives another result")
        plain = run(plan, reference=True).record()
        promise(plain == record, "stepping every iteration gives another result")
    return world


def complaint(seed: int) -> str | None:
    """None, or one line that says what broke and how to see it again."""
    try:
        check(seed)
    except Exception as error:
        place = extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
        again = f"python -m tensorfleet.fleet.chaos --start {seed} --seeds 1"
        return f"seed {seed}: {what} ({where}); repeat: {again}"
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code: 0, or 1 when a promise was broken."""
    parser = argparse.ArgumentParser(
        prog="python -m tensorfleet.fleet.chaos",
        description="Run small fleets in trouble; say which promises break.",
    )
    parser.add_argument("--seeds", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--start", type=int, default=0, help="the first (0)")
    parser.add_argument("--stop-at-first", action="store_true", help="broken promise")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds is {options.seeds}: it must be 1 or more")
    broken = 0
    for seed in range(options.start, options.start + options.seeds):
        line = complaint(seed)
        if line is not None:
            broken += 1
            print(line, flush=True)
            if options.stop_at_first:
                break
    print(f"{broken} of {options.seeds} seeds broke a promise", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
