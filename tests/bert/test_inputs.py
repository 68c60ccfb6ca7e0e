"""The inputs of a BERT against what the paper says of them."""

from collections import Counter
from math import comb
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorfleet.bert.inputs import NO_TARGET, draw_pair, joined, masked
from tensorfleet.bert.wordpiece import CLS, MASK, PAD, SEP, SPECIAL, UNK

SIZE = 50  # of the vocabulary
PIECE = st.integers(len(SPECIAL), SIZE - 1)
SEGMENT = st.lists(PIECE, max_size=20).map(tuple)


# --- [CLS] first [SEP] second [SEP] ----------------------------------------------


@given(SEGMENT, SEGMENT, st.integers(5, 50))
def test_a_sequence_is_as_the_paper_draws_it(first, second, length):
    sequence = joined(first, second, length=length)
    tokens, segments = sequence.tokens, sequence.segments
    assert len(tokens) == len(segments) == length
    assert tokens[0] == CLS
    assert tokens.count(CLS) == 1
    assert tokens.count(SEP) == 1 + bool(second)
    body = tokens[: max(n for n, token in enumerate(tokens) if token == SEP) + 1]
    assert set(tokens[len(body) :]) <= {PAD}
    assert PAD not in body
    middle = body.index(SEP)
    assert segments[: len(body)] == tuple(int(n > middle) for n in range(len(body)))
    assert not any(segments[len(body) :])
    kept = body[1:middle], body[middle + 1 : -1]
    for part, whole in zip(kept, (first, second), strict=True):
        assert part == whole[: len(part)]
    # Nothing is cut that has room, and the longer segment gives way first.
    around = 3 if second else 2
    assert len(body) == min(length, len(first) + len(second) + around)
    if len(body) < len(first) + len(second) + around:
        cut = [len(w) - len(p) for p, w in zip(kept, (first, second), strict=True)]
        for one, other in ((0, 1), (1, 0)):
            if cut[one]:
                assert len(kept[one]) >= len(kept[other]) - 1


def test_a_joined_pair_by_hand():
    assert joined((7, 8), (9,), length=8).tokens == (CLS, 7, 8, SEP, 9, SEP, PAD, PAD)
    assert joined((7, 8), (9,), length=8).segments == (0, 0, 0, 0, 1, 1, 0, 0)
    assert joined((7, 8), length=4).tokens == (CLS, 7, 8, SEP)
    assert joined((7, 8), (9, 10), length=6).tokens == (CLS, 7, 8, SEP, 9, SEP)


def test_bad_sequences_are_named():
    with pytest.raises(ValueError, match="length is 4: these segments need 5"):
        joined((7,), (8,), length=4)
    with pytest.raises(ValueError, match=r"second segment holds \[SEP\]"):
        joined((7,), (SEP, 8), length=9)
    with pytest.raises(ValueError, match="first segment holds -100: tokens are 0"):
        joined((-100,), (8,), length=9)
    assert UNK in joined((UNK,), length=9).tokens


# --- masks -----------------------------------------------------------------------


@given(st.lists(st.integers(0, SIZE - 1), max_size=40), st.integers(0, 99))
def test_targets_say_what_was_there_and_special_tokens_stay(tokens, seed):
    result = masked(tuple(tokens), SIZE, Random(seed))
    for before, seen, target in zip(tokens, result.tokens, result.targets, strict=True):
        if target == NO_TARGET:
            assert seen == before
        else:
            assert target == before
            assert before not in (PAD, CLS, SEP, MASK)
            assert seen in (MASK, before) or seen >= len(SPECIAL)
    words = sum(token not in (PAD, CLS, SEP, MASK) for token in tokens)
    chosen = sum(target != NO_TARGET for target in result.targets)
    assert chosen == (max(1, round(0.15 * words)) if words else 0)
    assert result == masked(tuple(tokens), SIZE, Random(seed))


def tail(n, p, k):
    """The probability of k or more of n, exactly: no approximation by a normal curve.

    In integers over 20**n, since p is a multiple of 1/20.
    """
    share = round(20 * p)
    ways = sum(comb(n, i) * share**i * (20 - share) ** (n - i) for i in range(k, n + 1))
    return ways / 20**n


