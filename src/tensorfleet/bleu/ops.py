"""BLEU of a large corpus, counted as tensors: exactly the reference's counts.

    words to numbers     one dictionary for the corpus; what stands between spaces is
                         cut into tokens once, however often it occurs
    n-grams to numbers   `torch.unique` numbers what stands in one sentence: words
                         first, then pairs of overlapping n-grams, which are the
                         (n+1)-grams. No hash, so that no two n-grams can be confused
    counting             `scatter.ops.batched_bincount` over (stream, n-gram), then the
                         smaller of the hypothesis' count and the largest reference's

An n-gram that hypothesis and reference share is made of shorter ones that they share,
so that after each order all others are dropped, and the work shrinks quickly.

Does not handle: corpora of 2³¹ tokens or more (a pair of numbers must fit into 63
bits), and cutting into tokens on a GPU: text is prepared on the CPU.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, count

import numpy as np
import torch
from torch import Tensor

from tensorfleet.bleu.corpus import Stream, check_corpus
from tensorfleet.bleu.scores import MAX_ORDER, Bleu, check_smooth_method, score
from tensorfleet.bleu.tokenizers import Tokenizer, find_tokenizer
from tensorfleet.scatter.ops import batched_bincount, scatter_add

ABSENT = -1  # the length of a reference that there is not
BARE = "\t"  # where a word at an end of its line has no space beside it


def corpus_bleu(
    hypotheses: Sequence[str],
    references: Sequence[Stream],
    smooth_method: str = "exp",
    tokenize: str = "13a",
    *,
    device: torch.device | str = "cpu",
) -> Bleu:
    """What `reference.corpus_bleu` returns, counted on `device`. Raises as it does."""
    check_smooth_method(smooth_method)
    return score_of(
        statistics(hypotheses, references, tokenize, device=device).sum(0),
        smooth_method,
    )


def score_of(total: Tensor, smooth_method: str = "exp") -> Bleu:
    """BLEU of a row of `statistics`, or of the sum of several."""
    *numbers, sys_len, ref_len = total.tolist()
    return score(
        numbers[:MAX_ORDER], numbers[MAX_ORDER:], sys_len, ref_len, smooth_method
    )


def statistics(
    hypotheses: Sequence[str],
    references: Sequence[Stream],
    tokenize: str = "13a",
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """A row for each sentence: four counts, four totals, its length, the reference's.

    Shape (sentences, 10), int64, on `device`. Raises as `corpus_bleu` does.
    """
    tokenizer = find_tokenizer(tokenize)
    check_corpus(hypotheses, references)
    words, lengths = (
        tensor.to(device) for tensor in encode((hypotheses, *references), tokenizer)
    )
    orders = torch.arange(MAX_ORDER, device=device)
    totals = (lengths[0][:, None] - orders).clamp(min=0)
    return torch.cat(
        [matches(words, lengths), totals, lengths[0][:, None], closest(lengths)], dim=1
    )


def encode(streams: Sequence[Stream], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """All tokens of all streams as numbers, and how many each sentence has.

    The first is one-dimensional, stream after stream; equal numbers are equal tokens.
    The second has shape (streams, sentences), with ABSENT where the stream holds None.
    Both are int64.
    """
    words: list[str] = []
    ends, absent = [0], []
    for text in chain.from_iterable(streams):
        words += [] if text is None else words_of(text, tokenizer)
        ends.append(len(words))
        absent.append(text is None)
    number_of: defaultdict[str, int] = defaultdict(count().__next__)
    # Much faster than a tensor of a list.
    numbers = torch.from_numpy(
        np.fromiter(map(number_of.__getitem__, words), np.int64, len(words))
    )
    tokens, sizes = tokens_of(number_of, tokenizer)
    # Each word gives way to its tokens, which stand from `begins` on in `tokens`.
    begins = (sizes.cumsum(0) - sizes)[numbers]
    sizes = sizes[numbers]
    before = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    shift = (begins - before[:-1]).repeat_interleave(sizes)
    lengths = before[torch.tensor(ends)].diff()
    lengths[torch.tensor(absent)] = ABSENT
    return (
        tokens[torch.arange(len(shift)) + shift],
        lengths.view(len(streams), -1),
    )


def words_of(line: str, tokenizer: Tokenizer) -> list[str]:
    """What stands between white space in the prepared line.

    A word without a space before or behind it, at an end of the line, may be cut
    otherwise than inside of one. It gets a mark that no word has: BARE.
    """
    text = tokenizer.prepare(line.rstrip())
    words = text.split()
    if words and not text[0].isspace():
        words[0] = BARE + words[0]
    if words and not text[-1].isspace():
        words[-1] += BARE
    return words


def tokens_of(words: Iterable[str], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """The numbers of the tokens of each word, one after the other, and their numbers.

    Nothing is cut across white space, so all words are cut at once, a line for each.
    """
    inside = [word for word in words if BARE not in word]
    lines = iter(tokenizer.cut("".join(f" {word} \n" for word in inside)).split("\n"))
    number_of: dict[str, int] = {}
    numbers, sizes = [], []
    for word in words:
        cut = next(lines) if BARE not in word else tokenizer.cut(_alone(word))
        tokens = cut.split()
        numbers += [number_of.setdefault(token, len(number_of)) for token in tokens]
        sizes.append(len(tokens))
    return (
        torch.tensor(numbers, dtype=torch.int64),
        torch.tensor(sizes, dtype=torch.int64),
    )


def _alone(word: str) -> str:
    """A word that stands at an end of its line, with the spaces that it does have."""
    return f" {word} ".removeprefix(f" {BARE}").removesuffix(f"{BARE} ")


def matches(words: Tensor, lengths: Tensor) -> Tensor:
    """Clipped matches of the first stream with the others: (sentences, orders), int64.

    Arguments as `encode` returns them.
    """
    num_streams, num_sentences = lengths.shape
    places = torch.arange(lengths.numel(), device=words.device)
    # Of each token: stream · num_sentences + sentence.
    place = places.repeat_interleave(lengths.flatten().clamp(min=0))
    sentence = place % num_sentences
    at = torch.arange(len(words), device=words.device)  # where the n-grams begin
    ngram = sentence * (words.max() + 1 if len(words) else 1) + words
    found = []
    for _ in range(MAX_ORDER):
        different, ngram = torch.unique(ngram, return_inverse=True)
        size = len(different)
        stream = place[at] // num_sentences
        counts = batched_bincount(
            stream * size + ngram, num_streams * size, check=False
        ).view(num_streams, size)
        shared = torch.minimum(counts[0], counts[1:].amax(0))
        # All n-grams of one number stand in one sentence.
        home = torch.empty_like(different).scatter_(0, ngram, sentence[at])
        none = torch.zeros(num_sentences, dtype=torch.int64, device=words.device)
        found.append(scatter_add(none, 0, home, shared, check=False))
        kept = shared[ngram] > 0
        at, ngram = at[kept], ngram[kept]
        # Two that begin one after the other in one sentence make one of the next order.
        pair = (at[1:] == at[:-1] + 1) & (place[at[1:]] == place[at[:-1]])
        at, ngram = at[:-1][pair], (ngram[:-1] * size + ngram[1:])[pair]
    return torch.stack(found, dim=1)


def closest(lengths: Tensor) -> Tensor:
    """The length of each sentence's reference that is closest in length.

    Shape (sentences, 1); of two equally close, the shorter.
    """
    ours, others = lengths[0], lengths[1:]
    longest = int(lengths.max()) + 1
    apart = (others - ours).abs() * longest + others
    apart[others == ABSENT] = longest * longest
    return (apart.amin(0) % longest)[:, None]
