"""The shape of a decoder-only transformer: how wide, how deep, and what it caches.

A layer with hidden width D holds four matrices of attention and two or three of the
feed-forward part, whose inner width is F:

    q, o        D × H·d        H heads of width d
    k, v        D × G·d        G ≤ H heads of keys and values; H/G queries share one
    gate, up    D × F          GPT-2 has no gate
    down        F × D

With G = H this is the attention of Vaswani et al. 2017 ("Attention is all you need"),
with G < H grouped-query attention (Ainslie et al. 2023, arXiv 2305.13245). Latent
attention (DeepSeek-V2, arXiv 2405.04434, section 2.1) keeps neither keys nor values but
one vector of rank r for all heads, from which `k_up` and `v_up` make both, and a key of
width ρ that carries the position and is shared by all heads.

Does not handle: layers that differ, attention over a window, encoders.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Latent:
    """What latent attention squeezes queries, and keys with values, into.

    `rank` values a token are cached, and `rotary_dim` more: the shared key that carries
    the position. Queries pass through `query_rank` values and cache none. Raises
    ValueError for a width below 1.
    """

    rank: int
    rotary_dim: int
    query_rank: int

    def __post_init__(self) -> None:
        for field in ("rank", "rotary_dim", "query_rank"):
            if getattr(self, field) < 1:
                raise ValueError(
                    f"{field} is {getattr(self, field)}: it must be 1 or more"
                )


@dataclass(frozen=True, slots=True)
class ModelShape:
    """A decoder-only transformer; by default with a gated feed-forward part.

    Widths are in values; `value_bytes` is the size of a weight and of a cached key's or
    value's component. `tied` models score the vocabulary with their embedding. With
    `biases`, matrices and norms have them. `positions` counts learned positions.
    `idle_weights` are those of experts that a token does not pass: they take room and
    no operations. In a mixture of experts a token passes `active_experts` of
    `routed_experts`, besides those that all tokens pass. Raises ValueError for a width
    or count below 1, for heads that cannot share keys evenly, for latent attention
    whose heads share them at all, and for more active experts than there are.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    feed_forward: int
    vocabulary: int
    value_bytes: int = 2
    gated: bool = True
    tied: bool = False
    biases: bool = False
    positions: int = 0
    idle_weights: int = 0
    routed_experts: int = 0
    active_experts: int = 0
    latent: Latent | None = None

    def __post_init__(self) -> None:
        for field in (
            "layers",
            "hidden",
            "heads",
            "kv_heads",
            "head_dim",
            "feed_forward",
            "vocabulary",
            "value_bytes",
        ):
            self._check(field, 1)
        self._check("positions", 0)
        self._check("idle_weights", 0)
        self._check("routed_experts", 0)
        self._check("active_experts", 1 if self.routed_experts else 0)
        if self.active_experts > self.routed_experts:
            raise ValueError(
                f"active_experts of {self.name} is {self.active_experts}: "
                f"it must be at most routed_experts, {self.routed_experts}"
            )
        if self.heads % self.kv_heads:
            raise ValueError(
                f"{self.name} has {self.heads} heads and {self.kv_heads} kv_heads: "
                "each of the latter must serve the same number of the former"
            )
        if self.latent and self.heads != self.kv_heads:
            raise ValueError(
                f"{self.name} has {self.kv_heads} kv_heads: latent attention makes a "
                f"key for each head, so it must be {self.heads}"
            )

    def _check(self, field: str, lowest: int) -> None:
        if getattr(self, field) < lowest:
            raise ValueError(
                f"{field} of {self.name} is {getattr(self, field)}: "
                f"it must be {lowest} or more"
            )

    @property
    def matrices(self) -> Mapping[str, tuple[int, int]]:
        """The matrices of one layer by name: (inputs, outputs)."""
        wide = self.heads * self.head_dim
        found = self._attention_matrices(wide) | {"o": (wide, self.hidden)}
        if self.gated:
            found["gate"] = (self.hidden, self.feed_forward)
        found["up"] = (self.hidden, self.feed_forward)
        found["down"] = (self.feed_forward, self.hidden)
        return MappingProxyType(found)

    def _attention_matrices(self, wide: int) -> dict[str, tuple[int, int]]:
        if self.latent is None:
            keys = self.kv_heads * self.head_dim
            return {
                "q": (self.hidden, wide),
                "k": (self.hidden, keys),
                "v": (self.hidden, keys),
            }
        rotary = self.latent.rotary_dim
        return {
            "q_down": (self.hidden, self.latent.query_rank),
            "q_up": (self.latent.query_rank, wide + self.heads * rotary),
            "kv_down": (self.hidden, self.latent.rank + rotary),
            "k_up": (self.latent.rank, wide),
            "v_up": (self.latent.rank, wide),
        }

    @property
    def layer_weights(self) -> int:
        """W: the weights in the matrices of all layers that a token passes."""
        return self.layers * sum(i * o for i, o in self.matrices.values())

    def weights_read(self, tokens: int) -> int:
        """Weights of all layers that a step of `tokens` reads: W, and more experts.

        Where each token passes k of E experts, whichever they are with the same
        probability, n tokens are expected to pass E·(1 - (1 - k/E)^n) of them. So an
        expert that the first token leaves idle stays so with (1 - k/E)^(n - 1). Raises
        ValueError for less than 1 token.
        """
        if tokens < 1:
            raise ValueError(f"tokens is {tokens}: it must be 1 or more")
        if not self.routed_experts:
            return self.layer_weights
        idle = (1 - self.active_experts / self.routed_experts) ** (tokens - 1)
        return self.layer_weights + round(self.idle_weights * (1 - idle))

    @property
    def head_weights(self) -> int:
        """The weights that score the vocabulary."""
        return self.hidden * self.vocabulary

    @property
    def parameters(self) -> int:
        """All that are stored: matrices, embedding, scoring, positions, norms, biases.

        Left out are the small matrices that choose among experts.
        """
        norms = (2 * self.layers + 1) * self.hidden
        biases = 0
        if self.biases:
            outputs = sum(outputs for _, outputs in self.matrices.values())
            biases = norms + self.layers * outputs
        if self.latent:
            norms += self.layers * (self.latent.rank + self.latent.query_rank)
        tables = 1 if self.tied else 2
        return (
            self.layer_weights
            + self.idle_weights
            + tables * self.head_weights
            + self.positions * self.hidden
            + norms
            + biases
        )

    @property
    def cached_values(self) -> int:
        """Values that one layer caches for a token: 2·G·d, or r + ρ when latent."""
        if self.latent:
            return self.latent.rank + self.latent.rotary_dim
        return 2 * self.kv_heads * self.head_dim

    @property
    def pair_widths(self) -> tuple[int, int]:
        """Multiplications a head does for a query and a key: (score, weighted sum)."""
        rotary = self.latent.rotary_dim if self.latent else 0
        return self.head_dim + rotary, self.head_dim

    @property
    def cached_pair_widths(self) -> tuple[int, int]:
        """The same where a head works on what is cached, as decoding does.

        Latent attention then multiplies each query by `k_up` once, and the weighted sum
        by `v_up`, instead of making keys and values of all that is cached.
        """
        if self.latent:
            return self.latent.rank + self.latent.rotary_dim, self.latent.rank
        return self.pair_widths
