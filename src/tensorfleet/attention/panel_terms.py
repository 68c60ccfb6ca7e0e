"""What the attention explorable counts: the terms of a step, and what memory holds.

Five terms, the same in every stage: the matrices for Q, K and V, that of the output,
those of the feed-forward part, the scoring of the vocabulary, and attention itself.
Prefill and training count their operations, decoding the bytes that it reads, since its
time follows them.
"""

from dataclasses import replace
from fractions import Fraction

from tensorfleet.attention.activations import activation_bytes, training_state_bytes
from tensorfleet.attention.costs import (
    Cost,
    attention_operations,
    causal_pairs,
    decode,
    kv_cache_bytes,
    prefill,
    training,
)
from tensorfleet.attention.shapes import ModelShape

QKV, OUTPUT, FEED_FORWARD = "Q, K, V", "output", "feed-forward"
VOCABULARY, SCORES, CACHE = "vocabulary", "scores and values", "KV cache"
WEIGHTS, OPTIMIZER, ACTIVATIONS = "weights", "gradients, optimizer", "activations"
LAYER_SCORES, ALL_SCORES = "scores of a layer", "scores of all layers"
WORD_SCORES = "scores of the vocabulary"
KEPT = (ACTIVATIONS, ALL_SCORES, WORD_SCORES)  # from forward to backward pass
STAGES = ("prefill", "decode", "training")


def resized(base: ModelShape, **sizes: int) -> ModelShape:
    """`base` with other `layers`, `hidden`, `heads` and `kv_heads`.

    Heads share the width as they did, the feed-forward part and idle experts grow with
    it, and as many keys are shared as divide the heads evenly. Latent attention has a
    key for every head.
    """
    if all(getattr(base, name) == size for name, size in sizes.items()):
        return base
    layers, hidden, heads = sizes["layers"], sizes["hidden"], sizes["heads"]
    most = heads if base.latent else min(sizes["kv_heads"], heads)
    kv_heads = next(count for count in range(most, 0, -1) if heads % count == 0)
    wide = base.heads * base.head_dim * hidden // base.hidden
    idle = base.idle_weights * layers * hidden**2 // (base.layers * base.hidden**2)
    return replace(
        base,
        name=f"{base.name}, resized",
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=max(wide // heads, 1),
        feed_forward=base.feed_forward * hidden // base.hidden,
        idle_weights=idle,
    )


class Step:
    """One step of a model: `sequences` of `tokens` are read, trained on, or go on.

    `causal` skips the pairs that a causal mask hides (decoding has none); `tiled` is
    attention that never holds all scores.
    """

    def __init__(
        self,
        shape: ModelShape,
        stage: str,
        tokens: int,
        sequences: int,
        *,
        causal: bool,
        tiled: bool,
    ) -> None:
        self.shape, self.stage = shape, stage
        self.tokens, self.sequences = tokens, sequences
        self.causal, self.tiled = causal, tiled
        self.weights = _weights(shape)
        self.cost = self._cost()

    def _cost(self) -> Cost:
        """Operations and bytes, as `costs` counts them, and what a step adds to them.

        In training what is kept is written once and read once; sequences side by side
        read more experts together than each for itself.
        """
        shape, tokens = self.shape, self.tokens
        if self.stage == "decode":
            return decode(shape, [tokens] * self.sequences)
        hidden = 0 if self.causal else tokens**2 - causal_pairs(tokens)
        masked = attention_operations(shape, hidden) * self.sequences
        if self.stage == "training":
            cost = training(shape, tokens, self.sequences)
            kept = sum(n for name, n in self.memory().items() if name in KEPT)
            return Cost(cost.operations + 3 * masked, cost.bytes + 2 * kept)
        one, others = prefill(shape, tokens), self.sequences - 1
        experts = shape.weights_read(tokens * self.sequences)
        experts -= shape.weights_read(tokens)
        return Cost(
            one.operations * self.sequences + masked,
            one.bytes
            + experts * shape.value_bytes
            + others * kv_cache_bytes(shape, tokens),
        )

    def terms(self, tokens: int) -> dict[str, int]:
        """The five terms at a length: bytes when decoding, otherwise operations."""
        shape, sequences = self.shape, self.sequences
        if self.stage == "decode":
            found = {name: n * shape.value_bytes for name, n in self._read().items()}
            return found | {CACHE: kv_cache_bytes(shape, tokens) * sequences}
        passes = 3 * sequences if self.stage == "training" else sequences
        each = 2 * passes * tokens
        found = {name: n * each for name, n in self.weights.items()}
        if self.stage == "prefill":  # for the last token only
            found[VOCABULARY] = 2 * sequences * shape.head_weights
        pairs = causal_pairs(tokens) if self.causal else tokens**2
        return found | {SCORES: attention_operations(shape, pairs) * passes}

    def crossovers(self) -> dict[str, Fraction]:
        """The tokens at which attention costs as much as the matrices up to a term.

        When decoding, at which the cache is as large as all the weights that are read.
        """
        if self.stage == "decode":
            read = sum(self._read().values()) * self.shape.value_bytes
            a_token = kv_cache_bytes(self.shape, 1) * self.sequences
            return {VOCABULARY: Fraction(read, a_token)}
        a_pair, found, sums = attention_operations(self.shape, 1), {}, 0
        for name in (QKV, OUTPUT, FEED_FORWARD):
            sums += self.weights[name]
            # a_pair · pairs = 2 · sums · N, with N² pairs or N·(N + 1)/2
            whole = Fraction(2 * sums, a_pair)
            found[name] = 2 * whole - 1 if self.causal else whole
        return found

    def _read(self) -> dict[str, int]:
        """Weights by term that a step of decoding reads, of experts those it meets."""
        experts = self.shape.weights_read(self.sequences) - self.shape.layer_weights
        return self.weights | {FEED_FORWARD: self.weights[FEED_FORWARD] + experts}

    def memory(self) -> dict[str, int]:
        """Bytes that one GPU would have to hold, by what they are."""
        shape, tokens, sequences = self.shape, self.tokens, self.sequences
        found = {WEIGHTS: shape.parameters * shape.value_bytes}
        if self.stage != "training":
            found[CACHE] = kv_cache_bytes(shape, tokens) * sequences
            if self.stage == "prefill" and not self.tiled:
                # Those of one layer, which the next overwrites.
                scores = shape.heads * tokens**2 * shape.value_bytes
                found[LAYER_SCORES] = scores * sequences
            return found
        state = training_state_bytes(shape)
        found[OPTIMIZER] = state - found[WEIGHTS]
        if shape.latent is None:
            least = activation_bytes(shape, tokens, sequences, keep_scores=False)
            found[ACTIVATIONS] = least
            if not self.tiled:
                found[ALL_SCORES] = activation_bytes(shape, tokens, sequences) - least
        scored = shape.vocabulary * tokens * sequences
        found[WORD_SCORES] = scored * shape.value_bytes
        return found


def _weights(shape: ModelShape) -> dict[str, int]:
    """Weights that a token passes, by term."""
    kinds = {"o": OUTPUT, "gate": FEED_FORWARD, "up": FEED_FORWARD}
    kinds["down"] = FEED_FORWARD
    sums = dict.fromkeys((QKV, OUTPUT, FEED_FORWARD), 0)
    for name, (inputs, outputs) in shape.matrices.items():
        sums[kinds.get(name, QKV)] += inputs * outputs * shape.layers
    return sums | {VOCABULARY: shape.head_weights}
