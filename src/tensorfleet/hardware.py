"""Every hardware constant that the book uses, once, with its unit and its source.

These are the makers' figures, and so ceilings: predictions start from them. What a
machine really reaches is measured by the benchmarks and recorded in benchmarks/results.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Bandwidth in bytes per second, memory in bytes; `multiprocessors` are NVIDIA's SMs.
    """

    name: str
    memory_bandwidth: float
    memory_bytes: int
    multiprocessors: int
    source: str

    def __post_init__(self) -> None:
        for field in ("memory_bandwidth", "memory_bytes", "multiprocessors"):
            if getattr(self, field) <= 0:
                raise ValueError(
                    f"{field} of {self.name} is {getattr(self, field)}: "
                    "it must be positive"
                )


# Threads that an NVIDIA GPU runs in lockstep; CUDA C++ Programming Guide,
# "SIMT Architecture".
WARP_LANES = 32

H200 = Gpu(
    name="NVIDIA H200",
    memory_bandwidth=4.8e12,
    memory_bytes=141 * 10**9,
    multiprocessors=132,
    source="NVIDIA H200 Tensor Core GPU datasheet (SXM); "
    "multiprocessors as the driver reports them",
)
