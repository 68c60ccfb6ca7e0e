"""One fleet or two that go on for as long as they are watched, on the same arrivals.

Made from settings, advanced by simulated time. Whatever is done to one is done to the
other at the same moment, and told in `events`.

The machines are those of the scenarios with 24 adapter slots instead of 48, and there
are 600 adapters, so that slots are as scarce as there.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tensorfleet.fleet.deeds import Deed
from tensorfleet.fleet.live import LiveArrivals, Recording, Tables
from tensorfleet.fleet.machines import COSTS, HUB, MACHINE
from tensorfleet.fleet.metrics import SECOND
from tensorfleet.fleet.panel_run import LiveRun
from tensorfleet.fleet.popularity import RANKS, adapter_keys
from tensorfleet.fleet.scenario import Scenario
from tensorfleet.fleet.workloads import Workload
from tensorfleet.router import RouterConfig
from tensorfleet.router.messages import AdapterKey, Revision

ADAPTERS, SLOTS, MOST_INSTANCES = 600, 24, 16
COLOURED = 6  # hottest adapters; a crowd's has the seventh colour
CROWD_SHARE, CROWD_NS = 0.25, 20 * SECOND
COLD = 100  # adapters from the end of the list, of which crowds choose
SLOWED = 2000  # per mille
EVENTS = 6  # that are remembered


@dataclass(frozen=True, slots=True)
class Settings:
    """What a reader asks for; `policies` by side. See the controls of `panel`."""

    policies: Mapping[str, str]
    rate: int
    exponent: float
    instances: int
    routers: int
    report_ns: int
    seed: int
    config: RouterConfig

    def scenario(self) -> Scenario:
        """The fleet, whose arrivals come from elsewhere."""
        machine = replace(
            MACHINE,
            slots=SLOTS,
            max_adapters_per_batch=SLOTS,
            adapter_pool_bytes=SLOTS * COSTS.adapter_bytes(max(RANKS)),
        )
        egress = HUB.egress_bytes_per_s * self.instances // MOST_INSTANCES
        return Scenario(
            "live",
            "what a reader asks for",
            Workload(self.rate, 1, ADAPTERS),
            18.0,
            self.instances,
            machine,
            replace(HUB, egress_bytes_per_s=egress),
            routers=self.routers,
            report_interval_ns=self.report_ns,
        )


class LiveFleet:
    """See the module. `runs` are in the order of `settings.policies`."""

    def __init__(self, settings: Settings, tables: Tables) -> None:
        self.stream = LiveArrivals(
            tables,
            adapters=ADAPTERS,
            seed=settings.seed,
            rate=settings.rate,
            exponent=settings.exponent,
        )
        self.recording = Recording(self.stream)
        fleet = settings.scenario()
        self.runs = [
            LiveRun(
                side,
                policy,
                fleet,
                settings.config,
                settings.seed,
                self.recording,
                prefix=f"{side}: " if len(settings.policies) > 1 else "",
            )
            for side, policy in settings.policies.items()
        ]
        self.keys = adapter_keys(ADAPTERS, fleet.machine.model)
        self.crowd_key = self.keys[-1]
        self.num_crowds = self.generation = 0
        self.down: set[str] = set()
        self.slowed: set[str] = set()
        self.events: deque[str] = deque(maxlen=EVENTS)
        self._turn = 0

    @property
    def now(self) -> int:
        return self.runs[0].now

    @property
    def names(self) -> list[str]:
        """Of the instances, those that are down included."""
        return list(self.runs[0].instances)

    @property
    def colours(self) -> dict[AdapterKey, str]:
        """The roles of the adapters that are told apart, the hottest first."""
        keys = [*self.keys[:COLOURED], self.crowd_key]
        return {key: f"series-{number}" for number, key in enumerate(keys)}

    def advance(self, ns: int) -> bool:
        """All runs by so much; True if a second was full, and they were looked at."""
        now, end = self.now, self.now + ns
        looked = False
        while now < end:
            second = now // SECOND * SECOND + SECOND
            now = min(second, end)
            for run in self.runs:
                run.advance(now)
            if now == second:
                looked = True
                for run in self.runs:
                    for said in run.look(self.colours):
                        self.say(f"{run.prefix}{said}")
        if looked:  # what ended has just been let go
            # One snapshot at a time, or a frame would be late.
            self._turn += 1
            self.runs[self._turn % len(self.runs)].past.keep()
            self.recording.forget(min(run.past.needed for run in self.runs))
        return looked

    def say(self, words: str) -> None:
        self.events.append(f"{self.now // SECOND} s: {words}")

    # --- what may be done --------------------------------------------------------

    def crowd(self) -> None:
        """A crowd asks for a cold adapter; each time it is another."""
        self.num_crowds = self.num_crowds % COLD + 1
        self.crowd_key = self.keys[-self.num_crowds]
        self.stream.crowd(-self.num_crowds, CROWD_SHARE, CROWD_NS)
        self.say(f"a crowd asks for {self.crowd_key.adapter} for 20 s")

    def publish(self) -> None:
        """The hub has a new revision of the hottest adapter."""
        self.generation += 1
        revision = Revision(f"content {self.generation}", self.generation)
        self._do(Deed("publish", self.keys[0], revision))
        self.say(f"revision {self.generation} of {self.keys[0].adapter} is published")

    def kill(self, name: str) -> None:
        """An instance crashes, or is back."""
        self.down ^= {name}
        if name in self.down:
            self._do(Deed("crash", name))
            self.say(f"{name} has crashed, and all that it had is lost")
        else:
            self._do(Deed("restore", name, keep_host=False))
            self.say(f"{name} is back, and empty")

    def slow(self, name: str) -> None:
        """An instance takes twice as long, or no longer does."""
        self.slowed ^= {name}
        is_slow = name in self.slowed
        self._do(Deed("set_slowdown", name, SLOWED if is_slow else 1000))
        said = "takes twice as long for everything" if is_slow else "is fast again"
        self.say(f"{name} {said}")

    def add(self) -> None:
        """A new instance joins, if there is a place."""
        number = len(self.names)
        if number == MOST_INSTANCES:
            self.say(f"there is no place for more than {MOST_INSTANCES}")
            return
        for run in self.runs:
            machine = replace(run.simulation.fleet.instances[0], name=f"gpu-{number}")
            run.past.do(Deed("add_instance", machine))
        self.say(f"gpu-{number} joins, empty")

    def _do(self, deed: Deed) -> None:
        for run in self.runs:
            run.past.do(deed)
