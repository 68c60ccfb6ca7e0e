"""Scatter operations: add each element to the place that an index names.

`reference` holds the definition, `ops` the PyTorch functions, `kernel` the Triton
kernels, `costs` the bytes and the atomic operations that they need. This package
exports what the standard library can run.
"""

from tensorfleet.scatter.reference import batched_bincount, scatter_add

__all__ = ["batched_bincount", "scatter_add"]
