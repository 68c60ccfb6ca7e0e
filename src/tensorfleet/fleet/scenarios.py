"""Scenarios by name: a fleet, what is asked of it, what happens to it, what is wanted.

Every scenario fixes three figures before any policy is compared on it:

- *utilisation*: its rate, as a share of the highest at which the oracle `all_resident`
  (every adapter on every GPU, nothing to load) keeps 99% of requests within the SLO;
- *adapters per slot*: adapters over the adapter slots of all GPUs together;
- *fetch to prefill*: the time to bring an average adapter from the hub to an idle
  instance, over the time to prefill an average prompt.

The physical side is the same in all: one Llama 3.1 8B on each H100, 90% of its memory
in use; adapters of rank 8 to 64 on the attention matrices (13 to 104 MiB). A hub that
takes 100 ms to the first byte, as object stores do, and has a 25 Gb/s link for 16
instances: cold loads that come too often saturate it. A host that caches its share of
the adapters, not all. Hundreds of small matrices make an adapter, so it crosses PCIe at
10 GB/s, not at the link's rate.

The first part of a run fills the caches and is not measured.

Does not handle: several base models, unequal GPUs, or several regions.
"""

from dataclasses import dataclass, replace

from tensorfleet.attention.costs import LLAMA_8B
from tensorfleet.fleet.config import FleetConfig, HubConfig, InstanceConfig
from tensorfleet.fleet.costs import StepCosts
from tensorfleet.fleet.faults import (
    BlackHole,
    Crash,
    Fault,
    Join,
    Leave,
    Revisions,
    Slow,
)
from tensorfleet.fleet.metrics import SLO
from tensorfleet.fleet.popularity import RANKS, Churn, adapter_keys, rank_of
from tensorfleet.fleet.sessions import Sessions
from tensorfleet.fleet.simulation import Event
from tensorfleet.fleet.traces import Trace, TraceWorkload
from tensorfleet.fleet.workloads import Crowd, Day, Workload
from tensorfleet.hardware import H100

SECOND = 1_000_000_000
MILLISECOND = 1_000_000
GIB = 2**30
ALL_RESIDENT = "all_resident"
FREE = 10**18  # bytes per second: any adapter in no time

