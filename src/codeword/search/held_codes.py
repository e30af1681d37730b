"""Codes in memory with their ids: what an index holds, and the checks of both (no Keras)."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any, Self, cast

import faiss
import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import checked_ids
from codeword.errors import CodeError, DataError, DataTypeError
from codeword.search.faiss_threads import threads_for
from codeword.search.queries import Queries
from codeword.search.weighted_scan import WeightedScan

_BLOCK = 4_096  # queries between two updates of the progress bar


class HeldCodes:
    """Packed codes in the order of their ids, held by FAISS; nothing in it changes.

    Attributes:
        ids: Ascending ids, int64 or strings as objects; None if they are the row numbers.
        flat: The FAISS index. It orders ties by row, so rows sorted by id put ties in the order of their ids.
        codes: The codes that `flat` holds, uint8 of shape `(n, num_bytes)`, not copied.
        in_order: Whether the codes came in the order of their ids.
    """

    def __init__(self, codes: NDArray[np.uint8], ids: NDArray[Any] | None, in_order: bool = True) -> None:
        self.in_order = in_order
        if ids is not None and (ids[1:] < ids[:-1]).any():
            order = np.argsort(ids)
            codes, ids, self.in_order = codes[order], ids[order], False
        counted = ids is None or (ids.dtype.kind == "i" and np.array_equal(ids, np.arange(len(ids))))
        self.ids = None if counted else ids
        self.flat = cast(Any, faiss.IndexBinaryFlat(8 * codes.shape[1]))  # FAISS adds attributes at run time
        # With FAISS's default of 32, searching for 4,096 queries among 100,000 codes takes 5 times as long.
        self.flat.query_batch_size = _BLOCK
        self.flat.add(codes)
        self.codes = np.empty(codes.shape, np.uint8)
        if len(codes):
            held = faiss.rev_swig_ptr(self.flat.xb.data(), codes.size)
            self.codes = held.reshape(codes.shape)

    @property
    def parts(self) -> tuple[NDArray[np.uint8], NDArray[Any] | None, bool]:
        """What makes an equal object, without FAISS."""
        return self.codes.copy(), self.ids, self.in_order

    @cached_property
    def _weighted(self) -> WeightedScan:
        return WeightedScan(self.codes)

    def nearest(self, queries: Queries, k: int, *, verbose: bool | int = 0) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Return distances and rows of the `k` nearest codes, `(q, k)`: asymmetric if there are margins."""
        margins = queries.margins
        distances = np.empty((len(queries), k), np.int32 if margins is None else np.float32)
        rows = np.empty((len(queries), k), np.int64)
        starts: Iterable[int] = range(0, len(queries) if k else 0, _BLOCK)
        if verbose and len(queries) > _BLOCK:
            from tqdm.auto import tqdm  # takes a tenth of a second

            starts = tqdm(starts, desc="search")
        for start in starts:
            part = slice(start, start + _BLOCK)
            with threads_for(len(queries)):
                if margins is None:
                    distances[part], rows[part] = self.flat.search(queries.codes[part], k)
                else:
                    distances[part], rows[part] = self._weighted.search(queries.codes[part], margins[part], k)
        return distances, rows

    def within(
        self, codes: NDArray[np.uint8], distance: int
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64]]:
        """Return distances and rows of all codes within a Hamming distance, and where each query's part ends."""
        with threads_for(len(codes)):
            # FAISS excludes codes at exactly the radius.
            ends, distances, rows = self.flat.range_search(codes, distance + 1)
        ends, distances = ends.astype(np.int64), distances.astype(np.int32)
        order = np.lexsort((rows, distances, np.repeat(np.arange(len(codes)), np.diff(ends))))
        return distances[order], rows[order], ends[1:-1]

    def __len__(self) -> int:
        return len(self.codes)

    def ids_of(self, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Return the ids of rows, in any shape."""
        return rows if self.ids is None else self.ids[rows]

    @property
    def all_ids(self) -> NDArray[Any]:
        """The ids of all rows."""
        return self.ids_of(np.arange(len(self)))

    def rows_of(self, ids: Any) -> NDArray[np.intp]:
        """Return the row of each id, -1 for an unknown one; refuse ids of another type."""
        ids = as_objects(checked_ids(ids, "ids"))
        own = self.all_ids
        if len(own) == 0 or len(ids) == 0:
            return np.full(len(ids), -1)
        if own.dtype.kind != ids.dtype.kind:
            kind = "integers" if own.dtype.kind == "i" else "strings"
            raise DataTypeError(f"`ids` must be {kind}, like the ids in the index: got {ids.tolist()[0]!r}.")
        rows = np.minimum(np.searchsorted(own, ids), len(own) - 1)
        return np.where(own[rows] == ids, rows, -1)

    def with_added(self, codes: NDArray[np.uint8], ids: Any) -> Self:
        """Return these codes and others, under new ids or, without any, under the integers that follow."""
        own = self.all_ids
        if ids is None:
            ids = self._next_ids(len(codes))
        else:
            ids = as_objects(checked_ids(ids, "ids"))
            check_distinct(ids, len(codes))
        known = ids[self.rows_of(ids) >= 0]
        if len(known):
            raise DataError(
                f"`ids` must not be in the index yet: got {len(known)} that are, the first {known.tolist()[0]!r}. "
                "Remove them first, or use new ids. Nothing was added."
            )
        all_ids = np.concatenate([own, ids]) if len(own) else ids
        return type(self)(np.concatenate([self.codes, codes]), all_ids, self.in_order)

    def _next_ids(self, count: int) -> NDArray[np.int64]:
        greatest = self.all_ids[-1:].tolist() or [-1]
        if isinstance(greatest[0], str):
            raise DataTypeError("`ids` must be strings, like the ids in the index: got None.")
        if greatest[0] + count >= 2**63:
            raise DataError(f"`ids` must be passed, as no 64-bit integers follow {greatest[0]}: got None.")
        return greatest[0] + 1 + np.arange(count)

    def without(self, ids: Any) -> Self:
        """Return these codes without those of some ids."""
        rows = self.rows_of(ids)
        kept = np.ones(len(self), bool)
        kept[rows[rows >= 0]] = False
        return type(self)(self.codes[kept], self.all_ids[kept], self.in_order)


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
