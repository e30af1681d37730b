"""Exact search by Hamming distance in memory, on FAISS (no Keras)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from codeword.arrays.ids import checked_ids
from codeword.code_kinds.packing import check_bit_codes
from codeword.errors import CodeError, DataError, ParameterError

_BLOCK = 4_096  # queries between two moves of the progress bar


class HammingIndex:
    """Finds the codes that differ from a query in the fewest bits; exact, with ties ordered by id.

    The codes are copied, ordered by id, and do not change after that: a million of 64 bits take 16 MB and a tenth of a
    second.

    Args:
        codes: Packed codes, uint8 of shape `(n, num_bytes)`, from the `encode` of a model with `Bits`.
        ids: Different whole numbers or texts, one a code; None: the row numbers.
        num_bits: Bits of a code, where the last byte is not full; None: all bits of the bytes. Padding adds nothing to
            a distance in either case.

    Raises:
        CodeError: If the codes are not packed, or there are none.
        DataError: If an id is there twice or missing, or their number is not that of the codes.

    Example:
        >>> index = HammingIndex(np.array([[0b1111], [0b0001], [0b0011]], np.uint8), ids=["x", "y", "z"])
        >>> distances, ids = index.search(np.array([[0b0000]], np.uint8), k=2)
        >>> distances.tolist(), ids.tolist()
        ([[1, 2]], [['y', 'z']])
    """

    def __init__(self, codes: Any, ids: Any = None, *, num_bits: int | None = None) -> None:
        codes, self._num_bits = check_bit_codes(codes, num_bits)
        if len(codes) == 0:
            raise CodeError("`codes` must have at least one row to search in. Received: none. Encode some rows first.")
        self._ids = None
        if ids is not None:
            self._ids = checked_ids(ids, "ids")
            check_different(self._ids, len(codes))
            if (self._ids[1:] < self._ids[:-1]).any():
                # FAISS orders ties by row; with the rows in the order of the ids that is the order of the ids.
                order = np.argsort(self._ids)
                codes, self._ids = codes[order], self._ids[order]
        self._index = faiss.IndexBinaryFlat(8 * codes.shape[1])
        # FAISS's own 32 made 4,096 queries among 100,000 codes take 5 times as long.
        self._index.query_batch_size = _BLOCK  # type: ignore[attr-defined]
        self._index.add(codes)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def num_bits(self) -> int:
        """Bits of a code."""
        return self._num_bits

    def search(self, codes: Any, k: int = 10, *, verbose: int = 0) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Finds the `k` nearest codes of each query.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
            k: From 1 to the size of the index.
            verbose: 1 for a progress bar where there are many queries.

        Returns:
            Distances in bits, int32, and ids, both of shape `(q, k)`: nearest first, of equal ones the lower id.

        Raises:
            CodeError: If the queries are not packed or of another width.
            ParameterError: If `k` does not fit.
        """
        codes = self._checked_queries(codes)
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= len(self):
            raise ParameterError(
                f"`k` must be an integer from 1 to {len(self)}, the codes here. Received: {k!r}. Give less."
            )
        if len(codes) <= _BLOCK:
            distances, rows = self._search(codes, int(k))
            return distances, self._ids_of(rows)
        distances, rows = np.empty((len(codes), k), np.int32), np.empty((len(codes), k), np.int64)
        for start in tqdm(range(0, len(codes), _BLOCK), desc="search", disable=not verbose):
            part = slice(start, start + _BLOCK)
            distances[part], rows[part] = self._search(codes[part], int(k))
        return distances, self._ids_of(rows)

    def within(self, codes: Any, distance: int) -> tuple[list[NDArray[np.int32]], list[NDArray[Any]]]:
        """Finds all codes at most so many bits from each query.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
            distance: Bits that may differ, 0 or more; an entry at exactly this distance is found.

        Returns:
            For each query an array of distances in bits, and one of ids: nearest first, of equal ones the lower id.

        Raises:
            CodeError, ParameterError: Like `search`.
        """
        codes = self._checked_queries(codes)
        if isinstance(distance, bool) or not isinstance(distance, int | np.integer) or distance < 0:
            raise ParameterError(f"`distance` must be a number of bits, an integer from 0. Received: {distance!r}.")
        # FAISS finds what is nearer than the radius, not at it.
        with _threads_for(len(codes)):
            ends, distances, rows = self._index.range_search(codes, min(int(distance), self._num_bits) + 1)
        queries = np.repeat(np.arange(len(codes)), np.diff(ends.astype(np.int64)))
        distances = distances.astype(np.int32)
        order = np.lexsort((rows, distances, queries))
        cuts = ends[1:-1].astype(np.int64)
        return np.split(distances[order], cuts), np.split(self._ids_of(rows[order]), cuts)

    def _checked_queries(self, codes: Any) -> NDArray[np.uint8]:
        return checked_query_codes(codes, self._num_bits, self._index.d // 8)

    def _search(self, codes: NDArray[np.uint8], k: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        with _threads_for(len(codes)):
            distances, rows = self._index.search(codes, k)
        return distances, rows

    def _ids_of(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return rows if self._ids is None else self._ids[rows]


@contextmanager
def _threads_for(num_queries: int) -> Iterator[None]:
    """Lets FAISS use one thread for one query.

    It shares out queries: with one, its other threads do nothing but be waited for, on a machine whose two cores were
    busy 318 ms instead of 1.7 for a million codes of 64 bits. The number of threads is this Python thread's own.
    """
    threads = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1 if num_queries == 1 else threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


def checked_query_codes(codes: Any, num_bits: int, num_bytes: int) -> NDArray[np.uint8]:
    """Refuses queries that are not packed as the codes they are compared with.

    Raises:
        CodeError: If width, dtype or padding do not fit, or there is no query.
    """
    array = np.asarray(codes)
    if array.dtype == np.uint8 and array.ndim == 2 and array.shape[1] not in (num_bytes, num_bits):
        raise CodeError(
            f"`codes` must have {num_bytes} bytes a row, as the codes searched in. Received: {array.shape[1]}. "
            "Encode the queries with the same model."
        )
    array, _ = check_bit_codes(array, num_bits)
    if len(array) == 0:
        raise CodeError("`codes` must have at least one query. Received: none. Give codes.")
    return array


def check_different(ids: NDArray[Any], count: int) -> None:
    """Refuses ids that are not one a code, or of which one is there twice."""
    if len(ids) != count:
        raise DataError(f"`ids` must be one a code. Received: {len(ids)} ids for {count} codes. Give as many.")
    if (ids[1:] > ids[:-1]).all():
        return  # as those of a store mostly are: to sort them took more than half of the time to load it
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        repeated = values[counts > 1]
        raise DataError(
            f"`ids` must be different. Received: {len(repeated)} that are there more than once, the first "
            f"{repeated[0].item()!r}. Give each code an id of its own."
        )
