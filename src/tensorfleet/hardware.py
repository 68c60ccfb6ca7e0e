"""Every hardware constant that the book uses, once, with its unit and its source.

These are the makers' figures, and so ceilings: predictions start from them. What a
machine really reaches is measured by the benchmarks and recorded in benchmarks/results.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    `memory_bandwidth` is in bytes per second, `program_memory` the bytes of on-chip
    (shared) memory that one program may have, `memory_bytes` those of the whole GPU.
    `dense_bf16` is floating-point operations per second of its tensor cores on bf16
    without sparsity, `pcie_bandwidth` bytes per second to or from the host, each way.
    """

    name: str
    memory_bandwidth: float
    program_memory: int
    memory_bytes: int
    dense_bf16: float
    pcie_bandwidth: float
    source: str

    def __post_init__(self) -> None:
        for field in (
            "memory_bandwidth",
            "program_memory",
            "memory_bytes",
            "dense_bf16",
            "pcie_bandwidth",
        ):
            if getattr(self, field) <= 0:
                raise ValueError(
                    f"{field} of {self.name} is {getattr(self, field)}: "
                    "it must be positive"
                )


# Threads that an NVIDIA GPU runs in lockstep; CUDA C++ Programming Guide,
# "SIMT Architecture".
WARP_LANES = 32

# 16 lanes of 32 GT/s, of which 128 in 130 bits carry data, each way: the "128 GB/s" of
# the datasheets counts both directions, and all bits. PCI Express Base Specification 5
PCIE_5 = 16 * 32e9 * 128 / 130 / 8

# The same of PCI Express 4, with 16 GT/s on each lane.
PCIE_4 = 16 * 16e9 * 128 / 130 / 8

A100 = Gpu(
    name="NVIDIA A100",
    memory_bandwidth=2.039e12,
    program_memory=163 * 2**10,
    memory_bytes=80 * 10**9,
    dense_bf16=312e12,
    pcie_bandwidth=PCIE_4,
    source="NVIDIA A100 Tensor Core GPU datasheet (80 GB SXM); CUDA C++ Programming "
    "Guide, technical specifications of compute capability 8.0",
)

# The datasheets' 1,979 TFLOPS for bf16 are "with sparsity": without, half of it.
H100 = Gpu(
    name="NVIDIA H100",
    memory_bandwidth=3.35e12,
    program_memory=227 * 2**10,
    memory_bytes=80 * 10**9,
    dense_bf16=989.5e12,
    pcie_bandwidth=PCIE_5,
    source="NVIDIA H100 Tensor Core GPU datasheet (SXM); CUDA C++ Programming Guide, "
    "technical specifications of compute capability 9.0",
)

H200 = Gpu(
    name="NVIDIA H200",
    memory_bandwidth=4.8e12,
    program_memory=227 * 2**10,
    memory_bytes=141 * 10**9,
    dense_bf16=989.5e12,
    pcie_bandwidth=PCIE_5,
    source="NVIDIA H200 Tensor Core GPU datasheet (SXM); CUDA C++ Programming Guide, "
    "technical specifications of compute capability 9.0",
)
