"""The notes' examples: arguments and printed results, as they stand there."""

FIRST_EIGHT = [[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]]

# name: (shape of dst, dim, index, src, printed result); dst is all zeros
EXAMPLES = {
    "1-D": (
        (5,),
        0,
        [0, 1, 1, 2, 3],
        [1.0, 2.0, 3.0, 4.0, 5.0],
        [1.0, 5.0, 4.0, 5.0, 0.0],
    ),
    "2-D, dim 0": (
        (3, 4),
        0,
        [[0, 1, 2, 0], [1, 2, 0, 1]],
        FIRST_EIGHT,
        [[1.0, 0.0, 7.0, 4.0], [5.0, 2.0, 0.0, 8.0], [0.0, 6.0, 3.0, 0.0]],
    ),
    "2-D, dim 1": (
        (3, 4),
        1,
        [[0, 1, 2, 3], [3, 2, 1, 0]],
        FIRST_EIGHT,
        [[1.0, 2.0, 3.0, 4.0], [8.0, 7.0, 6.0, 5.0], [0.0, 0.0, 0.0, 0.0]],
    ),
}

BINCOUNT_ROWS = [[0, 1, 2, 3], [2, 2, 0, 3]]
BINCOUNT_BINS = 5
BINCOUNT_PRINTED = [[1, 1, 1, 1, 0], [1, 0, 2, 1, 0]]
