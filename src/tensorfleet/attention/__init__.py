"""Attention: what it computes, what it reads, what it keeps.

`shapes` and `models` say how wide and how deep transformers are, `costs` counts their
operations and bytes in prefill, decoding and training, `activations` what training
keeps, `sums` the two terms in the length of a sequence. `reference` defines attention,
plain and tiled; `ops` computes it on tensors, `kernel` on a GPU.
"""

from tensorfleet.attention.activations import activation_bytes
from tensorfleet.attention.costs import (
    Cost,
    attention_product,
    causal_pairs,
    decode,
    floor_seconds,
    kv_cache_bytes,
    matmul,
    prefill,
    ridge,
    training,
)
from tensorfleet.attention.models import (
    DEEPSEEK_V3,
    GPT2,
    LLAMA_8B,
    LLAMA_70B,
    MODELS,
)
from tensorfleet.attention.shapes import Latent, ModelShape

__all__ = [
    "DEEPSEEK_V3",
    "GPT2",
    "LLAMA_8B",
    "LLAMA_70B",
    "MODELS",
    "Cost",
    "Latent",
    "ModelShape",
    "activation_bytes",
    "attention_product",
    "causal_pairs",
    "decode",
    "floor_seconds",
    "kv_cache_bytes",
    "matmul",
    "prefill",
    "ridge",
    "training",
]
