"""What a fleet is made of, checked when it is written down."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from tensorfleet.fleet.costs import StepCosts
from tensorfleet.router.messages import AdapterKey

Role = Literal["both", "prefill", "decode"]


@dataclass(frozen=True, slots=True)
class InstanceConfig:
    """One instance: a model on a GPU, its memory, its limits and its wires.

    - `costs`: what a step takes, and the bytes of a token's KV and of an adapter;
    - `pool_bytes`: GPU memory for KV and adapters together (what weights and
      activations leave), of which adapters take at most `adapter_pool_bytes`, so that
      any request that fits beside them can always be finished;
    - `slots`: adapters that the GPU holds at most, `max_adapters_per_batch` of which
      may serve in one batch;
    - `max_running`: sequences in a batch, `token_budget`: tokens in one iteration;
    - `role`: "prefill" instances write the first token and send the KV on to "decode"
      instances, "both" do all;
    - `weight`: strength relative to the others, for the router's ring;
    - `pcie_bytes_per_s` (host to GPU), `network_bytes_per_s` (each way: from the hub,
      and KV to another instance);
    - `host_bytes`: host memory that caches adapters;
    - `expected_output_tokens`: what the instance expects a request to write until it
      has seen some finish.
    """

    name: str
    model: str
    costs: StepCosts
    pool_bytes: int
    adapter_pool_bytes: int
    slots: int
    max_adapters_per_batch: int
    max_running: int = 256
    token_budget: int = 2048
    role: Role = "both"
    weight: float = 1.0
    pcie_bytes_per_s: int = 50_000_000_000
    network_bytes_per_s: int = 12_500_000_000
    host_bytes: int = 64 * 2**30
    expected_output_tokens: int = 256

    def __post_init__(self) -> None:
        for field in (
            "pool_bytes",
            "adapter_pool_bytes",
            "slots",
            "max_adapters_per_batch",
            "max_running",
            "token_budget",
            "pcie_bytes_per_s",
            "network_bytes_per_s",
            "expected_output_tokens",
            "weight",
        ):
            if getattr(self, field) <= 0:
                raise ValueError(
                    f"{field} of {self.name} is {getattr(self, field)}: "
                    "it must be positive"
                )
        if self.host_bytes < 0:
            raise ValueError(
                f"host_bytes of {self.name} is {self.host_bytes}: it must be 0 or more"
            )
        if self.role not in get_args(Role):
            raise ValueError(
                f"role of {self.name} is {self.role!r}: "
                f"it must be one of {', '.join(get_args(Role))}"
            )
        if self.adapter_pool_bytes >= self.pool_bytes:
            raise ValueError(
                f"adapter_pool_bytes of {self.name} is {self.adapter_pool_bytes}: "
                f"it must leave some of the {self.pool_bytes} of pool_bytes for KV"
            )
        if self.token_budget < self.max_running:
            raise ValueError(
                f"token_budget of {self.name} is {self.token_budget}: each of the "
                f"{self.max_running} of max_running needs a token in every iteration"
            )


@dataclass(frozen=True, slots=True)
class HubConfig:
    """Where adapters come from: a shared link and the time until the first byte."""

    egress_bytes_per_s: int = 12_500_000_000
    latency_ns: int = 20_000_000

    def __post_init__(self) -> None:
        if self.egress_bytes_per_s <= 0:
            raise ValueError(
                f"egress_bytes_per_s is {self.egress_bytes_per_s}: it must be positive"
            )
        if self.latency_ns < 0:
            raise ValueError(f"latency_ns is {self.latency_ns}: it must be 0 or more")


@dataclass(frozen=True, slots=True)
class FleetConfig:
    """The instances at the start, the hub, and how often anyone looks.

    - `rank_of`: the rank of each adapter;
    - `report_interval_ns`: every instance reports to every router this often (the
      instances and routers take turns), and the report is `report_delay_ns` under way;
    - `step_interval_ns`: the leading router's control loops run this often.
    """

    instances: tuple[InstanceConfig, ...]
    rank_of: Callable[[AdapterKey], int]
    hub: HubConfig = HubConfig()
    report_interval_ns: int = 1_000_000_000
    report_delay_ns: int = 5_000_000
    step_interval_ns: int = 1_000_000_000

    def __post_init__(self) -> None:
        names: set[str] = set()
        for instance in self.instances:
            if instance.name in names:
                raise ValueError(
                    f"two instances are named {instance.name}: names must differ"
                )
            names.add(instance.name)
        for field in ("report_interval_ns", "step_interval_ns"):
            if getattr(self, field) <= 0:
                raise ValueError(
                    f"{field} is {getattr(self, field)}: it must be positive"
                )
        if self.report_delay_ns < 0:
            raise ValueError(
                f"report_delay_ns is {self.report_delay_ns}: it must be 0 or more"
            )
