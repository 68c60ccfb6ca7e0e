"""BLEU of a large corpus, counted as tensors: exactly the reference's counts.

    words to numbers     one dictionary for the corpus; what stands between spaces is
                         cut into tokens once, however often it occurs
    n-grams to numbers   sorting numbers what stands in one sentence: words first, then
                         pairs of overlapping n-grams, which are the (n+1)-grams. No
                         hash, so that no two n-grams can be confused
    counting             for each order one `scatter.ops.batched_bincount`, of which
                         each (stream, n-gram) is a bin, then the smaller of the
                         hypothesis' count and the largest reference's

Tokens that are numbers already, as a model's are, go to `statistics_of`.

An n-gram that hypothesis and reference share is made of shorter ones that they share,
so that after each order all others are dropped, and the work shrinks quickly.

Does not handle: corpora of 2³¹ tokens or more, or numbers so large (a pair of them must
fit into 63 bits), and cutting into tokens on a GPU: text is prepared on the CPU.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import chain, count, islice

import numpy as np
import torch
from torch import Tensor

from tensorfleet.bleu.corpus import Stream, check_corpus
from tensorfleet.bleu.scores import MAX_ORDER, Bleu, check_smooth_method, score
from tensorfleet.bleu.tokenizers import Tokenizer, find_tokenizer
from tensorfleet.scatter.ops import batched_bincount, scatter_add

ABSENT = -1  # the length of a reference that there is not
LIMIT = 2**31  # of the tokens' numbers


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
    words, lengths = encode((hypotheses, *references), tokenizer)
    return statistics_of(words.to(device), lengths.to(device))


def statistics_of(words: Tensor, lengths: Tensor) -> Tensor:
    """What `statistics` returns, of tokens that are numbers already.

    `words` has the tokens of all sentences, one after the other, first the hypotheses,
    then each stream of references; `lengths`, of shape (streams, sentences), how many
    tokens each sentence has, and ABSENT where a stream has no reference. Any numbers
    from 0 to 2³¹ - 1 will do, of which equal ones are equal tokens. The sum of the rows
    goes to `score_of`.

    Raises TypeError for numbers that are not integers; ValueError for other shapes,
    numbers out of range, lengths that do not add up, less than two streams, and a
    hypothesis without any reference.
    """
    words, lengths = _integers("words", words, 1), _integers("lengths", lengths, 2)
    _check_numbered(words, lengths)
    orders = torch.arange(MAX_ORDER, device=lengths.device)
    totals = (lengths[0][:, None] - orders).clamp(min=0)
    return torch.cat(
        [matches(words, lengths), totals, lengths[0][:, None], closest(lengths)], dim=1
    )


def _integers(name: str, tensor: Tensor, axes: int) -> Tensor:
    """As int64; raises what `statistics_of` does."""
    kind = tensor.dtype
    if kind.is_floating_point or kind.is_complex or kind == torch.bool:
        raise TypeError(f"{name} has dtype {kind}: it must hold integers")
    if tensor.ndim != axes:
        raise ValueError(f"{name} has {tensor.ndim} axes: it must have {axes}")
    return tensor.to(torch.int64)


def _check_numbered(words: Tensor, lengths: Tensor) -> None:
    """Raise what `statistics_of` does."""
    num_streams, num_sentences = lengths.shape
    if num_streams < 2 or not num_sentences:
        raise ValueError(
            f"lengths has shape {tuple(lengths.shape)}: it must have a row for the "
            "hypotheses, one or more for references, and one sentence or more"
        )
    if lengths.min() < ABSENT or lengths[0].min() < 0:
        raise ValueError(
            f"lengths go down to {lengths.min()}: they must be 0 or more, or {ABSENT} "
            "for a reference that there is not"
        )
    alone = (lengths[1:] == ABSENT).all(0)
    if alone.any():
        raise ValueError(f"hypothesis {alone.nonzero()[0].item()} has no reference")
    told = lengths.clamp(min=0).sum()
    if told != len(words):
        raise ValueError(f"lengths add up to {told}: there are {len(words)} words")
    if len(words) and not 0 <= words.min() <= words.max() < LIMIT:
        raise ValueError(
            f"words go from {words.min()} to {words.max()}: they must be from 0 to "
            f"{LIMIT - 1}"
        )


def encode(streams: Sequence[Stream], tokenizer: Tokenizer) -> tuple[Tensor, Tensor]:
    """All tokens of all streams as numbers, and how many each sentence has.

    The first is one-dimensional, stream after stream; equal numbers are equal tokens.
    The second has shape (streams, sentences), with ABSENT where the stream holds None.
    Both are int64.
    """
    given = list(chain.from_iterable(streams))
    lines = [tokenizer.prepare((line or "").rstrip()) for line in given]
    mark, bare = unused_characters("".join(lines))
    lines = [_with_bare_ends(line, bare) for line in lines]
    words, words_in, different = numbered(lines, mark)
    tokens, tokens_in, _ = numbered(cut_each(different, bare, tokenizer), mark)
    # Each word gives way to its tokens, which stand from `begins` on in `tokens`.
    begins = (tokens_in.cumsum(0) - tokens_in)[words]
    sizes = tokens_in[words]
    before = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
    shift = (begins - before[:-1]).repeat_interleave(sizes)
    ends = before[words_in.cumsum(0)]
    lengths = ends.diff(prepend=before[:1])
    lengths[torch.tensor([line is None for line in given])] = ABSENT
    return (
        tokens[torch.arange(len(shift)) + shift],
        lengths.view(len(streams), -1),
    )


def numbered(lines: Iterable[str], mark: str) -> tuple[Tensor, Tensor, list[str]]:
    """Number what stands between white space, in all lines at once.

    Returns the numbers, line after line; how many each line has; and what got the
    numbers 0, 1, 2 ... `mark` is a character that no line has.
    """
    words = f" {mark} ".join(lines).split()
    words.append(mark)
    number_of: defaultdict[str, int] = defaultdict(count().__next__)
    next_line = number_of[mark]  # 0, being the first
    # Much faster than a tensor of a list.
    numbers = torch.from_numpy(
        np.fromiter(map(number_of.__getitem__, words), np.int64, len(words))
    )
    is_mark = numbers == next_line
    ends = is_mark.nonzero()[:, 0]
    sizes = ends.diff(prepend=torch.tensor([-1])) - 1
    return numbers[~is_mark] - 1, sizes, list(number_of)[1:]


def cut_each(words: Iterable[str], bare: str, tokenizer: Tokenizer) -> list[str]:
    """Each word with spaces where it is cut.

    Nothing is cut across white space, so all words are cut at once, a line for each;
    but those at an end of their line without a space beside them.
    """
    inside = "".join(f" {word} \n" for word in words if bare not in word)
    cut = iter(tokenizer.cut(inside).split("\n"))
    return [
        next(cut) if bare not in word else tokenizer.cut(_alone(word, bare))
        for word in words
    ]


def unused_characters(text: str) -> tuple[str, str]:
    """Two characters that are in no word of the text, from those for private use."""
    private = map(chr, chain(range(0xE000, 0xF900), range(0xF0000, 0x10FFFE)))
    one, other = islice((letter for letter in private if letter not in text), 2)
    return one, other


def _with_bare_ends(line: str, bare: str) -> str:
    """The line with a mark where a word has no space beside it: it may be cut
    otherwise than inside of a line."""
    if not line or line[0] == line[-1] == " ":
        return line
    before = "" if line[0].isspace() else bare
    after = "" if line[-1].isspace() else bare
    return f"{before}{line}{after}"


def _alone(word: str, bare: str) -> str:
    """A word at an end of its line, with the spaces that it does have."""
    return f" {word} ".removeprefix(f" {bare}").removesuffix(f"{bare} ")


def matches(words: Tensor, lengths: Tensor) -> Tensor:
    """Clipped matches of the first stream with the others: (sentences, orders), int64.

    Arguments as for `statistics_of`, which checks them.
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
        size, ngram = number_keys(ngram)
        stream = place[at] // num_sentences
        counts = batched_bincount(
            stream * size + ngram, num_streams * size, check=False
        ).view(num_streams, size)
        shared = torch.minimum(counts[0], counts[1:].amax(0))
        # All n-grams of one number stand in one sentence.
        home = at.new_empty(size).scatter_(0, ngram, sentence[at])
        none = at.new_zeros(num_sentences)
        found.append(scatter_add(none, 0, home, shared, check=False))
        kept = shared[ngram] > 0
        at, ngram = at[kept], ngram[kept]
        # Two that begin one after the other in one sentence make one of the next order.
        pair = (at[1:] == at[:-1] + 1) & (place[at[1:]] == place[at[:-1]])
        at, ngram = at[:-1][pair], (ngram[:-1] * size + ngram[1:])[pair]
    return torch.stack(found, dim=1)


def number_keys(keys: Tensor) -> tuple[int, Tensor]:
    """How many different keys there are, and for each key the number that it gets.

    NumPy sorts integers on a CPU several times as fast as PyTorch does.
    """
    if keys.device.type == "cpu":
        found, numbers = np.unique(keys.numpy(), return_inverse=True)
        return len(found), torch.from_numpy(numbers)
    different, on_device = torch.unique(keys, return_inverse=True)
    return len(different), on_device


def closest(lengths: Tensor) -> Tensor:
    """The length of each sentence's reference that is closest in length.

    Shape (sentences, 1); of two equally close, the shorter.
    """
    ours, others = lengths[0], lengths[1:]
    longest = int(lengths.max()) + 1
    apart = (others - ours).abs() * longest + others
    apart[others == ABSENT] = longest * longest
    return (apart.amin(0) % longest)[:, None]
