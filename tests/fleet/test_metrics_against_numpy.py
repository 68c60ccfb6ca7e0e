"""A percentile is the one that NumPy calls the inverted distribution function."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tensorfleet.fleet.metrics import nearest_rank


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.integers(1, 1000))
def test_nearest_rank_is_numpys_inverted_cdf(values, per_mille):
    expected = np.percentile(values, per_mille / 10, method="inverted_cdf")
    assert nearest_rank(sorted(values), per_mille) == expected
