"""Random matrices as lists, and queries, keys and values made of them."""

from hypothesis import strategies as st

SIZES = st.integers(1, 6)
# Sums of up to a hundred products of numbers below 10, in doubles, and exp of them: the
# two sides add in different orders, which costs some 100 · 2**-53 of the largest term.
TOLERANCE = 1e-10  # of the number expected, and of 1


def matrix(draw, rows, columns, size=3.0):
    values = st.floats(-size, size, allow_subnormal=False)
    row = st.lists(values, min_size=columns, max_size=columns)
    return draw(st.lists(row, min_size=rows, max_size=rows))


@st.composite
def one_head(draw):
    """Queries, keys and values whose numbers and widths differ."""
    queries, keys, width, value_width = (draw(SIZES) for _ in range(4))
    return (
        matrix(draw, queries, width),
        matrix(draw, keys, width),
        matrix(draw, keys, value_width),
    )
