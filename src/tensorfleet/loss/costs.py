"""What a language model's last layer must cost: operations and bytes, counted.

N tokens (b sequences of s), D features, V classes; a matrix product of them is 2 N D V
operations, a multiplication and an addition each.

*Operations.* Logits, the gradient of the input and that of the weight: 6 N D V. Whoever
throws the logits away and computes them again for the gradient needs 8 N D V.

*Bytes.* All logits at once take N · V elements. torch.nn.functional.cross_entropy keeps
their log-softmax for the backward pass, and there makes the gradient of that and then
the gradient of the logits: three such tensors live at the peak. The chunked loss has
the logits of a chunk, and where these are bfloat16 and no kernel of its own does the
arithmetic, the same once more in float32. All of this is for classes as targets:
probabilities are N · V numbers themselves, and need some more of a chunk's size.

*Time.* A GPU does not finish before its tensor cores have done the operations, nor
before its memory has moved the bytes: the larger of the two is the floor (Williams,
Waterman and Patterson 2009).

Does not handle: what allocators round up to or keep in reserve, scratch space of matrix
products, or caches.
"""

from tensorfleet.hardware import Gpu

MOST_CHUNKS = 8
# Below so many tokens a matrix product reads the weight more often than tensor cores
# need to hide it: an H200 does 206 operations in the time of one byte, and a product
# with C tokens in bfloat16 does C operations for each byte of the weight.
FEWEST_CHUNK_TOKENS = 512


def chunk_tokens_of(num_tokens: int) -> int:
    """How many tokens go through at once: an eighth of them, but 512 at least."""
    return max(FEWEST_CHUNK_TOKENS, -(-num_tokens // MOST_CHUNKS))


def linear_operations(num_tokens: int, features: int, classes: int) -> int:
    """Operations of one of the three matrix products."""
    return 2 * num_tokens * features * classes


def step_operations(
    num_tokens: int, features: int, classes: int, *, recompute: bool = False
) -> int:
    """Operations of the forward and backward pass; with logits computed once more."""
    products = 4 if recompute else 3
    return products * linear_operations(num_tokens, features, classes)


def logits_bytes(num_tokens: int, classes: int, element_bytes: int) -> int:
    """Bytes of all logits: b · s · V elements."""
    return num_tokens * classes * element_bytes


def stored_peak_bytes(num_tokens: int, classes: int, element_bytes: int) -> int:
    """The most that is alive at once, besides inputs, where all logits are stored.

    One more of the three where the program keeps the logits under a name.
    """
    return 3 * logits_bytes(num_tokens, classes, element_bytes)


def gradient_bytes(
    num_tokens: int, features: int, classes: int, element_bytes: int
) -> int:
    """Bytes of the gradients that the step ends with: of the input and the weight."""
    return (num_tokens + classes) * features * element_bytes


def chunk_bytes(
    chunk_tokens: int, classes: int, element_bytes: int, *, kernel: bool
) -> int:
    """The most that is alive at once, besides inputs and gradients, in chunks.

    For classes as targets. Without the `kernel` elements of less than 4 bytes are
    computed on in a float32 copy.
    """
    copy = 0 if kernel or element_bytes >= 4 else 4
    return logits_bytes(chunk_tokens, classes, element_bytes + copy)


def accumulation_bytes(
    num_chunks: int, features: int, classes: int, element_bytes: int
) -> int:
    """Bytes read and written to add up the gradient of the weight over chunks."""
    return 2 * num_chunks * features * classes * element_bytes


def seconds_at_least(operations: int, num_bytes: int, gpu: Gpu) -> float:
    """The floor on `gpu` for bfloat16."""
    return max(operations / gpu.dense_bf16, num_bytes / gpu.memory_bandwidth)
