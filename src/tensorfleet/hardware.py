"""Every hardware constant that the book uses, once, with its unit and its source.

These are the makers' figures, and so ceilings: predictions start from them. What a
machine really reaches is measured by the benchmarks and recorded in benchmarks/results.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    """One GPU: memory bandwidth in bytes per second, and the bytes of on-chip (shared)
    memory that one program may have.
    """

    name: str
    memory_bandwidth: float
    program_memory: int
    source: str

    def __post_init__(self) -> None:
        for field in ("memory_bandwidth", "program_memory"):
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
    program_memory=227 * 2**10,
    source="NVIDIA H200 Tensor Core GPU datasheet (SXM); CUDA C++ Programming Guide, "
    "technical specifications of compute capability 9.0",
)