@pytest.mark.parametrize(
    ("kind", "share"), [("masked", 0.8), ("replaced", 0.1), ("kept", 0.1)]
)
def test_of_the_chosen_eight_in_ten_are_masked(kind, share):
    """A fair implementation would fail either bound with a probability below 1e-6."""
    random, counts = Random(1), Counter()
    tokens = (CLS, *[5] * 100, SEP)  # of a thousand and five pieces, so that
    for _ in range(100):  # a random one is hardly ever the same
        result = masked(tokens, 1005, random)
        for seen, target in zip(result.tokens, result.targets, strict=True):
            if target != NO_TARGET:
                what = {MASK: "masked", 5: "kept"}.get(seen, "replaced")
                counts[what] += 1
    n, k = counts.total(), counts[kind]
    assert n == 100 * 15
    assert tail(n, share, k) > 1e-6
    assert 1 - tail(n, share, k + 1) > 1e-6


def test_every_place_is_chosen_equally_often():
    """Of 20 words 3 are chosen: each has 3/20, the exact bounds as above."""
    random, counts = Random(2), Counter()
    for _ in range(1000):
        targets = masked((CLS, *[9] * 20, SEP), SIZE, random).targets
        counts.update(n for n, target in enumerate(targets) if target != NO_TARGET)
    assert set(counts) == set(range(1, 21))
    assert tail(1000, 0.15, max(counts.values())) > 1e-7
    assert 1 - tail(1000, 0.15, min(counts.values()) + 1) > 1e-7


def test_random_pieces_are_all_pieces_and_nothing_else():
    random, seen = Random(3), set()
    for _ in range(300):
        seen.update(masked((5,) * 40, 12, random, share=1.0).tokens)
    assert seen == {MASK, *range(5, 12)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (((5,), 5), "vocabulary_size is 5: it must be above 5"),
        (((5, 9), 9), "no token 9: there are 0 to 8"),
        (((-1,), 9), "no token -1"),
    ],
)
def test_bad_masks_are_named(arguments, words):
    with pytest.raises(ValueError, match=words):
        masked(*arguments, Random(0))


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(ValueError, match="it must be above 0 and at most 1"):
        masked((5, 6), 9, Random(0), share)


# --- pairs -----------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(0, 30), st.integers(0, 200))
@settings(max_examples=300)
def test_a_pair_is_next_or_apart(longest, more, seed):
    document = range(4 * longest + more)  # each token is its own place
    pair = draw_pair(document, longest, Random(seed))
    for segment in (pair.first, pair.second):
        assert len(segment) == longest
        assert segment == tuple(range(segment[0], segment[0] + longest))
    assert (pair.second[0] == pair.first[-1] + 1) == pair.is_next
    if not pair.is_next:
        following = range(pair.first[-1] + 1, pair.first[-1] + 1 + longest)
        assert not {*pair.first, *following} & {*pair.second}


@pytest.mark.parametrize(("longest", "size"), [(1, 4), (2, 8), (2, 11), (3, 14)])
def test_every_pair_that_may_be_is_drawn_equally_often(longest, size):
    """Against all places, listed one by one."""
    random, seen = Random(4), Counter()
    rounds = 20_000
    for _ in range(rounds):
        pair = draw_pair(range(size), longest, random)
        seen[pair.first[0], pair.second[0], pair.is_next] += 1
    begins = range(size - 2 * longest + 1)
    for first in begins:
        apart = [
            second
            for second in range(size - longest + 1)
            if not set(range(second, second + longest))
            & set(range(first, first + 2 * longest))
        ]
        share = {(first, first + longest, True): 1.0}
        share |= {(first, second, False): 1 / len(apart) for second in apart}
        for pair, part in share.items():
            expected = rounds / len(begins) / 2 * part
            # six standard deviations of a count
            assert abs(seen.pop(pair) - expected) < 6 * expected**0.5
    assert not seen


def test_bad_pairs_are_named():
    with pytest.raises(ValueError, match=r"has 7 tokens: .* may be apart need 8"):
        draw_pair(range(7), 2, Random(0))
    with pytest.raises(ValueError, match="longest is 0: it must be 1 or more"):
        draw_pair(range(9), 0, Random(0))
