"""WordPiece: a vocabulary of word pieces, learned from text, and words cut into them.

A word is written as pieces: the first plain, each further one marked with `##`, so that
`masks` may be `mask ##s`. Training begins with single characters and merges one pair of
neighbours after the other, always the pair that raises the likelihood of the text most
under a language model (Schuster and Nakajima, "Japanese and Korean voice search",
ICASSP 2012). Theirs looks back at several pieces; here it is the simplest, in which
pieces are drawn independently. If x occurs n(x) times among N, the log-likelihood is

    L = Σ n(x) ln n(x) − N ln N

so that merging a and b where they are neighbours, n(ab) times, gains

    f(n(ab)) + f(n(a) − n(ab)) − f(n(a)) + f(n(b) − n(ab)) − f(n(b))
             + f(N) − f(N − n(ab))

with f(n) = n ln n. Byte-pair encoding would take the largest n(ab) instead.

A word is cut greedily: the longest piece of the vocabulary that it begins with, then
the longest that continues it. Where nothing fits, the whole word is `[UNK]`, as in BERT
(Devlin et al., 2019).

Does not handle: normalisation of Unicode, accents, Chinese characters and underscores,
each of which BERT treats in a way of its own; a limit on the length of a word.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import log

PAD, UNK, CLS, SEP, MASK = range(5)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # at the ids above
CONTINUES = "##"
DIGITS = 6  # of a gain, so that no choice hangs on the last bit of a logarithm

Word = tuple[str, ...]  # as pieces
Neighbours = tuple[str, str]


def words(text: str) -> list[str]:
    """`text` in lower case: runs of letters, digits and `_`, and other single signs."""
    return re.findall(r"\w+|[^\w\s]", text.lower())


class WordPiece:
    """A vocabulary: pieces with their numbers, from `SPECIAL` on.

    Raises ValueError for a vocabulary that does not begin with `SPECIAL`, or that
    holds a piece twice.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)
        if self.vocabulary[: len(SPECIAL)] != SPECIAL:
            raise ValueError(
                f"the vocabulary begins with {self.vocabulary[: len(SPECIAL)]}: it "
                f"must begin with {SPECIAL}"
            )
        self._numbers = {piece: number for number, piece in enumerate(self.vocabulary)}
        if len(self._numbers) < len(self.vocabulary):
            twice = Counter(self.vocabulary).most_common(1)[0][0]
            raise ValueError(f"the vocabulary holds {twice!r} twice: pieces differ")
        # What a word may be cut into: no text becomes a special token.
        pieces = self.vocabulary[len(SPECIAL) :]
        self._further = frozenset(p for p in pieces if p.startswith(CONTINUES))
        self._first = frozenset(pieces) - self._further

    def __len__(self) -> int:
        return len(self.vocabulary)

    def pieces(self, word: str) -> list[str]:
        """`word` cut into the longest pieces from the left, or `["[UNK]"]`."""
        found: list[str] = []
        begin = 0
        while begin < len(word):
            mark, known = (CONTINUES, self._further) if begin else ("", self._first)
            for end in range(len(word), begin, -1):
                if mark + word[begin:end] in known:
                    break
            else:
                return [SPECIAL[UNK]]
            found.append(mark + word[begin:end])
            begin = end
        return found

    def encode(self, text: str) -> list[int]:
        """The numbers of the pieces of all words of `text`; no [CLS], no [SEP]."""
        return [
            self._numbers[piece] for word in words(text) for piece in self.pieces(word)
        ]

    def decode(self, tokens: Iterable[int]) -> str:
        """The words of `tokens` with spaces between: `encode` undone, but for [UNK].

        Raises ValueError for a number that is not in the vocabulary.
        """
        text = ""
        for token in tokens:
            if not 0 <= token < len(self):
                raise ValueError(
                    f"there is no token {token}: there are 0 to {len(self) - 1}"
                )
            piece = self.vocabulary[token]
            if piece in self._further:
                text += piece.removeprefix(CONTINUES)
            else:
                text += f" {piece}"
        return text.strip()


