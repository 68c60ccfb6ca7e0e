"""The physical side of the scenarios: what an instance is, and what feeds it.

One Llama 3.1 8B on each H100, with 90% of its memory in use. Adapters of rank 8 to 64
adapt the attention matrices and take 13 to 104 MiB. A GPU has slots for 48 of them, and
all 48 may serve in one batch.

An adapter comes from a hub that takes 100 ms to the first byte, as object stores do,
and has one link of 50 Gb/s for 16 instances: 120 average adapters a second, which cold
loads saturate when they come too often. A host caches its share of the adapters, not
all. An adapter is hundreds of small matrices, so it crosses PCIe at 10 GB/s, not at the
rate of the link. These rates are assumptions, the sizes are counted.

Does not handle: several base models, unequal GPUs, or several regions.
"""

from dataclasses import replace

from tensorfleet.attention.costs import LLAMA_8B
from tensorfleet.fleet.config import HubConfig, InstanceConfig
from tensorfleet.fleet.costs import StepCosts
from tensorfleet.fleet.popularity import RANKS
from tensorfleet.hardware import H100

MILLISECOND = 1_000_000
GIB = 2**30
COSTS = StepCosts.from_model()
SLOTS = 48
FREE = 10**18  # bytes per second: any adapter in no time

MACHINE = InstanceConfig(
    name="gpu",
    model="llama-3.1-8b",
    costs=COSTS,
    # 90% of the memory, less the weights and 2 GiB for activations.
    pool_bytes=H100.memory_bytes * 9 // 10 - 2 * LLAMA_8B.parameters - 2 * GIB,
    adapter_pool_bytes=SLOTS * COSTS.adapter_bytes(max(RANKS)),
    slots=SLOTS,
    max_adapters_per_batch=SLOTS,
    pcie_bytes_per_s=10_000_000_000,
    host_bytes=8 * GIB,
)
HUB = HubConfig(egress_bytes_per_s=6_250_000_000, latency_ns=100 * MILLISECOND)
FREE_HUB = HubConfig(egress_bytes_per_s=FREE, latency_ns=0)


def with_all_resident(machine: InstanceConfig, adapters: int) -> InstanceConfig:
    """The machine of the oracle: adapters take no time to load, and no room from KV.

    There is room for two revisions of each.
    """
    room = 2 * adapters * machine.costs.adapter_bytes(max(RANKS))
    return replace(
        machine,
        pool_bytes=machine.pool_bytes + room - machine.adapter_pool_bytes,
        adapter_pool_bytes=room,
        slots=2 * adapters,
        max_adapters_per_batch=2 * adapters,
        host_bytes=2 * room,
        pcie_bytes_per_s=FREE,
        network_bytes_per_s=FREE,
    )
