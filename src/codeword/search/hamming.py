"""Exact search by Hamming distance in memory, on FAISS (no Keras)."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import checked_ids
from codeword.code_kinds.packing import as_code_array, check_bit_codes
from codeword.errors import CodeError, DataError, StoreFileError
from codeword.settings import integer

_BLOCK = 4_096  # queries between two updates of the progress bar


class HammingIndex:
    """Exact in-memory index that finds the codes with the smallest Hamming distance to a query.

    Ties are ordered by id. The index copies the codes, sorts them by id and never changes: a million codes of 64 bits
    take 16 MB and 0.1 seconds.

    Args:
        codes: Packed codes, uint8 of shape `(n, num_bytes)`, as returned by `encode` of a model with `Bits`.
        ids: Distinct integers or strings, one id per code. Default: the row numbers.
        num_bits: Number of bits per code if the last byte is not full. Default: 8 bits per byte. Padding bits are zero
            and never add to a distance.

    Raises:
        CodeError: If the codes are not packed, or there are none.
        DataError: If an id is duplicated or missing, or if the number of ids differs from the number of codes.

    Example:
        >>> index = HammingIndex(np.array([[0b1111], [0b0001], [0b0011]], np.uint8), ids=["x", "y", "z"])
        >>> distances, ids = index.search(np.array([[0b0000]], np.uint8), k=2)
        >>> distances.tolist(), ids.tolist()
        ([[1, 2]], [['y', 'z']])
    """

    def __init__(self, codes: Any, ids: Any = None, *, num_bits: int | None = None) -> None:
        codes, self._num_bits = check_bit_codes(codes, num_bits)
        if len(codes) == 0:
            raise CodeError("`codes` must have at least one row: got none.")
        if ids is not None:
            ids = as_objects(checked_ids(ids, "ids"))
            check_distinct(ids, len(codes))
        self._fill(codes, ids)

    @classmethod
    def _of_store(cls, codes: NDArray[np.uint8], ids: NDArray[Any], num_bits: int, path: Path) -> Self:
        """Make an index of codes that were checked, and of ids that only may repeat."""
        try:
            check_distinct(ids, len(codes))
        except DataError as error:
            raise StoreFileError(
                f"{path} must have different ids in all rows: got some that repeat. Restore it from a copy."
            ) from error
        index = cls.__new__(cls)
        index._num_bits = num_bits
        index._fill(codes, ids)
        return index

    def _fill(self, codes: NDArray[np.uint8], ids: NDArray[Any] | None) -> None:
        if ids is not None and (ids[1:] < ids[:-1]).any():
            # FAISS orders ties by row, so rows sorted by id put ties in the order of their ids.
            order = np.argsort(ids)
            codes, ids = codes[order], ids[order]
        self._ids, self._index = ids, faiss.IndexBinaryFlat(8 * codes.shape[1])
        # With FAISS's default of 32, searching for 4,096 queries among 100,000 codes takes 5 times as long.
        self._index.query_batch_size = _BLOCK  # type: ignore[attr-defined]  # FAISS adds it at run time
        self._index.add(codes)

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickles and copies hold: the codes and ids, as FAISS' own object does not pickle."""
        codes = faiss.vector_to_array(self._index.xb).reshape(len(self), -1)  # type: ignore[attr-defined]  # as above
        return {"num_bits": self._num_bits, "codes": codes, "ids": self._ids}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._num_bits = state["num_bits"]
        self._fill(state["codes"], state["ids"])

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def __repr__(self) -> str:
        return f"<HammingIndex: {len(self):,} codes of {self._num_bits} bits>"

    @property
    def num_bits(self) -> int:
        """Number of bits per code."""
        return self._num_bits

    def search(self, codes: Any, k: int = 10, *, verbose: bool | int = 0) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Find the `k` nearest codes of each query.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
            k: Maximum number of codes per query.
            verbose: Show a progress bar if there are many queries.

        Returns:
            Distances in bits, int32, and ids, int64 or strings as objects, both of shape `(q, k)`, with fewer columns
            if there are fewer codes. Nearest first; among equal distances the lower id comes first.

        Raises:
            CodeError: If the queries are not packed or have another width than the codes.
            ParameterError: If `k` is below 1.
        """
        codes = self._checked_queries(codes)
        integer(1).check("k", k)
        k = min(int(k), len(self))
        distances, rows = np.empty((len(codes), k), np.int32), np.empty((len(codes), k), np.int64)
        starts: Iterable[int] = range(0, len(codes) if k else 0, _BLOCK)
        if verbose and len(codes) > _BLOCK:
            from tqdm.auto import tqdm  # takes a tenth of a second

            starts = tqdm(starts, desc="search")
        for start in starts:
            part = slice(start, start + _BLOCK)
            with _threads_for(len(codes)):
                distances[part], rows[part] = self._index.search(codes[part], k)
        return distances, self._ids_of(rows)

    def within(self, codes: Any, distance: int) -> tuple[list[NDArray[np.int32]], list[NDArray[Any]]]:
        """Find all codes within a Hamming distance of each query.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`.
            distance: Maximum distance in bits, an integer of at least 0. Codes at exactly this distance are included.

        Returns:
            A list of arrays with the distances in bits and a list of arrays with the ids, one array per query, nearest
            first. Among equal distances the lower id comes first.

        Raises:
            CodeError: If the queries are not packed or have another width than the codes.
            ParameterError: If `distance` is not an integer of at least 0.
        """
        codes = self._checked_queries(codes)
        integer(0).check("distance", distance)
        # FAISS excludes codes at exactly the radius.
        with _threads_for(len(codes)):
            ends, distances, rows = self._index.range_search(codes, min(int(distance), self._num_bits) + 1)
        ends, distances = ends.astype(np.int64), distances.astype(np.int32)
        order = np.lexsort((rows, distances, np.repeat(np.arange(len(codes)), np.diff(ends))))
        cuts = ends[1:-1]
        return np.split(distances[order], cuts), np.split(self._ids_of(rows[order]), cuts)

    def _checked_queries(self, codes: Any) -> NDArray[np.uint8]:
        codes = as_code_array(codes)
        check_width(codes, self._num_bits, "the indexed codes", "Encode the queries with the same model.")
        codes, _ = check_bit_codes(codes, self._num_bits)
        if len(codes) == 0:
            raise CodeError("`codes` must have at least one query: got none.")
        return codes

    def _ids_of(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        return rows if self._ids is None else self._ids[rows]


@contextmanager
def _threads_for(num_queries: int) -> Iterator[None]:
    """Let FAISS use a single thread for a single query.

    FAISS distributes queries among threads. With one query the others only add waiting time: on a machine with two busy
    cores, 318 ms instead of 1.7 ms for a million codes of 64 bits. The setting holds for this Python thread only.
    """
    threads = faiss.omp_get_max_threads() if os.getpid() == _PROCESS else 1
    faiss.omp_set_num_threads(1 if num_queries == 1 else threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(threads)


# In a forked process the threads of its parent are gone, and FAISS would wait for them.
_PROCESS = os.getpid()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: faiss.omp_set_num_threads(1))


def as_objects(ids: NDArray[Any]) -> NDArray[Any]:
    """Return texts as objects: an array of NumPy's text type takes the longest text's width in every row."""
    return ids if ids.dtype.kind == "i" else ids.astype(object)


def check_width(codes: NDArray[Any], num_bits: int, like: str, hint: str) -> None:
    """Check that packed codes are as wide as others."""
    num_bytes = -(-num_bits // 8)
    # With one column per bit they are not packed, which `check_bit_codes` says.
    if codes.dtype == np.uint8 and codes.ndim == 2 and codes.shape[1] not in (num_bytes, num_bits):
        raise CodeError(f"`codes` must have {num_bytes} bytes per row, like {like}: got {codes.shape[1]}. {hint}")


def check_distinct(ids: NDArray[Any], count: int) -> None:
    """Check that there is one id per code and no id occurs twice."""
    if len(ids) != count:
        raise DataError(f"`ids` must have one id per code: got {len(ids)} ids for {count} codes.")
    if (ids[1:] > ids[:-1]).all():
        return  # already sorted, as in most stores: sorting again took more than half of the time to load one
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < len(ids):
        repeated = values[counts > 1].tolist()
        raise DataError(
            f"`ids` must be distinct: got {len(repeated)} that occur more than once, the first {repeated[0]!r}."
        )
