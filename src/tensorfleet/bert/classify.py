"""A task of its own for a BERT: which class a segment belongs to, read off [CLS].

A pretrained encoder gets one new matrix, from what comes out at [CLS] to the classes,
and all its weights are taught on (Devlin et al., 2019, section 4). Two controls say
what of the result is due to what: an encoder that was never pretrained, taught alike;
and both encoders `frozen`, so that only the new matrix learns, which shows what [CLS]
held before.

The task is to name the document that a segment is from. The segments of each document's
beginning are there to learn from, those of its end to be tested on.

Does not handle: several labels for a segment, a stop when a test gets worse.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional

from tensorfleet.bert.inputs import Tokens, joined
from tensorfleet.bert.model import Bert
from tensorfleet.bert.training import Recipe, steps

SHARE_TO_LEARN = 0.6  # of each document, from its beginning
SMALL = 0.02  # spread of the new matrix's first weights: BERT's


@dataclass(frozen=True)
class Example:
    """A segment without special tokens, and the number of its class."""

    segment: Tokens
    label: int


def examples(
    documents: Sequence[Sequence[int]], longest: int
) -> tuple[list[Example], list[Example]]:
    """Segments of `longest` tokens to learn from and to be tested on, by document.

    Those to learn from overlap by half; those of the test not at all, and they share
    nothing with the others. Raises ValueError for `longest` below 2, or a document
    without a segment to learn from or to be tested on.
    """
    if longest < 2:
        raise ValueError(f"longest is {longest}: it must be 2 or more")
    learn: list[Example] = []
    test: list[Example] = []
    for label, document in enumerate(documents):
        border = int(SHARE_TO_LEARN * len(document))
        parts = [
            (learn, range(0, border - longest + 1, longest // 2)),
            (test, range(border, len(document) - longest + 1, longest)),
        ]
        for found, starts in parts:
            if not starts:
                raise ValueError(
                    f"document {label} has {len(document)} tokens: too few for "
                    f"segments of {longest} in both of its parts"
                )
            found += [
                Example(tuple(document[start : start + longest]), label)
                for start in starts
            ]
    return learn, test


class Classifier(nn.Module):
    """An encoder and the matrix that reads its [CLS]."""

    def __init__(self, encoder: Bert, num_classes: int, seed: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.choose = nn.Linear(encoder.config.width, num_classes)
        random = torch.Generator().manual_seed(seed)
        nn.init.normal_(self.choose.weight, std=SMALL, generator=random)
        nn.init.zeros_(self.choose.bias)
        self.to(encoder.word_bias.device)

    def forward(self, segments: Sequence[Tokens]) -> Tensor:
        """Scores of the classes, (batch, classes)."""
        return self.choose(summaries(self.encoder, segments))  # type: ignore[no-any-return]


def summaries(encoder: Bert, segments: Sequence[Tokens]) -> Tensor:
    """What comes out at [CLS] for each of `[CLS] segment [SEP]`, (batch, width).

    Raises ValueError for no segment, or one too long for the model's sequences.
    """
    if not segments:
        raise ValueError("there is no segment: there must be one at least")
    lengths = {len(segment) for segment in segments}
    inputs = [joined(each, length=max(lengths) + 2) for each in segments]
    device = encoder.word_bias.device
    tokens = torch.tensor([each.tokens for each in inputs], device=device)
    return encoder.summary(encoder(tokens, torch.zeros_like(tokens)))


def fine_tune(
    encoder: Bert,
    learn: Sequence[Example],
    num_classes: int,
    recipe: Recipe,
    seed: int,
    *,
    frozen: bool = False,
) -> Classifier:
    """A classifier taught on a copy of `encoder`; `frozen` teaches its matrix alone.

    Raises ValueError for no examples, or labels outside of 0 to num_classes - 1.
    """
    bad = [each.label for each in learn if not 0 <= each.label < num_classes]
    if bad or not learn:
        raise ValueError(
            f"{len(learn)} examples, of which {len(bad)} have labels outside of 0 to "
            f"{num_classes - 1}: there must be one at least, and all labels inside"
        )
    random = Random(seed)
    model = Classifier(deepcopy(encoder), num_classes, seed)
    model.encoder.requires_grad_(not frozen)
    for take in steps(model, recipe):
        some = random.choices(learn, k=recipe.batch)
        labels = torch.tensor([each.label for each in some])
        scores = model([each.segment for each in some])
        take(functional.cross_entropy(scores, labels.to(scores.device)))
    return model


@torch.no_grad()
def labels_given(model: Classifier, test: Sequence[Example]) -> list[int]:
    """The label that the model gives to each segment."""
    return model([each.segment for each in test]).argmax(-1).tolist()  # type: ignore[no-any-return]
