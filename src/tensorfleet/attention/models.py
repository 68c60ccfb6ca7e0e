"""Shapes of real models, each with the table that it was taken from.

DeepSeek-V3 is a mixture of experts: in 58 of its 61 layers a token passes the shared
expert and 8 of 256 others, each of width 2,048. Nine such are as wide as the dense
feed-forward part of its first three layers, so that what a token passes has one width
in all layers, and the other 248 experts are idle weights.
"""

from tensorfleet.attention.shapes import Latent, ModelShape

# Radford et al. 2019, "Language models are unsupervised multitask learners", table 2
# and section 2.3; heads and inner width as in Radford et al. 2018, section 4.1.
GPT2 = ModelShape(
    name="GPT-2",
    layers=12,
    hidden=768,
    heads=12,
    kv_heads=12,
    head_dim=64,
    feed_forward=3072,
    vocabulary=50_257,
    gated=False,
    tied=True,
    biases=True,
    positions=1024,
)

# "The Llama 3 herd of models" (arXiv 2407.21783), table 3; the vocabulary, which it
# rounds to 128K, from the configuration published with the weights.
LLAMA_8B = ModelShape(
    name="Llama 3.1 8B",
    layers=32,
    hidden=4096,
    heads=32,
    kv_heads=8,
    head_dim=128,
    feed_forward=14336,
    vocabulary=128_256,
)
LLAMA_70B = ModelShape(
    name="Llama 3.1 70B",
    layers=80,
    hidden=8192,
    heads=64,
    kv_heads=8,
    head_dim=128,
    feed_forward=28672,
    vocabulary=128_256,
)

# "DeepSeek-V3 technical report" (arXiv 2412.19437), section 4.2; the width of the first
# three layers and the vocabulary from the configuration published with the weights.
DEEPSEEK_V3 = ModelShape(
    name="DeepSeek-V3",
    layers=61,
    hidden=7168,
    heads=128,
    kv_heads=128,
    head_dim=128,
    feed_forward=9 * 2048,
    vocabulary=129_280,
    idle_weights=58 * (256 - 8) * 3 * 7168 * 2048,
    routed_experts=256,
    active_experts=8,
    latent=Latent(rank=512, rotary_dim=64, query_rank=1536),
)

MODELS = (GPT2, LLAMA_8B, LLAMA_70B, DEEPSEEK_V3)
