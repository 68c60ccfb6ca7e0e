"""What one step of an instance takes, in integers.

A step decodes one token for each sequence of the batch and prefills chunks of others.
It is the sum over its operators of the larger of two times, that of computing and that
of reading (the roofline; Williams, Waterman, Patterson 2009):

    overhead                                  scheduling and launching
    + max(weights_ns, tokens · token_ps)      linear layers: weights are read once
    + kv_token_ns · K                         decode attention reads K tokens of KV
    + Σ max(pairs · pair_ps, kv_token_ns · k) prefill attention of each chunk
    + sequence_ns · sequences                 measured models only
    + max(rank_ns · Σ rank of distinct adapters, rank_token_ps · Σ rank of each token)

The last line is LoRA: the batch reads each distinct adapter once, and computes with
each token's own (Punica, arXiv 2310.18547, section 4). A chunk ends at context k.

Everything is an integer, since simulated time is: then a run of decode steps, in which
K grows by n a step, can be added up in closed form without changing the result.

Does not handle: the scoring of the vocabulary for prefilled tokens but the last (it is
counted for every token), tensor parallelism, or kernels that overlap.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields

from tensorfleet.attention.costs import (
    LLAMA_8B,
    ModelShape,
    attention_operations,
    kv_cache_bytes,
)
from tensorfleet.hardware import H100, Gpu
from tensorfleet.router.config import WorkCosts

ATTENTION = ("q", "k", "v", "o")
TYPICAL_RANK = 16
TYPICAL_CONTEXT = 1024
TYPICAL_CHUNK = 2048


@dataclass(frozen=True, slots=True)
class StepCosts:
    """Times in integer nanoseconds (`_ns`) or picoseconds (`_ps`), sizes in bytes.

    `token_ps`, `pair_ps` and `rank_token_ps` are rounded down to nanoseconds after
    they have been multiplied. `rank_bytes` is an adapter's size for each unit of rank.
    """

    overhead_ns: int
    weights_ns: int
    token_ps: int
    kv_token_ns: int
    pair_ps: int
    sequence_ns: int
    rank_ns: int
    rank_token_ps: int
    kv_bytes_per_token: int
    rank_bytes: int

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(
                    f"{field.name} is {value!r}: it must be an integer, 0 or more"
                )
        for name in ("kv_bytes_per_token", "rank_bytes"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} is 0: it must be positive")
        if self.overhead_ns + self.weights_ns == 0:
            raise ValueError("overhead_ns and weights_ns are 0: a step must take time")

    @classmethod
    def from_model(
        cls,
        shape: ModelShape = LLAMA_8B,
        gpu: Gpu = H100,
        efficiency: float = 0.7,
        overhead_ns: int = 500_000,
        targets: Iterable[str] = ATTENTION,
    ) -> "StepCosts":
        """Predict from counts, and rates of which the share `efficiency` is reached.

        `targets` names the matrices that adapters adapt. The defaults of `efficiency`
        and `overhead_ns` are assumptions. Raises ValueError for an efficiency outside
        (0, 1] and for an unknown matrix.
        """
        if not 0 < efficiency <= 1:
            raise ValueError(f"efficiency is {efficiency}: it must be in (0, 1]")
        per_byte = 1e9 / (gpu.memory_bandwidth * efficiency)
        per_operation = 1e12 / (gpu.dense_bf16 * efficiency)
        weights = shape.layer_weights + shape.head_weights
        rank_values = lora_values(shape, targets)
        rank_bytes = rank_values * shape.value_bytes
        kv_bytes = kv_cache_bytes(shape, 1)
        return cls(
            overhead_ns=overhead_ns,
            weights_ns=round(weights * shape.value_bytes * per_byte),
            token_ps=round(2 * weights * per_operation),
            kv_token_ns=round(kv_bytes * per_byte),
            pair_ps=round(attention_operations(shape, 1) * per_operation),
            sequence_ns=0,
            rank_ns=round(rank_bytes * per_byte),
            rank_token_ps=round(2 * rank_values * per_operation),
            kv_bytes_per_token=kv_bytes,
            rank_bytes=rank_bytes,
        )

    @classmethod
    def measured(cls, w: float, h: float, shape: ModelShape = LLAMA_8B) -> "StepCosts":
        """W + H·n seconds for a step with n sequences, prefilling ones included.

        The vLLM project's fleet-sim has W = 0.0080 and H = 0.00065 for A100s, 0.0040
        and 0.00032 for H100s, by its own account calibrated for a model of 70 billion
        parameters on eight of them at contexts of 8,192 tokens. What adapters add is
        not in it. `shape` gives the sizes. Raises ValueError when W is not positive or
        H is negative.
        """
        if not (w > 0 and h >= 0):
            raise ValueError(f"W is {w} and H is {h}: W > 0 and H ≥ 0 are needed")
        return cls(
            overhead_ns=round(w * 1e9),
            weights_ns=0,
            token_ps=0,
            kv_token_ns=0,
            pair_ps=0,
            sequence_ns=round(h * 1e9),
            rank_ns=0,
            rank_token_ps=0,
            kv_bytes_per_token=kv_cache_bytes(shape, 1),
            rank_bytes=lora_values(shape, ATTENTION) * shape.value_bytes,
        )

    def step_ns(
        self,
        decoding: Iterable[int] = (),
        chunks: Iterable[tuple[int, int]] = (),
        distinct_ranks: int = 0,
        token_ranks: int = 0,
    ) -> int:
        """The time of one step: the definition.

        `decoding` are the contexts of the decoding sequences, their new tokens
        included; `chunks` are (tokens, context before them); `distinct_ranks` is the
        sum of the ranks of the distinct adapters, `token_ranks` that over all tokens.
        """
        decoding, chunks = list(decoding), list(chunks)
        tokens = len(decoding) + sum(chunk for chunk, _ in chunks)
        return (
            self.overhead_ns
            + max(self.weights_ns, tokens * self.token_ps // 1000)
            + self.kv_token_ns * sum(decoding)
            + sum(self.chunk_ns(chunk, context) for chunk, context in chunks)
            + self.sequence_ns * (len(decoding) + len(chunks))
            + max(
                self.rank_ns * distinct_ranks, self.rank_token_ps * token_ranks // 1000
            )
        )

    def chunk_ns(self, tokens: int, context: int) -> int:
        """Prefill attention of `tokens` that follow `context` tokens."""
        pairs = tokens * context + tokens * (tokens + 1) // 2
        return max(pairs * self.pair_ps // 1000, self.kv_token_ns * (context + tokens))

    def slowed(self, per_mille: int) -> "StepCosts":
        """The same on a machine that takes `per_mille` thousandths of the time.

        Each time is scaled, so that sums keep their closed form. Raises ValueError for
        less than 1 per mille.
        """
        if per_mille < 1:
            raise ValueError(f"slowdown is {per_mille} per mille: it must be 1 or more")
        times = {
            field.name: max(getattr(self, field.name) * per_mille // 1000, 1)
            if getattr(self, field.name)
            else 0
            for field in fields(self)
        }
        times["kv_bytes_per_token"] = self.kv_bytes_per_token
        times["rank_bytes"] = self.rank_bytes
        return StepCosts(**times)

    def adapter_bytes(self, rank: int) -> int:
        """The size of an adapter: matrices A and B of every adapted matrix."""
        return self.rank_bytes * rank

    def work_costs(
        self, pcie_bytes_per_s: int = 50_000_000_000, context: int = TYPICAL_CONTEXT
    ) -> WorkCosts:
        """What a router should reckon with, at a typical context and rank 16.

        A prompt's token costs its share of a step full of prefill; a token of output
        what a sequence more adds to a step that reads the weights anyway.
        """
        chunk = self.step_ns(chunks=[(TYPICAL_CHUNK, 0)])
        decode = self.kv_token_ns * context + self.sequence_ns
        return WorkCosts(
            prefill_ns_per_token=chunk // TYPICAL_CHUNK,
            decode_ns_per_token=decode,
            doubling_batch=self._doubling_batch(decode),
            load_ns=self.adapter_bytes(TYPICAL_RANK) * 10**9 // pcie_bytes_per_s,
        )

    def _doubling_batch(self, decode: int) -> int:
        """The smallest batch that takes twice the time of none."""
        if not (decode or self.token_ps):
            raise ValueError("a step takes as long for any batch: nothing doubles it")
        none = self.overhead_ns + self.weights_ns

        def step(n: int) -> int:
            linear = max(self.weights_ns, n * self.token_ps // 1000)
            return self.overhead_ns + linear + n * decode

        low, high = 0, 1
        while step(high) < 2 * none:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if step(middle) < 2 * none else (low, middle)
        return high


def lora_values(shape: ModelShape, targets: Iterable[str]) -> int:
    """Values of an adapter for each unit of rank: A has one for each input of a matrix,
    B one for each output, in every layer.

    On Llama 3.1 8B an adapter of rank 64 takes 104 MiB on q, k, v and o, and 320 MiB
    on all seven matrices. Raises ValueError for an unknown matrix.
    """
    matrices = shape.matrices
    total = 0
    for target in targets:
        if target not in matrices:
            raise ValueError(
                f"{shape.name} has no matrix {target!r}: "
                f"it must be one of {', '.join(matrices)}"
            )
        total += sum(matrices[target])
    return total * shape.layers
