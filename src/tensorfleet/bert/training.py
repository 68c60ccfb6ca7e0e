"""Teaching a BERT: masked words and next sentences first, then a small task of its own.

`pretrain` draws pairs of segments anew in every step, hides tokens in them, and adds
the losses of both questions. `trials` cuts documents that were held out into pairs, of
which each first segment comes once with what follows it and once with another segment
of the same document, so that guessing gets one half of them right; `says_next` and
`held_out_nll` put both questions about them to a model. `classify` has the small task.

Everything follows from the seeds that are passed in; on a CPU, with a given number of
threads, to the last bit. On CUDA gradients of embeddings are summed in any order.

Does not handle: several devices, half precision, checkpoints.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor, nn
from torch.nn import functional

from tensorfleet.bert import ops
from tensorfleet.bert.inputs import (
    NO_TARGET,
    Sequenced,
    Tokens,
    draw_pair,
    joined,
    masked,
)
from tensorfleet.bert.model import Bert
from tensorfleet.bert.wordpiece import MASK

NUM_SPECIAL = 3  # [CLS] and two [SEP] around a pair
BETAS = (0.9, 0.98)
CLIP = 1.0  # the largest norm of a step's gradient
EXAM_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """How a model is taught: `rate` rises over a tenth of the steps, then falls to 0.

    `weight` is that of the question about the next sentence, beside the masked words'.
    Raises ValueError for steps, a batch, a rate or a weight that is not above 0.
    """

    steps: int
    batch: int = 32
    rate: float = 1e-3
    weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "rate", "weight"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be above 0")

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, from 0 on."""
        rising = max(1, self.steps // 10)
        if step < rising:
            return self.rate * (step + 1) / rising
        return self.rate * (self.steps - step) / (self.steps - rising + 1)


@dataclass(frozen=True)
class Batch:
    """Sequences of one length: (batch, T) each, but `follows`, which is (batch,)."""

    tokens: Tensor
    segments: Tensor
    targets: Tensor
    follows: Tensor


@dataclass(frozen=True)
class Losses:
    """Nats at every step: of a token behind a [MASK], and of what follows.

    A token that was chosen and is seen, itself or another, is taught as well but not
    counted here: what stands there tells something of the answer without any context.
    """

    words: list[float]
    follows: list[float]


@dataclass(frozen=True)
class Trial:
    """A question about held-out text; `passage` names the stretch it is about."""

    first: Tokens
    second: Tokens
    is_next: bool
    passage: tuple[int, int]


def longest_segment(length: int) -> int:
    """The tokens of each segment, where a pair fills a sequence of `length`."""
    return (length - NUM_SPECIAL) // 2


def draw_batch(
    documents: Sequence[Sequence[int]], size: int, model: Bert, random: Random
) -> Batch:
    """Pairs out of documents, each drawn by its length, with masked words.

    Raises ValueError if a document is shorter than four segments.
    """
    length, longest = model.config.length, longest_segment(model.config.length)
    device = model.word_bias.device
    chosen = random.choices(documents, [len(each) for each in documents], k=size)
    pairs = [draw_pair(document, longest, random) for document in chosen]
    inputs = [joined(pair.first, pair.second, length=length) for pair in pairs]
    hidden = [masked(each.tokens, model.config.num_words, random) for each in inputs]
    return Batch(
        torch.tensor([each.tokens for each in hidden], device=device),
        torch.tensor([each.segments for each in inputs], device=device),
        torch.tensor([each.targets for each in hidden], device=device),
        torch.tensor([int(pair.is_next) for pair in pairs], device=device),
    )


def losses(model: Bert, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """The mean loss of a chosen word, of what follows, and of a word behind a [MASK].

    The last one is a part of the first, and NaN if no [MASK] was put in.
    """
    found = model(batch.tokens, batch.segments)
    places, targets = ops.asked(batch.targets)
    scores = model.word_scores(found.flatten(0, 1)[places])
    hidden = batch.tokens.flatten()[places] == MASK
    return (
        ops.masked_nll(scores, targets),
        functional.cross_entropy(model.next_scores(found), batch.follows),
        functional.cross_entropy(scores[hidden].detach(), targets[hidden]),
    )


def pretrain(
    model: Bert,
    documents: Sequence[Sequence[int]],
    recipe: Recipe,
    seed: int,
    told: Callable[[int], None] = lambda step: None,
) -> Losses:
    """Teach `model`, in place, on documents as lists of tokens.

    `told` is called with the number of each step when it is done.
    Raises ValueError as `draw_batch`.
    """
    random, found = Random(seed), Losses([], [])
    for step, take in enumerate(steps(model, recipe)):
        words, follows, behind = losses(
            model, draw_batch(documents, recipe.batch, model, random)
        )
        take(words + recipe.weight * follows)
        found.words.append(behind.item())
        found.follows.append(follows.item())
        told(step)
    return found


def steps(model: nn.Module, recipe: Recipe) -> Iterator[Callable[[Tensor], None]]:
    """For each step a function that takes it, given the loss: AdamW, clipped."""
    optimizer = torch.optim.AdamW(model.parameters(), betas=BETAS)

    def take(loss: Tensor) -> None:
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    for step in range(recipe.steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate_at(step)
        yield take


def trials(
    documents: Sequence[Sequence[int]], length: int, rounds: int, random: Random
) -> list[Trial]:
    """Questions about documents: at every cut one with each answer.

    In each round the documents are cut, from an offset drawn anew, into segments that
    lie end to end. Each but the last comes with the one behind it and with another of
    the same document that is none of its neighbours. Passages are four segments long.

    Raises ValueError if a document is too short for that.
    """
    longest, found = longest_segment(length), []
    for number, document in enumerate(documents):
        if len(document) < 6 * longest:
            raise ValueError(
                f"document {number} has {len(document)} tokens: it must have "
                f"{6 * longest}, six segments"
            )
        for _ in range(rounds):
            begin = random.randrange(longest)
            cut = [
                tuple(document[start : start + longest])
                for start in range(begin, len(document) - longest + 1, longest)
            ]
            for place, first in enumerate(cut[:-1]):
                far = [n for n in range(len(cut)) if abs(n - place) > 1]
                passage = number, (begin + place * longest) // (4 * longest)
                other = cut[random.choice(far)]
                found += [
                    Trial(first, cut[place + 1], True, passage),
                    Trial(first, other, False, passage),
                ]
    return found


@torch.no_grad()
def says_next(model: Bert, asked: Sequence[Trial]) -> list[bool]:
    """The model's answers: whether it holds "follows" to be the more likely one."""
    length, answers = model.config.length, []
    for some in _portions(asked):
        inputs = [joined(each.first, each.second, length=length) for each in some]
        found = model(*_sequences(model, inputs))
        answers += model.next_scores(found).argmax(-1).bool().tolist()
    return answers


@torch.no_grad()
def held_out_nll(model: Bert, asked: Sequence[Trial], random: Random) -> float:
    """Nats of a token behind a [MASK], in pairs that follow each other.

    As in `Losses`, chosen tokens that are seen are not counted. Raises ValueError if
    there is no such pair, or no [MASK] in any.
    """
    length, total, count = model.config.length, 0.0, 0
    for some in _portions([each for each in asked if each.is_next]):
        inputs = [joined(each.first, each.second, length=length) for each in some]
        hidden = [
            masked(each.tokens, model.config.num_words, random) for each in inputs
        ]
        tokens, segments = _sequences(model, inputs)
        tokens = torch.tensor([each.tokens for each in hidden], device=tokens.device)
        targets = torch.tensor([each.targets for each in hidden], device=tokens.device)
        places, wanted = ops.asked(targets.where(tokens == MASK, NO_TARGET))
        if not len(wanted):
            continue
        found = model(tokens, segments).flatten(0, 1)[places]
        total += float(ops.masked_nll(model.word_scores(found), wanted)) * len(wanted)
        count += len(wanted)
    if not count:
        raise ValueError("no [MASK] was put in: there must be one at least")
    return total / count


def _portions(asked: Sequence[Trial]) -> Iterator[Sequence[Trial]]:
    for start in range(0, len(asked), EXAM_BATCH):
        yield asked[start : start + EXAM_BATCH]


def _sequences(model: Bert, inputs: Sequence[Sequenced]) -> tuple[Tensor, Tensor]:
    device = model.word_bias.device
    return (
        torch.tensor([each.tokens for each in inputs], device=device),
        torch.tensor([each.segments for each in inputs], device=device),
    )
