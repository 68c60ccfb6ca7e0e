"""A scenario: a fleet, what is asked of it, what happens to it, and what is wanted.

Three figures say how hard it is. They are fixed before any policy is compared on it:

- *utilisation*: its rate, as a share of the highest at which the oracle `all_resident`
  (every adapter on every GPU, nothing to load) keeps 99% of the same requests within
  the SLO on a fleet to which nothing happens;
- *adapters per slot*: adapters over the adapter slots of all GPUs together;
- *fetch to prefill*: the time to bring an average adapter from the hub to an idle
  instance, over the time to prefill an average prompt.

`machines` describes the physical side, `scenarios` holds the scenarios by name.

Does not handle: faults at random times, and fleets of unequal machines.
"""

from dataclasses import dataclass, replace

from tensorfleet.fleet.config import FleetConfig, HubConfig, InstanceConfig
from tensorfleet.fleet.faults import Fault
from tensorfleet.fleet.machines import (
    FREE_HUB,
    HUB,
    MACHINE,
    MILLISECOND,
    with_all_resident,
)
from tensorfleet.fleet.metrics import SLO
from tensorfleet.fleet.popularity import RANKS, adapter_keys, rank_of
from tensorfleet.fleet.simulation import Event
from tensorfleet.fleet.traces import Trace, TraceWorkload
from tensorfleet.fleet.workloads import Workload

SECOND = 1_000_000_000
ALL_RESIDENT = "all_resident"
USUAL_SLO = SLO(500 * MILLISECOND, 40 * MILLISECOND)


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
            machine = with_all_resident(machine, self.workload.adapters)
            hub = FREE_HUB
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
