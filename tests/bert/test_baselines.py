"""Baselines against the entropy, brute force, and what an interval promises."""

from math import log
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.bert.baselines import interval, majority_share, unigram_nll


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
def test_on_its_own_text_a_unigram_pays_the_entropy_or_a_little_more(text):
    counts = [text.count(token) for token in range(7)]
    entropy = -sum(n / len(text) * log(n / len(text)) for n in counts if n)
    found = unigram_nll(text, text, 7)
    # Gibbs: any other shares cost more; of a text many times as long hardly more.
    assert found >= entropy - 1e-12
    assert unigram_nll(text * 1000, text, 7) == pytest.approx(entropy, abs=0.02)


def test_a_word_never_seen_costs_what_the_rule_of_laplace_says():
    assert unigram_nll([0, 0, 1], [2], 4) == pytest.approx(log(7))
    assert unigram_nll([], [0, 1], 4) == pytest.approx(log(4))


@given(st.lists(st.sampled_from("abc"), min_size=1), st.text("abc", min_size=1))
def test_the_majority_is_the_best_constant_answer(train, test):
    best = max(train.count(label) for label in "abc")
    shares = [test.count(x) / len(test) for x in "abc" if train.count(x) == best]
    assert majority_share(train, test) in shares
    assert majority_share(train, train) == best / len(train)


def test_an_interval_of_trials_that_do_not_depend_on_each_other_is_the_binomials():
    random = Random(1)
    hits = [random.random() < 0.6 for _ in range(900)]
    share = sum(hits) / 900
    low, high = interval(hits, range(900), Random(2), rounds=2000)
    assert low < share < high
    # Twice 1.96 standard deviations; the quantiles of 2,000 shares waver by 5%.
    assert high - low == pytest.approx(
        2 * 1.96 * (share * (1 - share) / 900) ** 0.5, rel=0.12
    )


def test_trials_of_one_passage_count_as_one():
    """Nine copies of each answer say no more than one."""
    random = Random(3)
    hits = [random.random() < 0.6 for _ in range(100)]
    once = interval(hits, range(100), Random(4))
    copied = interval(
        [hit for hit in hits for _ in range(9)],
        [passage for passage in range(100) for _ in range(9)],
        Random(4),
    )
    assert copied == once


@pytest.mark.slow
def test_95_in_100_intervals_hold_the_truth():
    random, held = Random(5), 0
    for _ in range(400):
        hits = [random.random() < 0.6 for _ in range(200)]
        low, high = interval(hits, range(200), random, rounds=200)
        held += low <= 0.6 <= high
    # 380 of 400; four standard deviations of that count (4.4), and the bootstrap's own
    # shortfall for 200 trials (about 1%).
    assert 380 - 4 * 4.4 - 4 <= held <= 400


def test_the_same_seed_gives_the_same_interval_and_a_wider_confidence_a_wider_one():
    hits, passages = [True, False, True, True] * 9, [n // 4 for n in range(36)]
    passages[5] = 8  # passages of different sizes
    one = interval(hits, passages, Random(1))
    assert interval(hits, passages, Random(1)) == one
    low, high = interval(hits, passages, Random(1), confidence=0.5)
    assert one[0] <= low <= high <= one[1]
    assert interval([True] * 4, [0, 0, 1, 1], Random(1)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: unigram_nll([0], [], 3), "text is empty"),
        (lambda: unigram_nll([3], [0], 3), "no token 3"),
        (lambda: unigram_nll([0], [-1], 3), "no token -1"),
        (lambda: majority_share([], ["a"]), "labels are missing"),
        (lambda: majority_share(["a"], []), "labels are missing"),
        (lambda: interval([True], [1, 2], Random(1)), "1 hits and 2 passages"),
        (lambda: interval([True, False], [1, 1], Random(1)), "1 passages"),
        (lambda: interval([True] * 2, [1, 2], Random(1), 1.0), "confidence is 1.0"),
        (lambda: interval([True] * 2, [1, 2], Random(1), rounds=0), "rounds is 0"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
