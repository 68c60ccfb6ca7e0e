"""How the attention explorable draws memory: what is to be held, and GPUs that fill."""

from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from tensorfleet.attention.costs import floor_seconds, ridge
from tensorfleet.attention.panel_amounts import amount, duration, percent
from tensorfleet.attention.panel_terms import (
    ACTIVATIONS,
    ALL_SCORES,
    CACHE,
    LAYER_SCORES,
    OPTIMIZER,
    WEIGHTS,
    WORD_SCORES,
    Step,
)
from tensorfleet.explore.marks import Line, Mark, Rect, words
from tensorfleet.explore.picture import Picture
from tensorfleet.hardware import A100, H100, H200, Gpu

WIDTH, HEIGHT = 340, 388
GPUS = (A100, H100, H200)
GPU_ROW, GPU_TOP = 66, 190
ROLES = {
    WEIGHTS: "series-5",
    CACHE: "series-3",
    OPTIMIZER: "series-6",
    ACTIVATIONS: "series-7",
    LAYER_SCORES: "series-4",
    ALL_SCORES: "series-4",
    WORD_SCORES: "muted",
}


def memory_picture(step: Step) -> Picture:
    """What must be held, and which GPU holds it."""
    parts = step.memory()
    total = sum(parts.values())
    marks: list[Mark] = [
        words("title", 4, 17, f"To be held: {amount(total, 'B')}", "ink", 14)
    ]
    for row, (name, size) in enumerate(parts.items()):
        y = 40 + 18 * row
        marks += [
            Rect(
                key=f"swatch {name}",
                role=ROLES[name],
                x=4,
                y=y - 9,
                width=10,
                height=10,
            ),
            words(f"part {name}", 20, y, name, "ink", 12),
            words(f"size {name}", WIDTH - 6, y, amount(size, "B"), "ink", 12, "end"),
        ]
    below = 40 + 18 * len(parts)
    if step.stage == "training" and step.shape.latent:
        unsaid = "activations: not counted here"
        marks.append(words("uncounted", 20, below, unsaid, "muted", 12))
    if step.stage == "decode":
        without = "decoding hides no pairs and keeps no scores"
        marks.append(words("without", 4, below, without, "muted", 12))
    cost = step.cost
    work = f"{amount(cost.operations, 'FLOP')}, {amount(cost.bytes, 'B')} or more moved"
    marks += [
        words(
            "intensity",
            4,
            134,
            work,
            "ink",
            12,
        ),
        words(
            "bound",
            4,
            151,
            f"at most {cost.intensity:,.1f} operations a byte",
            "ink",
            12,
        ),
    ]
    for number, gpu in enumerate(GPUS):
        marks += _gpu(gpu, GPU_TOP + number * GPU_ROW, parts, total, step)
    fitting = [gpu.name for gpu in GPUS if total <= gpu.memory_bytes]
    return Picture(
        "memory",
        WIDTH,
        HEIGHT,
        marks,
        alt=f"{amount(total, 'B')} must be held: "
        + ", ".join(f"{name} {amount(size, 'B')}" for name, size in parts.items())
        + f". It fits on {', '.join(fitting) if fitting else 'none of the GPUs'}.",
    )


def num_needed(total: int, gpu: Gpu) -> int:
    """As many GPUs as have room for `total` bytes."""
    return ceil(Fraction(total, gpu.memory_bytes))


def _gpu(
    gpu: Gpu, y: float, parts: Mapping[str, int], total: int, step: Step
) -> list[Mark]:
    """A GPU's memory as a track, filled by the parts in turn."""
    scale = (WIDTH - 10) / H200.memory_bytes
    cost, needed = step.cost, num_needed(total, gpu)
    limit = "computes" if cost.intensity > ridge(gpu) else "reads"
    verdict = f"fits, {percent(total, gpu.memory_bytes)}% full"
    marks: list[Mark] = [
        words(
            f"name {gpu.name}",
            4,
            y,
            f"{gpu.name.removeprefix('NVIDIA ')}, {gpu.memory_bytes // 10**9} GB",
            "ink",
            13,
        ),
        words(
            f"verdict {gpu.name}",
            WIDTH - 6,
            y,
            verdict if needed == 1 else f"too small: {needed:,} needed",
            "good" if needed == 1 else "bad",
            13,
            "end",
        ),
    ]
    x, end = 4.0, 4 + gpu.memory_bytes * scale
    for name, size in parts.items():
        width = max(min(size * scale, end - x), 0)
        marks.append(
            Rect(
                key=f"{gpu.name} {name}",
                role=ROLES[name],
                x=x,
                y=y + 7,
                width=width,
                height=16,
                hint=f"{name}: {amount(size, 'B')}",
            )
        )
        x += width
    marks += [
        Line(
            key=f"edge {gpu.name}",
            role="muted",
            points=(4, y + 7, end, y + 7, end, y + 23, 4, y + 23, 4, y + 7),
            stroke=1,
        ),
        words(
            f"floor {gpu.name}",
            4,
            y + 38,
            f"alone it {limit} for {duration(floor_seconds(cost, gpu))} at least",
            "muted",
            12,
        ),
    ]
    return marks
