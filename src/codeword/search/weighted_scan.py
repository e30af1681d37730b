"""The asymmetric distance of queries to packed bits, by FAISS' table look-ups (no Keras).

A distance that is a sum over bits is a sum over bytes, with 256 possible values for each byte of a query. That is a
product quantizer of 8 bits, whose "centroids" are the signs of each byte, and whose codes are the packed codes as they
are. FAISS' inner product orders ties the wrong way round, so the scan is by Euclidean distance, which differs by a
constant: `(v - s)² = v² + 1 - 2 v s` for a sign s.
"""

import faiss
import numpy as np
from numpy.typing import NDArray

_SIGNS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32) * 2 - 1  # (256, 8)
_MOST_CELLS = 1 << 22  # of the tables, or of compared bits, in memory at a time


class WeightedScan:
    """An exact scan over packed codes, uint8 of shape `(n, num_bytes)`, of which it holds a copy."""

    def __init__(self, codes: NDArray[np.uint8]) -> None:
        self._codes = codes
        num_bytes = codes.shape[1]
        self._index = faiss.IndexPQ(8 * num_bytes, num_bytes, 8)
        faiss.copy_array_to_vector(np.tile(_SIGNS.ravel(), num_bytes), self._index.pq.centroids)
        faiss.copy_array_to_vector(codes.ravel(), self._index.codes)
        self._index.is_trained, self._index.ntotal = True, len(codes)

    def search(
        self, codes: NDArray[np.uint8], margins: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return distances and rows of the nearest codes, both `(q, k)`; among equal distances the lower row first."""
        rows = np.empty((len(codes), k), np.int64)
        step = max(1, _MOST_CELLS // (256 * codes.shape[1]))
        for start in range(0, len(codes) if k else 0, step):
            part = slice(start, start + step)
            rows[part] = self._index.search(_vectors(codes[part], margins[part]), k)[1]
        return in_order(weighted_distances(self._codes, codes, margins, rows), rows)


def _vectors(codes: NDArray[np.uint8], margins: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return margins with the signs of the bits, `(q, 8 * num_bytes)`, at a mean of 1, near which `v - s` is exact."""
    means = margins.mean(axis=1, dtype=np.float64, keepdims=True)
    scaled = (margins / np.where(means > 0, means, 1)).astype(np.float32)
    padded = np.pad(scaled, ((0, 0), (0, 8 * codes.shape[1] - margins.shape[1])))
    return padded * (np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1)


def weighted_distances(
    stored: NDArray[np.uint8], codes: NDArray[np.uint8], margins: NDArray[np.float32], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Return the asymmetric distance of each query to its rows of `stored`: `(q, k)`, exactly 0 for an equal code."""
    distances = np.empty(rows.shape, np.float32)
    step = max(1, _MOST_CELLS // max(1, rows.shape[1] * 8 * codes.shape[1]))
    for start in range(0, len(codes), step):
        part = slice(start, start + step)
        different = np.unpackbits(stored[rows[part]] ^ codes[part, None], axis=2)[..., : margins.shape[1]]
        distances[part] = (different * margins[part, None]).sum(axis=2)
    return distances


def in_order(
    distances: NDArray[np.float32], rows: NDArray[np.int64], k: int | None = None
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the `k` nearest rows of each query, among equal distances the lower row first."""
    order = np.lexsort((rows, distances), axis=1)[:, :k]
    return np.take_along_axis(distances, order, axis=1), np.take_along_axis(rows, order, axis=1)
