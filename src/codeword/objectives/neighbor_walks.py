"""Random walks on the nearest-neighbor graph, from a row to a similar row."""

import math
from copy import copy
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from codeword.search.nearest_rows import nearest_of_finite

_EXACT_ROWS = 16_384
_COMPONENTS = 64
_PROBED_CELLS = 16
_REACH_ROWS = 2_048


class NeighborWalks:
    """Find a similar row for each row by a random walk, whose steps go to one of the nearest rows.

    Args:
        rows: Finite float32 array of shape `(n, columns)`.
        num_neighbors: Number of nearest rows that a step chooses from.
        num_steps: Number of steps of a walk.
        mutual: If True, a step joins two rows only if each is among the nearest of the other, and a row without such a
            neighbor stays where it is. Walks then rarely leave a group.
        seed: Seed of the walks.

    Attributes:
        reach: Mean distance from a row to the last of its nearest rows, over some rows; 1 if all rows are equal.
    """

    def __init__(
        self, rows: NDArray[np.float32], *, num_neighbors: int, num_steps: int, mutual: bool, seed: int
    ) -> None:
        self._nearest = _nearest(rows, num_neighbors)
        self.reach = _reach(rows, self._nearest)
        self._walk(num_steps, mutual=mutual, seed=seed)

    def longer(self, num_steps: int, *, mutual: bool, seed: int) -> Self:
        """Return other walks on the same graph, whose neighbors need not be found again."""
        walks = copy(self)
        walks._walk(num_steps, mutual=mutual, seed=seed)
        return walks

    def _walk(self, num_steps: int, *, mutual: bool, seed: int) -> None:
        self._num_steps = num_steps
        self._random = np.random.default_rng(seed)
        self._neighbors = self._nearest
        self._counts = np.full(len(self._nearest), self._nearest.shape[1])
        if mutual or self._nearest.shape[1] == 0:
            self._neighbors, self._counts = _mutual(self._nearest)

    def ends(self, starts: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the row number in which a walk from each start, a row number, ends."""
        rows = starts
        for _ in range(self._num_steps):
            chosen = (self._random.random(len(rows)) * self._counts[rows]).astype(np.intp)
            rows = self._neighbors[rows, chosen]
        return rows


def _nearest(rows: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return each row's `k` nearest others, shape `(n, k)`, with fewer columns if there are fewer rows.

    The search is exact for few rows. For many it looks at principal components, in the nearest cells of a partition. On
    MNIST this finds 0.997 of what an exact search among those components finds, in a third of the time.
    """
    k = min(k, len(rows) - 1)
    if len(rows) <= _EXACT_ROWS:
        wide = np.ascontiguousarray(rows, np.float64)
        return _without_self(nearest_of_finite(wide, wide, k + 1))
    if rows.shape[1] > _COMPONENTS:
        some = rows[:: -(-len(rows) // _EXACT_ROWS)]
        rows = PCA(_COMPONENTS, svd_solver="covariance_eigh").fit(some).transform(rows)
    rows = np.ascontiguousarray(rows, np.float32)
    index: Any = faiss.index_factory(rows.shape[1], f"IVF{2 ** round(math.log2(len(rows)) / 2)},Flat")
    index.train(rows)
    index.add(rows)
    index.nprobe = _PROBED_CELLS
    found: NDArray[np.int64] = index.search(rows, k + 1)[1]
    return _without_self(np.where(found < 0, np.arange(len(rows))[:, None], found))


def _reach(rows: NDArray[np.float32], nearest: NDArray[np.int64]) -> float:
    if nearest.shape[1] == 0:
        return 1.0
    some = slice(None, None, -(-len(rows) // _REACH_ROWS))  # not the first: they may be of one kind
    distances = np.linalg.norm(rows[some] - rows[nearest[some, -1]], axis=1)
    return float(distances.mean()) or 1.0


def _without_self(found: NDArray[np.int64]) -> NDArray[np.int64]:
    """Drop each row's own number once, or the last column if equal rows have displaced it."""
    own = found == np.arange(len(found))[:, None]
    dropped = np.where(own.any(axis=1), own.argmax(axis=1), found.shape[1] - 1)
    return found[np.arange(found.shape[1]) != dropped[:, None]].reshape(len(found), -1)


def _mutual(nearest: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Keep mutual neighbors: return `(n, k + 1)` neighbors, the kept ones first, and the number of those.

    A row that keeps none is its own neighbor.
    """
    num_rows, k = nearest.shape
    rows = np.arange(num_rows)
    here = (rows[:, None] * num_rows + nearest).ravel()
    back = (nearest * num_rows + rows[:, None]).ravel()
    kept = np.isin(here, back).reshape(num_rows, k)
    order = np.argsort(~kept, axis=1, kind="stable")
    neighbors = np.hstack([np.take_along_axis(nearest, order, axis=1), rows[:, None]])
    counts = kept.sum(axis=1)
    neighbors[counts == 0, 0] = rows[counts == 0]
    return neighbors, np.maximum(counts, 1)
