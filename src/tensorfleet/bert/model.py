"""A BERT: an encoder that sees both sides of a word, and two heads that ask it.

A token enters as the sum of three learned vectors: of its piece, of its place, of its
segment. Layers of attention and of two matrices follow (`reference` has the formulas).
What comes out at a place is scored against the vectors of all pieces, for the masked
words; what comes out at [CLS], the first place, goes through one more matrix and tanh,
for whatever is to be said about the sequence as a whole.

Four things differ from Devlin et al. ("BERT", NAACL 2019), since this one is to learn
within a minute or two:

- a layer normalises what it reads, not what it gives out (Xiong et al., "On layer
  normalization in the transformer architecture", ICML 2020);
- keys begin near the queries, so that from the first step a token looks at those
  that resemble it (Trockman and Kolter, "Mimetic initialization of self-attention
  layers", ICML 2023; their second half, values that begin near the inverse of what
  puts the heads together, is left out);
- the other matrices begin as torch's do, spread by their size, and not by 0.02;
- there is no dropout.

Does not handle: sequences longer than the model's; a decoder.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tensorfleet.bert import ops
from tensorfleet.bert.wordpiece import PAD

SMALL = 0.02  # the spread of vectors at the beginning: BERT's


@dataclass(frozen=True)
class Config:
    """The sizes of a model.

    Raises TypeError for a size that is not an int, ValueError for one below 1, or a
    width that the heads cannot share out.
    """

    num_words: int
    length: int = 64
    width: int = 128
    num_heads: int = 4
    num_layers: int = 2

    def __post_init__(self) -> None:
        for name in ("num_words", "length", "width", "num_heads", "num_layers"):
            size = getattr(self, name)
            if type(size) is not int:
                raise TypeError(f"{name} is {size!r}: it must be an int")
            if size < 1:
                raise ValueError(f"{name} is {size}: it must be 1 or more")
        _share_out(self.width, self.num_heads)


class Layer(nn.Module):
    """Attention, then two matrices; each added to what comes in. (batch, T, width).

    Raises ValueError for a width that the heads cannot share out.
    """

    def __init__(self, width: int, num_heads: int) -> None:
        super().__init__()
        _share_out(width, num_heads)
        self.num_heads = num_heads
        self.read = nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.heads_out = nn.Linear(width, width)
        self.think = nn.LayerNorm(width)
        self.widen = nn.Linear(width, 4 * width)
        self.narrow = nn.Linear(4 * width, width)
        with torch.no_grad():
            queries, keys, _ = self.queries_keys_values.weight.chunk(3)
            keys.add_(queries).mul_(0.5)

    def forward(self, x: Tensor, padding: Tensor | None = None) -> Tensor:
        heads = ops.attention(*self.heads(x), padding)
        x = x + self.heads_out(heads.transpose(1, 2).flatten(2))
        thought: Tensor = self.narrow(functional.gelu(self.widen(self.think(x))))
        return x + thought

    def heads(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, each (batch, heads, T, size)."""
        found = self.queries_keys_values(self.read(x))
        found = found.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        queries, keys, values = found.unbind(0)
        return queries, keys, values


class Bert(nn.Module):
    """The encoder with its two heads; `seed` alone decides how it begins.

    The weights are the same on every device, and no other randomness is touched.
    """

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__()
        self.config = config
        width = config.width
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.words = nn.Embedding(config.num_words, width)
            self.places = nn.Embedding(config.length, width)
            self.segments = nn.Embedding(2, width)
            for vectors in (self.words, self.places, self.segments):
                nn.init.normal_(vectors.weight, std=SMALL)
            self.enters = nn.LayerNorm(width)
            self.layers = nn.ModuleList(
                Layer(width, config.num_heads) for _ in range(config.num_layers)
            )
            self.last = nn.LayerNorm(width)
            self.guess = nn.Sequential(
                nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width)
            )
            self.word_bias = nn.Parameter(torch.zeros(config.num_words))
            self.pool = nn.Linear(width, width)
            self.follows = nn.Linear(width, 2)

    def forward(self, tokens: Tensor, segments: Tensor) -> Tensor:
        """A vector for every token, (batch, T, width); ids and segments are (batch, T).

        No token looks at [PAD].

        Raises ValueError for sequences that are too long or padding only, shapes that
        do not fit, tokens that the vocabulary lacks, or segments other than 0 and 1.
        """
        x, padding = self.enter(tokens, segments), _padding(tokens)
        for layer in self.layers:
            x = layer(x, padding)
        return self.last(x)  # type: ignore[no-any-return]

    def enter(self, tokens: Tensor, segments: Tensor) -> Tensor:
        """The sum of the vectors of piece, place and segment; as `forward`."""
        if tokens.ndim != 2 or tokens.shape[1] > self.config.length:
            raise ValueError(
                f"tokens have shape {tuple(tokens.shape)}: it must be (batch, T) with "
                f"T at most {self.config.length}"
            )
        if segments.shape != tokens.shape:
            raise ValueError(
                f"segments have shape {tuple(segments.shape)}: it must be that of the "
                f"tokens, {tuple(tokens.shape)}"
            )
        for name, ids, many in (
            ("token", tokens, self.config.num_words),
            ("segment", segments, 2),
        ):
            bad = ids[(ids < 0) | (ids >= many)]
            if len(bad):
                raise ValueError(
                    f"there is no {name} {int(bad[0])}: there are 0 to {many - 1}"
                )
        places = self.places.weight[: tokens.shape[1]]
        return self.enters(self.words(tokens) + places + self.segments(segments))  # type: ignore[no-any-return]

    def word_scores(self, x: Tensor) -> Tensor:
        """Scores of all pieces, (..., num_words), for what the encoder gives out.

        The vectors by which pieces enter are those by which they are scored.
        """
        return functional.linear(self.guess(x), self.words.weight, self.word_bias)

    def summary(self, x: Tensor) -> Tensor:
        """The vector of the whole sequence, (batch, width): [CLS], one step further."""
        return torch.tanh(self.pool(x[:, 0]))

    def next_scores(self, x: Tensor) -> Tensor:
        """Scores of "does not follow" and "follows", (batch, 2)."""
        return self.follows(self.summary(x))  # type: ignore[no-any-return]

    @torch.no_grad()
    def looks(self, tokens: Tensor, segments: Tensor) -> list[Tensor]:
        """Where tokens look, layer by layer: (batch, heads, T, T); as `forward`."""
        x, padding = self.enter(tokens, segments), _padding(tokens)
        found = []
        for layer in self.layers:
            assert isinstance(layer, Layer)
            queries, keys, _ = layer.heads(x)
            found.append(ops.attention_weights(queries, keys, padding))
            x = layer(x, padding)
        return found


def _share_out(width: int, num_heads: int) -> None:
    if width % num_heads:
        raise ValueError(
            f"width is {width}: {num_heads} heads must be able to share it out evenly"
        )


def _padding(tokens: Tensor) -> Tensor | None:
    """Where there is [PAD], or None where there is none at all: attention is faster."""
    padding = tokens == PAD
    return padding if bool(padding.any()) else None
