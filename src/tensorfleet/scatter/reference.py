"""scatter_add and batched_bincount on nested lists: the definition, written to be read.

`scatter_add(dst, dim, index, src)` walks over every position p of `index`, replaces the
coordinate `dim` of p by the number that `index` holds there, and adds `src` at p to
`dst` at that place. In two dimensions:

    dim = 0: dst[index[i][j]][j] += src[i][j]  the column stays, the index names the row
    dim = 1: dst[i][index[i][j]] += src[i][j]  the row stays, the index names the column

The rules are those of `torch.Tensor.scatter_add`: `index` may be smaller than `src`
(what lies beyond it is ignored) and smaller than `dst` (places that no index names keep
their value); along every dimension but `dim` it must fit inside `dst`. Several elements
may name one place: all are added.

Does not handle: tensors (see `ops`), or shapes with a zero that is not in the last
dimension, since the empty list has no inner shape to show: `[]` is read as shape (0,).
"""

from itertools import product
from numbers import Integral, Number
from typing import Any, TypeAlias

# A number, or a list of lists ... of numbers, all of the same length at the same depth.
Nested: TypeAlias = Any
Shape: TypeAlias = tuple[int, ...]


def scatter_add(dst: Nested, dim: int, index: Nested, src: Nested) -> Nested:
    """Return a copy of `dst` with every element of `src` added where `index` says.

    `dst`, `index` and `src` are nested lists with the same number of dimensions; a bare
    number counts as a list of one. `index` holds integers from 0 to
    `len(dst along dim) - 1`. An empty `index` returns the copy unchanged, whatever the
    other shapes.

    Raises IndexError for a dimension or an index out of range, ValueError for shapes
    that do not fit or ragged lists, TypeError for an index that is not an integer.
    """
    if shape_of(dst) == ():
        return scatter_add([dst], dim, index, src)[0]
    index, src = ([x] if shape_of(x) == () else x for x in (index, src))
    dim = check_shapes(dim, shape_of(dst), shape_of(index), shape_of(src))
    size, out = shape_of(dst)[dim], _copy(dst)
    for position in product(*map(range, shape_of(index))):
        target = _checked_index(_get(index, position), position, dim, size)
        place = (*position[:dim], target, *position[dim + 1 :])
        row = _get(out, place[:-1])
        row[place[-1]] += _get(src, position)
    return out


def batched_bincount(rows: Nested, num_bins: int) -> Nested:
    """Count, in every row, how often each of the numbers 0 to `num_bins - 1` occurs.

    `rows` has shape (..., n) and holds integers from 0 to `num_bins - 1`; the result
    has shape (..., num_bins). It is one `scatter_add` of ones along the last dimension.

    Raises ValueError for a negative `num_bins` or ragged rows, IndexError for a number
    outside the bins, TypeError for one that is not an integer.
    """
    if num_bins < 0:
        raise ValueError(f"num_bins is {num_bins}: it must be 0 or more")
    shape = shape_of(rows)
    if shape == ():
        raise ValueError(
            f"rows is the single number {rows!r}: "
            "it must be a list of numbers, or nested lists"
        )
    return scatter_add(full((*shape[:-1], num_bins), 0), -1, rows, full(shape, 1))


def shape_of(nested: Nested) -> Shape:
    """The shape of nested lists: `[[1, 2, 3], [4, 5, 6]]` has (2, 3), a number has ().

    Raises ValueError when lists at the same depth differ in shape, TypeError for what
    is neither a number nor a list.
    """
    if isinstance(nested, Number):
        return ()
    if not isinstance(nested, list):
        raise TypeError(f"{nested!r} is neither a number nor a list")
    shapes = {shape_of(item) for item in nested}
    if len(shapes) > 1:
        raise ValueError(
            f"ragged lists: the items of one list have the shapes {sorted(shapes)}"
        )
    return (len(nested), *(shapes.pop() if shapes else ()))


def full(shape: Shape, value: float) -> Nested:
    """Nested lists of the given shape with `value` everywhere."""
    return [full(shape[1:], value) for _ in range(shape[0])] if shape else value


def check_shapes(dim: int, dst: Shape, index: Shape, src: Shape) -> int:
    """Check the rules on shapes and return `dim` counted from the front.

    Raises IndexError for a dimension out of range, ValueError for shapes that do not
    fit together. An empty index fits everything.
    """
    if not -len(dst) <= dim < len(dst):
        raise IndexError(
            f"dim is {dim}: for {len(dst)} dimensions "
            f"it must be {-len(dst)} to {len(dst) - 1}"
        )
    dim %= len(dst)
    if 0 in index:
        return dim
    if not len(dst) == len(index) == len(src):
        raise ValueError(
            f"dst, index and src have shapes {dst}, {index} and {src}: "
            "the dimensions must agree"
        )
    for d in range(len(dst)):
        if index[d] > src[d]:
            raise ValueError(
                f"index has size {index[d]} along dimension {d}: "
                f"src allows at most {src[d]}"
            )
        if d != dim and index[d] > dst[d]:
            raise ValueError(
                f"index has size {index[d]} along dimension {d}: "
                f"dst allows at most {dst[d]}"
            )
    return dim


def _checked_index(value: Nested, position: Shape, dim: int, size: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"index holds {value!r} at {position}: it must hold integers")
    index = int(value)
    if not 0 <= index < size:
        allowed = f"0 to {size - 1}" if size else "nothing: there is no place"
        raise IndexError(
            f"index holds {index} at {position}: "
            f"along dimension {dim} dst allows {allowed}"
        )
    return index


def _copy(nested: Nested) -> Nested:
    """Lists of their own at every level, even where the original repeats one list."""
    return [_copy(item) for item in nested] if isinstance(nested, list) else nested


def _get(nested: Nested, position: Shape) -> Nested:
    for coordinate in position:
        nested = nested[coordinate]
    return nested
