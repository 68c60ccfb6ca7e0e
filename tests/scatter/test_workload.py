"""The index generator and the text."""

import numpy as np
import pytest
import torch

from tensorfleet.scatter import text, workload


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5])
def test_shares_follow_the_power_law(exponent):
    shares = workload.zipf_shares(50, exponent)
    assert shares.sum() == pytest.approx(1)
    for k in (2, 10, 50):
        assert shares[0] / shares[k - 1] == pytest.approx(k**exponent)


@pytest.mark.parametrize("exponent", [0.0, 1.1])
def test_indices_follow_the_shares(exponent):
    n, num_bins = 200_000, 20
    indices = workload.zipf_indices((2, n // 2), num_bins, exponent, seed=3)
    assert indices.shape == (2, n // 2)
    assert indices.dtype == torch.int64
    shares = workload.zipf_shares(num_bins, exponent)
    counts = torch.bincount(indices.flatten(), minlength=num_bins).numpy()
    # A count is binomial: five standard deviations leave a chance below 1e-5 over all
    # bins.
    assert (np.abs(counts - n * shares) < 5 * np.sqrt(n * shares * (1 - shares))).all()


def test_a_seed_fixes_the_indices():
    first, again, other = (
        workload.zipf_indices((100,), 9, 1.0, seed) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_bad_arguments():
    with pytest.raises(ValueError, match="num_bins is 0"):
        workload.zipf_shares(0, 1.0)
    with pytest.raises(ValueError, match="exponent is -1"):
        workload.zipf_shares(5, -1)


def test_the_text_is_a_few_thousand_words_of_ascii():
    paragraphs = text.paragraphs()
    assert all(
        paragraph.isascii() and "\n" not in paragraph for paragraph in paragraphs
    )
    assert 2000 <= sum(len(text.words(paragraph)) for paragraph in paragraphs) <= 5000


def test_words():
    assert text.words("The clerk's tray, 12 letters; the CLERKS' tray.") == (
        ["the", "clerk's", "tray", "letters", "the", "clerks", "tray"]
    )
