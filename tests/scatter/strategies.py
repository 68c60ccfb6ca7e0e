"""Random arguments for scatter operations, as NumPy arrays.

Every implementation can take them.
"""

import numpy as np
from hypothesis import strategies as st

VALUES = st.integers(-9, 9)


@st.composite
def scatter_arguments(draw, max_dims=4, max_size=5):
    """(dst, dim, index, src) that fit together.

    `index` may be smaller than `src` and `dst`, or empty.
    """
    num_dims = draw(st.integers(1, max_dims))
    sizes = st.integers(1, max_size)
    dst_shape = draw(st.lists(sizes, min_size=num_dims, max_size=num_dims))
    dim = draw(st.integers(-num_dims, num_dims - 1))
    index_shape = [
        # Along dim, index may be longer than dst; an empty index is empty in its last
        # dimension.
        draw(st.integers(int(d < num_dims - 1), 8 if d == dim % num_dims else size))
        for d, size in enumerate(dst_shape)
    ]
    src_shape = [size + draw(st.integers(0, 2)) for size in index_shape]
    # A small range of targets makes many elements meet in one place; the full range
    # spreads them.
    reach = draw(st.integers(1, dst_shape[dim]))
    return (
        array(draw, dst_shape, VALUES),
        dim,
        array(draw, index_shape, st.integers(0, reach - 1)),
        array(draw, src_shape, VALUES),
    )


@st.composite
def rows_and_bins(draw, max_length=40, max_bins=70):
    """(rows, num_bins): rows of shape (..., n) holding numbers below `num_bins`.

    Often these are few distinct ones.
    """
    num_bins = draw(st.integers(1, max_bins))
    batch = draw(st.lists(st.integers(1, 4), max_size=2))
    reach = draw(st.integers(1, num_bins))
    return array(
        draw, [*batch, draw(st.integers(0, max_length))], st.integers(0, reach - 1)
    ), num_bins


def array(draw, shape, values):
    size = int(np.prod(shape))
    return np.array(
        draw(st.lists(values, min_size=size, max_size=size)), dtype=np.int64
    ).reshape(shape)
