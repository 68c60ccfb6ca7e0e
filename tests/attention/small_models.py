"""Small transformers in PyTorch, written out, for counting what they do and keep.

Attention is the plain algorithm: every query meets every key, since a mask saves none
of its operations.
"""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tensorfleet.attention.shapes import ModelShape


@dataclass
class Cache:
    """Keys and values of one layer, of tokens that were seen: (batch, tokens, G, d)."""

    keys: Tensor | None = None
    values: Tensor | None = None

    def add(self, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """All that is cached, with those of new tokens behind."""
        if self.keys is not None and self.values is not None:
            k, v = torch.cat([self.keys, k], 1), torch.cat([self.values, v], 1)
        self.keys, self.values = k, v
        return k, v


class Layer(nn.Module):
    """One layer of a `ModelShape` without latent attention; every width is its own."""

    def __init__(self, shape: ModelShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape, self.dropout = shape, dropout
        self.norms = nn.ModuleList(nn.LayerNorm(shape.hidden) for _ in range(2))
        self.of = nn.ModuleDict(
            {
                name: nn.Linear(inputs, outputs, bias=shape.biases)
                for name, (inputs, outputs) in shape.matrices.items()
            }
        )

    def forward(self, x: Tensor, cache: Cache | None = None) -> Tensor:
        x = x + self.drop(self.of["o"](self.attend(self.norms[0](x), cache)))
        h = self.norms[1](x)
        if self.shape.gated:
            inner = functional.silu(self.of["gate"](h)) * self.of["up"](h)
        else:
            inner = functional.gelu(self.of["up"](h))
        return x + self.drop(self.of["down"](inner))

    def attend(self, h: Tensor, cache: Cache | None = None) -> Tensor:
        batch, tokens, _ = h.shape
        q, k, v = (
            self.of[name](h).view(batch, tokens, -1, self.shape.head_dim)
            for name in "qkv"
        )
        if cache is not None:
            k, v = cache.add(k, v)
        # Each key serves a group of queries: (batch, kv heads, group · tokens, d).
        group = self.shape.heads // self.shape.kv_heads
        q = q.transpose(1, 2).reshape(
            batch, self.shape.kv_heads, group * tokens, self.shape.head_dim
        )
        k, v = k.transpose(1, 2), v.transpose(1, 2)
        weights = self.drop((q @ k.transpose(2, 3)).softmax(-1))
        out = (weights @ v).view(batch, self.shape.heads, tokens, self.shape.head_dim)
        return out.transpose(1, 2).reshape(batch, tokens, -1)

    def drop(self, x: Tensor) -> Tensor:
        if not self.dropout:
            return x
        return torch.native_dropout(x, self.dropout, True)[0]


class Model(nn.Module):
    """Layers between an embedding and the scores of the vocabulary."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.embedding = nn.Embedding(shape.vocabulary, shape.hidden)
        self.positions = nn.Embedding(max(shape.positions, 1), shape.hidden)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.hidden)
        self.head = nn.Linear(shape.hidden, shape.vocabulary, bias=False)
        if shape.tied:
            self.head.weight = self.embedding.weight
        self.shape = shape

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        if self.shape.positions:
            x = x + self.positions(torch.arange(tokens.shape[1], device=x.device))
        for layer in self.layers:
            x = layer(x)
        scores: Tensor = self.head(self.norm(x))
        return scores

    def step(self, tokens: Tensor, caches: list[Cache]) -> Tensor:
        """Scores for the last of `tokens` alone; the others are in the caches."""
        x = self.embedding(tokens[:, -1:])
        if self.shape.positions:
            x = x + self.positions(torch.tensor([tokens.shape[1] - 1]))
        for layer, cache in zip(self.layers, caches, strict=True):
            x = layer(x, cache)
        scores: Tensor = self.head(self.norm(x))
        return scores


class LatentAttention(nn.Module):
    """Latent attention of one layer, in its two forms, without norms and positions."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        assert shape.latent is not None
        self.shape, self.latent = shape, shape.latent
        linear = partial(nn.Linear, bias=False)
        self.of = nn.ModuleDict(
            {
                name: linear(*sizes)
                for name, sizes in shape.matrices.items()
                if name not in ("gate", "up", "down")
            }
        )

    def queries(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """(heads, tokens, d) and (heads, tokens, ρ)."""
        made = self.of["q_up"](self.of["q_down"](h))
        made = made.view(len(h), self.shape.heads, -1).transpose(0, 1)
        d = self.shape.head_dim
        return made[..., :d], made[..., d:]

    def whole(self, h: Tensor) -> Tensor:
        """Keys and values of every head are made from the latent: for prefill."""
        content, rotary = self.queries(h)
        cached = self.of["kv_down"](h)
        latent, shared = cached[:, : self.latent.rank], cached[:, self.latent.rank :]
        k, v = (
            self.of[name](latent).view(len(h), self.shape.heads, -1).transpose(0, 1)
            for name in ("k_up", "v_up")
        )
        k = torch.cat([k, shared.expand(self.shape.heads, -1, -1)], dim=-1)
        weights = (torch.cat([content, rotary], -1) @ k.transpose(1, 2)).softmax(-1)
        return self.of["o"]((weights @ v).transpose(0, 1).flatten(1))

    def step(self, h: Tensor, cached: Tensor) -> Tensor:
        """The last token's result, all heads reading `cached` as it is: for decoding.

        `h` (1, hidden) is that token, whose own latent is the last row of `cached`.
        """
        content, rotary = self.queries(h)
        self.of["kv_down"](h)
        heads, d, rank = self.shape.heads, self.shape.head_dim, self.latent.rank
        k_up = self.of["k_up"].weight.view(heads, d, rank)
        v_up = self.of["v_up"].weight.view(heads, d, rank)
        query = torch.cat([content @ k_up, rotary], -1)[:, 0]
        weights = (query @ cached.T).softmax(-1)
        mixed = (weights @ cached[:, :rank])[:, None]
        return self.of["o"]((mixed @ v_up.transpose(1, 2)).transpose(0, 1).flatten(1))