def train(texts: Iterable[str], size: int) -> WordPiece:
    """Learn a vocabulary of at most `size` tokens from `texts`.

    It holds `SPECIAL`, then every character of the texts by itself, at the beginning of
    a word and inside of one as each occurs, then merged pieces in the order in which
    they were found. It stays smaller than `size` where no merge of a pair that occurs
    twice raises the likelihood. The same texts give the same vocabulary; a smaller
    size gives the beginning of a larger one.

    Raises ValueError for texts without a word, and for a `size` that does not hold the
    special tokens and the characters; TypeError for one string instead of several, and
    for a `size` that is not an int.
    """
    if isinstance(texts, str):
        raise TypeError("texts is one string: it must be several, as a list of them")
    if type(size) is not int:
        raise TypeError(f"size is {size!r}: it must be an int")
    how_often = Counter(word for text in texts for word in words(text))
    if not how_often:
        raise ValueError("the texts hold no word: there is nothing to learn from")
    corpus = _Corpus({_characters(word): n for word, n in how_often.items()})
    vocabulary = [*SPECIAL, *sorted(corpus.pieces)]
    if size < len(vocabulary):
        raise ValueError(
            f"size is {size}: the special tokens and the characters of the texts "
            f"take {len(vocabulary)}"
        )
    known = set(vocabulary)
    while len(vocabulary) < size:
        pair = corpus.best_pair()
        if pair is None:
            break
        piece = corpus.merge(pair)
        if piece not in known:  # `a ##bc` and `ab ##c` make the same piece
            known.add(piece)
            vocabulary.append(piece)
    return WordPiece(vocabulary)


class _Corpus:
    """Words as pieces, with the counts that a gain is made of, kept as pairs merge."""

    def __init__(self, how_often: dict[Word, int]) -> None:
        self.words = list(how_often.items())
        self.pieces: Counter[str] = Counter()
        self.pairs: Counter[Neighbours] = Counter()
        self.holders: dict[Neighbours, set[int]] = {}  # which words hold a pair
        for number in range(len(self.words)):
            self._count(number)
        self.total = self.pieces.total()
        self.f = [0.0, *(n * log(n) for n in range(1, self.total + 1))]

    def best_pair(self) -> Neighbours | None:
        """The pair with the largest gain, the first by alphabet of equals, or None.

        None where no pair that occurs twice gains anything. A piece occurs as often as
        its pairs or more, and the gain falls with what it occurs beyond that. So n
        merges gain f(N) − f(N − n) − f(n) at most, which grows with n up to N/2: pairs
        that are too rare to win are passed over.
        """
        f, pieces, total = self.f, self.pieces, self.total
        best, most, least = None, 0.0, 2
        for pair, together in self.pairs.items():
            if together < least:
                continue
            a, b = pair
            n_a, n_b = pieces[a], pieces[b]
            if a == b:
                parts = f[n_a - 2 * together] - f[n_a]
            else:
                parts = f[n_a - together] - f[n_a] + f[n_b - together] - f[n_b]
            gain = f[together] + parts + f[total] - f[total - together]
            if gain < most - 1:
                continue
            gain = round(gain, DIGITS)
            if gain > most or (gain == most > 0 and best is not None and pair < best):
                best, most = pair, gain
                while (
                    2 * least < total
                    and f[total] - f[total - least] - f[least] < most - 1
                ):
                    least += 1
        return best

    def merge(self, pair: Neighbours) -> str:
        """Make one piece of `pair` in all words, and return it."""
        first, second = pair
        piece = first + second.removeprefix(CONTINUES)
        for number in self.holders.pop(pair):
            self._count(number, -1)
            word, how_often = self.words[number]
            self.words[number] = _merged(word, pair, piece), how_often
            self._count(number)
        self.total = self.pieces.total()
        return piece

    def _count(self, number: int, sign: int = 1) -> None:
        """Add a word to all counts, or take it out of them."""
        word, how_often = self.words[number]
        for piece in word:
            self.pieces[piece] += sign * how_often
        for pair, times in _neighbours(word).items():
            self.pairs[pair] += sign * times * how_often
            if not self.pairs[pair]:
                del self.pairs[pair]
            if sign > 0:
                self.holders.setdefault(pair, set()).add(number)
            elif pair in self.holders:
                self.holders[pair].discard(number)


def _characters(word: str) -> Word:
    return (word[0], *(CONTINUES + character for character in word[1:]))


def _neighbours(word: Word) -> Counter[Neighbours]:
    """How often each pair can be merged in `word`: in `a a a` the pair `a a` once."""
    found: Counter[Neighbours] = Counter()
    ends: dict[Neighbours, int] = {}
    for place, pair in enumerate(pairwise(word)):
        if ends.get(pair, -1) <= place:
            found[pair] += 1
            ends[pair] = place + 2
    return found


def _merged(word: Word, pair: Neighbours, piece: str) -> Word:
    found: list[str] = []
    place = 0
    while place < len(word):
        if word[place : place + 2] == pair:
            found.append(piece)
            place += 2
        else:
            found.append(word[place])
            place += 1
    return tuple(found)
