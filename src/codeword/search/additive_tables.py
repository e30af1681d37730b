"""A sum of table entries, one per symbol, that comes near what a model decodes, and a scan by it (no Keras)."""

import faiss
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_PASSES = 6
_LEVELS = 2**16 - 1


def additive_tables(symbols: NDArray[np.uint8], rows: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the tables, `(num_symbols, size, d)`, whose sums over the symbols come nearest to rows.

    Each table in turn takes the mean of what the others leave (backfitting). For codes that are sums of entries, this
    finds them; an entry that no code uses is zero.

    Args:
        symbols: Integers below `size`, of shape `(n, num_symbols)`.
        rows: Decoded rows, of shape `(n, d)`.
        size: Number of values of a symbol.
    """
    tables = np.zeros((symbols.shape[1], size, rows.shape[1]), np.float32)
    left, ones, ends = rows.copy(), np.ones(len(rows), np.float32), np.arange(len(rows) + 1)
    for _ in range(_PASSES):
        for place, column in enumerate(symbols.T):
            chosen = csr_array((ones, column, ends), shape=(len(rows), size))
            counts = np.maximum(np.bincount(column, minlength=size), 1)[:, None]
            change = (chosen.T @ left) / counts  # what the entries lack
            tables[place] += change
            left -= change[column]
    return tables


class AdditiveScan:
    """A scan by the distance of queries to decoded rows, with `-2 q·x` from tables and `x²` as it is.

    FAISS' product quantizer sums the distances of a query to one entry of each table, `q² - 2 q·e + e²`. Two more
    bytes per code, most significant first, correct the sum of `e²` to `x²`.
    """

    def __init__(self, symbols: NDArray[np.uint8], squares: NDArray[np.float32], tables: NDArray[np.float32]) -> None:
        num_symbols, size, width = tables.shape
        entries = np.square(tables).sum(axis=2)
        excess = squares - entries[np.arange(num_symbols), symbols].sum(axis=1)
        least = excess.min() if len(excess) else 0.0
        step = max((excess.max() if len(excess) else 0.0) - least, 1e-30) / _LEVELS
        levels = np.rint((excess - least) / step).astype(np.uint16)
        centroids = np.zeros((num_symbols + 2, 256, width), np.float32)
        centroids[:-2, :size] = tables
        centroids[-2:, :, 0] = np.sqrt(step * np.outer((256, 1), np.arange(256)))
        self._num_symbols = num_symbols
        self._index = faiss.IndexPQ(width * (num_symbols + 2), num_symbols + 2, 8)
        faiss.copy_array_to_vector(centroids.ravel(), self._index.pq.centroids)
        codes = np.concatenate([symbols, levels.astype(">u2").view(np.uint8).reshape(-1, 2)], axis=1)
        faiss.copy_array_to_vector(codes.ravel(), self._index.codes)
        self._index.is_trained, self._index.ntotal = True, len(codes)

    def nearest(self, queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        """Return the rows of the nearest codes, `(q, k)`; among equal codes the lower row comes first."""
        tiled = np.zeros((len(queries), self._num_symbols + 2, queries.shape[1]), np.float32)
        tiled[:, :-2] = queries[:, None]
        found: NDArray[np.int64] = self._index.search(tiled.reshape(len(queries), -1), k)[1]
        return found
