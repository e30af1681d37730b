"""Symbols with a last digit that makes them unique (no Keras)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError


def unique_ids(symbols: NDArray[Any], rows: NDArray[Any], taken: Any = None) -> NDArray[np.int32]:
    """Append to each row of symbols the number of the row among those with the same symbols.

    Args:
        symbols: Integers of shape `(n, num_symbols)`.
        rows: Numbers of shape `(n, ...)` by which rows with the same symbols are ordered: by the first number, then by
            the second, and so on; equal rows keep their order.
        taken: Integers of shape `(m, num_symbols + 1)`: IDs that others have. Numbers go on after theirs.

    Returns:
        C-contiguous int32 array of shape `(n, num_symbols + 1)`, with rows that all differ.

    Raises:
        DataError: If `taken` does not hold such IDs, each once.

    Example:
        >>> unique_ids(np.array([[7, 1], [7, 1], [2, 3]]), np.array([[0.5], [0.2], [0.1]])).tolist()
        [[7, 1, 1], [7, 1, 0], [2, 3, 0]]
    """
    before = _checked_ids(taken, symbols.shape[1])
    every = np.concatenate([before[:, :-1], symbols.astype(np.int32)])
    _, groups, counts = np.unique(every, axis=0, return_inverse=True, return_counts=True)
    groups = groups.reshape(-1)
    next_digits = np.zeros(len(counts), np.int64)
    np.maximum.at(next_digits, groups[: len(before)], before[:, -1].astype(np.int64) + 1)
    groups = groups[len(before) :]
    digits = next_digits[groups]
    shared = np.flatnonzero(np.bincount(groups, minlength=len(counts))[groups] > 1)
    if len(shared):
        columns = rows[shared].reshape(len(shared), -1).T
        order = shared[np.lexsort((*columns[::-1], groups[shared]))]
        sorted_groups = groups[order]
        firsts = np.flatnonzero(np.diff(sorted_groups, prepend=-1))
        digits[order] += np.arange(len(order)) - np.repeat(firsts, np.diff(np.append(firsts, len(order))))
    return np.column_stack([symbols.astype(np.int32), digits.astype(np.int32)])


def _checked_ids(taken: Any, num_symbols: int) -> NDArray[np.int32]:
    if taken is None:
        return np.empty((0, num_symbols + 1), np.int32)
    ids = np.asarray(taken)
    if ids.ndim != 2 or ids.shape[1] != num_symbols + 1 or ids.dtype.kind not in "iu" or (ids < 0).any():
        raise DataError(
            f"`taken` must be semantic IDs of this model, integers of shape (m, {num_symbols + 1}): got shape "
            f"{ids.shape}, dtype {ids.dtype}."
        )
    if len(np.unique(ids, axis=0)) < len(ids):
        raise DataError("`taken` must hold each semantic ID once: got some that repeat.")
    return ids.astype(np.int32)
