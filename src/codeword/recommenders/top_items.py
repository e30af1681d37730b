"""The best items that a user has not rated."""

import numpy as np
import scipy.sparse
from numpy.typing import NDArray


def top_items(
    scores: NDArray[np.float32], left_out: scipy.sparse.csr_array, k: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return the `k` best columns of each row.

    Args:
        scores: float32 of shape (rows, columns), overwritten; -inf is never chosen.
        left_out: CSR of the same shape; its stored entries are not chosen.
        k: Number of columns to choose; at most all of them.

    Returns:
        Columns, -1 where a row has too few, and their scores, NaN there; both (rows, k), best first. Of columns with
        equal scores the lower one comes first. Which of several equal scores makes the k-th place is not defined.
    """
    rows = np.repeat(np.arange(len(scores)), np.diff(left_out.indptr))
    scores[rows, left_out.indices] = -np.inf
    if k < scores.shape[1]:
        chosen = np.argpartition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k :]
    else:
        chosen = np.broadcast_to(np.arange(k), scores.shape)
    chosen = np.sort(chosen, axis=1)
    found = np.take_along_axis(scores, chosen, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")
    chosen, found = np.take_along_axis(chosen, order, axis=1), np.take_along_axis(found, order, axis=1)
    missing = np.isneginf(found)
    return np.where(missing, -1, chosen), np.where(missing, np.float32(np.nan), found)
