"""The small networks of this chapter, with weights drawn from a seed.

Weights are orthogonal, biases 0, and the last layer is scaled by `gain`: near 0, it
makes a policy that is indifferent at first (Huang et al. 2022, "The 37 Implementation
Details of Proximal Policy Optimization", detail 2).
Not handled: other activations than tanh.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


def network(
    sizes: Sequence[int], gain: float, generator: torch.Generator
) -> nn.Sequential:
    """Linear layers from `sizes[0]` inputs to `sizes[-1]` outputs, tanh between them.

    It is on the generator's device. Raises ValueError for fewer than two sizes or one
    below 1.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes are {sizes}: they must be two or more, each above 0")
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        # Not with PyTorch's own initial weights, which draw from a global generator.
        layer = nn.Linear(inputs, outputs, device="meta")
        layer = layer.to_empty(device=generator.device)
        nn.init.orthogonal_(layer.weight, math.sqrt(2), generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.Tanh()]
    with torch.no_grad():
        layer.weight *= gain / math.sqrt(2)
    return nn.Sequential(*layers[:-1])