COSTS = StepCosts.from_model()
SLOTS = 32
ADAPTER_POOL = SLOTS * COSTS.adapter_bytes(max(RANKS))
MACHINE = InstanceConfig(
    name="gpu",
    model="llama-3.1-8b",
    costs=COSTS,
    # 90% of the memory, less the weights and 2 GiB for activations.
    pool_bytes=H100.memory_bytes * 9 // 10 - 2 * LLAMA_8B.parameters - 2 * GIB,
    adapter_pool_bytes=ADAPTER_POOL,
    slots=SLOTS,
    max_adapters_per_batch=SLOTS,
    pcie_bytes_per_s=10_000_000_000,
    host_bytes=8 * GIB,
)
USUAL_SLO = SLO(1000 * MILLISECOND, 60 * MILLISECOND)
HUB = HubConfig(egress_bytes_per_s=3_125_000_000, latency_ns=100 * MILLISECOND)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named situation; `simulate` runs it under a policy.

    `shows` is what it is there for. `sustained` is the rate per instance that
    `all_resident` sustains on its workload, as measured once with `highest_rate`;
    the workload's rate over that of all instances is the utilisation. `unmeasured` is
    the share of the run that fills the caches.
    """

    name: str
    shows: str
    workload: Workload | TraceWorkload
    sustained: float
    instances: int = 16
    machine: InstanceConfig = MACHINE
    hub: HubConfig = HUB
    slo: SLO = USUAL_SLO
    faults: tuple[Fault, ...] = ()
    routers: int = 1
    report_interval_ns: int = SECOND // 2
    report_delay_ns: int = 50 * MILLISECOND
    unmeasured: float = 0.25

    def __post_init__(self) -> None:
        for name in ("instances", "routers"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} is {value!r}: it must be an integer above 0")
        if not self.sustained > 0:
            raise ValueError(f"sustained is {self.sustained}: it must be above 0")
        if not 0 <= self.unmeasured < 1:
            raise ValueError(f"unmeasured is {self.unmeasured}: it must be in [0, 1)")

    @property
    def utilisation(self) -> float:
        """The rate as a share of what `all_resident` sustains."""
        return self.workload.rate / (self.sustained * self.instances)

    @property
    def adapters_per_slot(self) -> float:
        """Adapters over all GPUs' slots."""
        return self.workload.adapters / (self.instances * self.machine.slots)

    @property
    def fetch_to_prefill(self) -> float:
        """The time of a fetch from an idle hub over that of an average prefill."""
        machine, costs = self.machine, self.machine.costs
        size = costs.adapter_bytes(sum(RANKS) // len(RANKS))
        network = min(machine.network_bytes_per_s, self.hub.egress_bytes_per_s)
        fetch = self.hub.latency_ns / SECOND + size / network
        fetch += size / machine.pcie_bytes_per_s
        tokens = round(self.mean_prompt)
        return fetch * SECOND / costs.step_ns(chunks=[(tokens, 0)])

    @property
    def mean_prompt(self) -> float:
        """Tokens of an average prompt; of a conversation's, the first."""
        if isinstance(self.workload, TraceWorkload):
            rows = self.workload.rows
            return sum(row.prompt_tokens for row in rows) / len(rows)
        return float(self.workload.prompt.table().mean)

    def fleet(self, policy: str) -> FleetConfig:
        """The fleet for a policy: for the oracle, adapters take no time and no room."""
        machine, hub = self.machine, self.hub
        if policy == ALL_RESIDENT:
            adapters = self.workload.adapters
            room = 2 * adapters * machine.costs.adapter_bytes(max(RANKS))
            machine = replace(
                machine,
                pool_bytes=machine.pool_bytes + room - machine.adapter_pool_bytes,
                adapter_pool_bytes=room,
                slots=2 * adapters,
                max_adapters_per_batch=2 * adapters,
                host_bytes=2 * room,
                pcie_bytes_per_s=FREE,
                network_bytes_per_s=FREE,
            )
            hub = HubConfig(egress_bytes_per_s=FREE, latency_ns=0)
        names = [f"gpu-{number}" for number in range(self.instances)]
        return FleetConfig(
            instances=tuple(replace(machine, name=name) for name in names),
            rank_of=rank_of,
            hub=hub,
            report_interval_ns=self.report_interval_ns,
            report_delay_ns=self.report_delay_ns,
        )

    def events(self, fleet: FleetConfig) -> list[Event]:
        """What happens to the fleet, in order of time."""
        keys = adapter_keys(self.workload.adapters, self.workload.model)
        events = [
            event
            for fault in self.faults
            for event in fault.events(fleet, keys, self.workload.duration_ns)
        ]
        return sorted(events, key=lambda event: event[0])

    def scaled(
        self,
        *,
        instances: int | None = None,
        adapters: int | None = None,
        rate: float | None = None,
        requests: int | None = None,
        routers: int | None = None,
        trace: Trace | None = None,
    ) -> "Scenario":
        """The same scenario at another size.

        With another number of instances whatever is not given grows in proportion:
        rate, requests, adapters and the hub's link, so that load, duration and adapters
        per slot stay. `trace` replaces the arrivals, brought to the scenario's rate;
        with fewer requests than the scenario the run is shorter. Raises ValueError for
        impossible sizes, and for a trace in another scenario than `trace`.
        """
        scenario, workload = self, self.workload
        if instances is not None:
            scenario = replace(self, instances=instances)
            growth = instances / self.instances
            egress = max(round(self.hub.egress_bytes_per_s * growth), 1)
            scenario = replace(
                scenario, hub=replace(self.hub, egress_bytes_per_s=egress)
            )
            rate = workload.rate * growth if rate is None else rate
            if requests is None:
                requests = max(round(workload.requests * growth), 1)
            if adapters is None:
                adapters = max(round(workload.adapters * growth), 1)
        sizes = {"rate": rate, "requests": requests, "adapters": adapters}
        given = {name: size for name, size in sizes.items() if size is not None}
        if trace is not None:
            if self.name != "trace":
                raise ValueError(
                    f"the scenario {self.name} makes its own arrivals: a trace goes "
                    "with the scenario trace"
                )
            if requests is None:
                given["requests"] = min(workload.requests, len(trace.rows))
            workload = TraceWorkload(
                trace,
                workload.rate,
                1,
                workload.adapters,
                workload.model,
                workload.zipf,
            )
        workload = replace(workload, **given)  # type: ignore[arg-type]
        if routers is not None:
            scenario = replace(scenario, routers=routers)
        return replace(scenario, workload=workload)


def _workload(rate: float, adapters: int = 2000, **kinds: object) -> Workload:
    """About 90 s of requests, of which the first quarter is not measured."""
    requests = round(rate * 90)
    return Workload(rate, requests, adapters, **kinds)  # type: ignore[arg-type]


def _at(utilisation: float, sustained: float, instances: int = 16) -> float:
    return round(utilisation * sustained * instances, 1)


PLAIN = 16.0  # sustained by `all_resident` with independent requests, per instance
LONG_TAIL_MACHINE = replace(MACHINE, host_bytes=32 * GIB)
LONG_TAIL_HUB = replace(HUB, egress_bytes_per_s=12_500_000_000)

_ALL = (
    Scenario(
        name="steady",
        shows="the usual day: Poisson arrivals, 2,000 adapters by Zipf's law",
        workload=_workload(_at(0.8, PLAIN)),
        sustained=PLAIN,
    ),
    Scenario(
        name="long_tail",
        shows="10,000 adapters, most of them cold: who keeps them where they are?",
        workload=_workload(_at(0.7, PLAIN), adapters=10_000, zipf=0.9),
        sustained=PLAIN,
        machine=LONG_TAIL_MACHINE,
        hub=LONG_TAIL_HUB,
    ),
    Scenario(
        name="flash_crowd",
        shows="one cold adapter suddenly takes a fifth of all requests",
        workload=_workload(_at(0.7, PLAIN), crowd=Crowd(0.4, 0.4, 0.25)),
        sustained=PLAIN,
    ),
    Scenario(
        name="diurnal",
        shows="a rate that swings by 25%, and popularity that changes hands",
        workload=_workload(_at(0.65, PLAIN), day=Day(2, 0.25), churn=Churn(40)),
        sustained=PLAIN,
    ),
    Scenario(
        name="burst",
        shows="gaps with CV 4: many requests at once, then none",
        workload=_workload(_at(0.75, PLAIN), cv=4.0),
        sustained=PLAIN,
    ),
    Scenario(
        name="scale_out",
        shows="a quarter more instances join under load: what moves to them?",
        workload=_workload(_at(0.9, PLAIN, 12)),
        sustained=PLAIN,
        instances=12,
        faults=(Join(1 / 3, 0.5),),
    ),
    Scenario(
        name="scale_in",
        shows="a quarter of the instances is taken away: where do their keys go?",
        workload=_workload(_at(0.6, PLAIN)),
        sustained=PLAIN,
        faults=(Leave(1 / 4, 0.5),),
    ),
    Scenario(
        name="crash",
        shows="an eighth of the instances crash and come back empty",
        workload=_workload(_at(0.7, PLAIN)),
        sustained=PLAIN,
        faults=(Crash(1 / 8, 0.4, 0.7),),
    ),
    Scenario(
        name="slow_node",
        shows="an eighth of the instances take twice as long, and do not say so",
        workload=_workload(_at(0.7, PLAIN)),
        sustained=PLAIN,
        faults=(Slow(1 / 8, 0.4, 0.8, 2000),),
    ),
    Scenario(
        name="black_hole",
        shows="an instance answers errors at once, and looks idle",
        workload=_workload(_at(0.7, PLAIN)),
        sustained=PLAIN,
        faults=(BlackHole(1 / 16, 0.4, 0.8),),
    ),
    Scenario(
        name="revision_storm",
        shows="200 popular adapters get a new revision each, some are rolled back",
        workload=_workload(_at(0.7, PLAIN)),
        sustained=PLAIN,
        faults=(Revisions(200, 0.3, 0.6),),
    ),
    Scenario(
        name="sessions",
        shows="conversations, whose KV waits where they were last",
        workload=_workload(_at(0.7, PLAIN), sessions=Sessions()),
        sustained=PLAIN,
    ),
    Scenario(
        name="many_routers",
        shows="eight routers, each of which counts its own requests only",
        workload=_workload(_at(0.8, PLAIN)),
        sustained=PLAIN,
        routers=8,
    ),
    Scenario(
        name="trace",
        shows="arrivals from a trace file, else lengths and gaps like Azure's of 2023",
        workload=_workload(_at(0.7, PLAIN), cv=1.09),
        sustained=PLAIN,
    ),
)
SCENARIOS: dict[str, Scenario] = {scenario.name: scenario for scenario in _ALL}


def scenario_by_name(name: str) -> Scenario:
    """A scenario; ValueError names those that there are."""
    if name not in SCENARIOS:
        raise ValueError(
            f"the scenario is {name!r}: it must be one of {', '.join(SCENARIOS)}"
        )
    return SCENARIOS[name]
