"""Attention: what it computes, what it reads, what it keeps.

`costs` counts operations and bytes of a transformer with grouped-query attention.
"""

from tensorfleet.attention.costs import (
    LLAMA_8B,
    Cost,
    ModelShape,
    decode,
    kv_cache_bytes,
    prefill,
    training,
)

__all__ = [
    "LLAMA_8B",
    "Cost",
    "ModelShape",
    "decode",
    "kv_cache_bytes",
    "prefill",
    "training",
]
