"""Our encoder takes at most a tenth longer than torch's, to read as well as to learn.

    python benchmarks/bert.py [--json] [--record] [--quick]

The peer is a stack of torch.nn.TransformerEncoderLayer of the same sizes, which
normalises first as ours does, without dropout; when it reads, it may take the fused
path that torch has for that. The floor is the operations of the products of matrices,
at the rate of one large product, which takes its turns with each case. A last case
scores the masked tokens against the vocabulary, ours only those that are asked, the
peer all of them. Goals: at most 1.1 times the peer; the scores at least twice as fast.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from random import Random
from statistics import median, quantiles
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from records import environment, results_folder
from report import Quantities, main
from tensorfleet.bert import ops
from tensorfleet.bert.inputs import NO_TARGET, masked
from tensorfleet.bert.model import Bert, Config
from turns import Run, seconds, times_in_turns

# Sequences of a step, and the model: the lab's, that of a GPU (BERT's own), a tiny one.
LAB = 16, Config(num_words=1500, length=64, width=128, num_heads=4, num_layers=2)
LARGE = 32, Config(num_words=30522, length=512, width=768, num_heads=12, num_layers=12)
TINY = 2, Config(num_words=50, length=8, width=16, num_heads=2, num_layers=1)
FIRST_PIECE = 5  # special tokens come before


@dataclass(frozen=True)
class Case:
    """What is run, ours and the peer's, and its operations in products of matrices."""

    name: str
    ours: Run
    peer: Run
    operations: int


@dataclass(frozen=True)
class Row:
    """Milliseconds of one run; the floor is at the rate of the product beside it."""

    name: str
    ours_ms: float
    spread: float  # half the distance between the quartiles, over the median
    peer_ms: float
    floor_ms: float
    operations: int


def device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def waited(run: Run) -> float:
    """Seconds until the device is done."""

    def whole() -> None:
        run()
        if device() == "cuda":
            torch.cuda.synchronize()

    return seconds(whole)


def layer_operations(config: Config, tokens: int) -> int:
    """Multiplications and additions of all layers for so many tokens, forward."""
    each = 24 * config.width**2 + 4 * config.length * config.width
    return config.num_layers * tokens * each


def peer_of(config: Config) -> nn.Module:
    layer = nn.TransformerEncoderLayer(
        config.width,
        config.num_heads,
        4 * config.width,
        dropout=0,
        activation="gelu",
        batch_first=True,
        norm_first=True,
    )
    layers = [deepcopy(layer) for _ in range(config.num_layers)]
    return nn.Sequential(*layers).to(device())


def encoder_cases(batch: int, config: Config) -> list[Case]:
    model = Bert(config, seed=0).to(device())
    ours, peer = nn.Sequential(*model.layers), peer_of(config)
    random = torch.Generator().manual_seed(0)
    x = torch.randn(batch, config.length, config.width, generator=random).to(device())
    operations = layer_operations(config, batch * config.length)

    def read(encoder: nn.Module) -> None:
        encoder.eval()
        with torch.inference_mode():
            encoder(x)

    def learn(encoder: nn.Module) -> None:
        encoder.train()
        encoder.zero_grad()
        encoder(x).square().mean().backward()

    return [
        Case("read", partial(read, ours), partial(read, peer), operations),
        Case("learn", partial(learn, ours), partial(learn, peer), 3 * operations),
    ]


def score_case(batch: int, config: Config) -> Case:
    """The loss of the masked words and its gradients, from what the encoder found."""
    model, random = Bert(config, seed=0).to(device()), Random(0)
    tokens = (FIRST_PIECE,) * config.length
    inputs = [masked(tokens, config.num_words, random) for _ in range(batch)]
    targets = torch.tensor([each.targets for each in inputs], device=device())
    generator = torch.Generator().manual_seed(0)
    shape = batch, config.length, config.width
    x = torch.randn(*shape, generator=generator).to(device()).requires_grad_()
    num_asked = int((targets != NO_TARGET).sum())

    def only_asked() -> Tensor:
        places, wanted = ops.asked(targets)
        return ops.masked_nll(model.word_scores(x.flatten(0, 1)[places]), wanted)

    def all_tokens() -> Tensor:
        scores = model.word_scores(x).flatten(0, 1)
        return functional.cross_entropy(
            scores, targets.flatten(), ignore_index=NO_TARGET
        )

    def learned(loss: Callable[[], Tensor]) -> None:
        model.zero_grad()
        x.grad = None
        loss().backward()  # type: ignore[no-untyped-call]

    torch.testing.assert_close(only_asked(), all_tokens())
    operations = 2 * config.width * (config.num_words + config.width)
    return Case(
        "score",
        partial(learned, only_asked),
        partial(learned, all_tokens),
        3 * num_asked * operations,
    )


def run_case(case: Case, repeats: int, quick: bool) -> Row:
    size = 256 if quick else 2048 if device() == "cpu" else 8192
    a, b = (torch.ones(size, size, device=device()) for _ in range(2))
    runs = [case.ours, case.peer, lambda: a @ b]
    ours, peer, product = times_in_turns(runs, repeats, waited)
    low, middle, high = quantiles(ours, n=4)
    return Row(
        name=case.name,
        ours_ms=middle * 1e3,
        spread=(high - low) / 2 / middle,
        peer_ms=median(peer) * 1e3,
        floor_ms=case.operations / (2 * size**3) * median(product) * 1e3,
        operations=case.operations,
    )


def measure(quick: bool, repeats: int) -> tuple[list[Row], Quantities]:
    batch, config = TINY if quick else LAB if device() == "cpu" else LARGE
    cases = [*encoder_cases(batch, config), score_case(batch, config)]
    bar = tqdm(cases, unit="case", disable=None)
    rows = {case.name: run_case(case, repeats, quick) for case in bar}
    tokens = batch * config.length
    quantities: Quantities = {
        "width": (config.width, ""),
        "num_layers": (config.num_layers, "layers"),
        "batch_tokens": (tokens, "tokens"),
        "learn_rate": (digits(tokens / rows["learn"].ours_ms * 1e3), "tokens/s"),
        "read_rate": (digits(tokens / rows["read"].ours_ms * 1e3), "tokens/s"),
    }
    for name, row in rows.items():
        quantities |= {
            f"{name}_time": (digits(row.ours_ms), "ms"),
            f"{name}_peer_time": (digits(row.peer_ms), "ms"),
            f"{name}_floor": (digits(row.floor_ms), "ms"),
            f"{name}_speedup": (digits(row.peer_ms / row.ours_ms), "times"),
        }
    return list(rows.values()), quantities


def digits(value: float) -> float:
    """Three significant ones: the others are noise."""
    return float(f"{value:.3g}")


def table(result: dict[str, Any], rows: list[Row]) -> list[str]:
    return [
        f"{result['device']}, torch {result['versions']['torch']}; "
        f"medians of {result['repeats']}",
        "",
        f"{'case':8} {'ours ms':>9} {'spread':>7} {'peer ms':>9} {'peer/ours':>10}"
        f" {'floor ms':>9} {'Gop/s':>8}",
        *(
            f"{row.name:8} {row.ours_ms:9.3f} {row.spread:7.1%} {row.peer_ms:9.3f}"
            f" {row.peer_ms / row.ours_ms:9.2f}x {row.floor_ms:9.3f}"
            f" {row.operations / row.ours_ms / 1e6:8.1f}"
            for row in rows
        ),
    ]


if __name__ == "__main__":
    claim = str(__doc__).splitlines()[0]
    main("bert", claim, measure, table, environment, results_folder)
