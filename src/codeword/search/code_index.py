"""Search in memory among codes of any kind, by the rows that a model decodes from them (no Keras)."""

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import checked_ids
from codeword.code_kinds import packing
from codeword.errors import CodeError, DataError, ParameterError
from codeword.search.additive_tables import AdditiveScan, additive_tables
from codeword.search.faiss_threads import threads_for
from codeword.search.held_codes import HeldCodes, as_objects, check_distinct
from codeword.search.queries import Queries, numbers_within
from codeword.search.rescoring import Rescoring, as_flat_rows
from codeword.settings import integer, one_of

_BLOCK = 1 << 14  # codes to decode at a time
_SAMPLE = 1 << 15  # decoded rows that the tables are fitted to
_MOST_CELLS = 1 << 22  # numbers of repeated queries in memory at a time


class CodeIndex:
    """In-memory index of codes of any kind, searched by the distance of queries to the decoded rows.

    Codes of `Residual`, `Choices` or `Scalars` have no Hamming distance. Their distance to a query is the Euclidean
    distance between the query, in floats, and the row that the model decodes from the code. The index finds
    `candidates` by tables, one entry per value of a symbol, whose sums come near the decoded rows, and orders these by
    the decoded rows themselves. It keeps the symbols, the packed codes and two more bytes for each code, and no rows.

    Args:
        codes: Packed codes of the model, uint8 of shape `(n, num_bytes)`.
        ids: Distinct integers or strings, one id per code. Default: the row numbers.
        model: Fitted `Autoencoder` that made the codes, whose symbols have at most 256 values.

    Raises:
        CodeError: If the model cannot have made the codes, or there are none.
        DataError: If an id is duplicated or missing, or if the number of ids differs from the number of codes.
        ParameterError: If `model` is not fitted, or has symbols of more values.
    """

    def __init__(self, codes: Any, ids: Any = None, *, model: Any) -> None:
        self._kind: Any = getattr(model, "code_", None)
        if self._kind is None or max(self._kind.symbol_sizes) > 256:
            raise ParameterError(
                f"`model` must be a fitted Autoencoder whose symbols have at most 256 values: got {model!r}."
            )
        codes = np.ascontiguousarray(packing.check_codes(codes, self._kind))
        if len(codes) == 0:
            raise CodeError("`codes` must have at least one row: got none.")
        packing.unpack(codes, self._kind)  # refuses symbols that the kind does not have
        if ids is not None:
            ids = as_objects(checked_ids(ids, "ids"))
            check_distinct(ids, len(codes))
        self._model, self._held = model, HeldCodes(codes, ids)

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<CodeIndex: {len(self):,} codes of {self._kind}>"

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of all codes in ascending order, int64 or strings as objects."""
        return self._held.all_ids

    @cached_property
    def _scan(self) -> AdditiveScan:
        symbols = packing.unpack(self._held.codes, self._kind).astype(np.uint8)
        step = -(-len(symbols) // _SAMPLE)
        sample = as_flat_rows(self._model.decode(self._held.codes[::step]))
        tables = additive_tables(symbols[::step], sample, max(self._kind.symbol_sizes))
        squares = np.empty(len(symbols), np.float32)
        for start in range(0, len(symbols), _BLOCK):
            rows = as_flat_rows(self._model.decode(self._held.codes[start : start + _BLOCK]))
            squares[start : start + _BLOCK] = np.einsum("nd,nd->n", rows, rows)
        return AdditiveScan(symbols, squares, tables)

    def search(
        self, x: Any, k: int = 10, *, rescore: Any = None, candidates: int = 100, metric: str = "euclidean"
    ) -> tuple[NDArray[np.float32], NDArray[Any]]:
        """Find the `k` codes whose rows are nearest to each query.

        The first search takes as long as decoding all codes.

        Args:
            x: Queries: rows like those that were encoded, numbers of shape `(q, ...)`, or `Queries` with rows.
            k: Maximum number of codes per query.
            rescore: What the candidates are ordered by instead of their decoded rows: rows in an array, a memory map or
                `KeptRows`, as in `HammingIndex.search`.
            candidates: Number of codes per query to order by rows, at least `k`.
            metric: Distance between rows: "euclidean" or "cosine". Candidates are found by Euclidean distance.

        Returns:
            Distances, float32, and ids, both of shape `(q, k)`, with fewer columns if there are fewer codes. Nearest
            first; among equal distances the lower id comes first.

        Raises:
            DataError: If the queries are not finite or of another width, or rows for rescoring do not fit.
            DataTypeError: If the queries are not numbers.
            ParameterError: If a setting is out of range.
        """
        integer(1).check("k", k)
        integer(1).check("candidates", candidates)
        one_of("euclidean", "cosine").check("metric", metric)
        held, wanted = self._held, self._rows_of(x)
        k = min(int(k), len(held))
        if rescore is None:
            rescoring = Rescoring.by_decoding(self._model, wanted, held, metric=metric)
        else:
            queries = Queries(np.zeros((len(wanted), 1), np.uint8), rows=wanted)
            rescoring = Rescoring.by(rescore, queries, held, metric=metric, whole=True)
        count = min(max(k, int(candidates)), len(held))
        rows = np.empty((len(wanted), count), np.int64)
        step = max(1, _MOST_CELLS // (wanted.shape[1] * (self._kind.num_symbols + 2)))
        with threads_for(len(wanted)):
            for start in range(0, len(wanted), step):
                rows[start : start + step] = self._scan.nearest(wanted[start : start + step], count)
        distances, rows = rescoring.ordered(rows, k)
        return distances, held.ids_of(rows)

    def _rows_of(self, x: Any) -> NDArray[np.float32]:
        rows = x.rows if isinstance(x, Queries) else numbers_within(x, "x")
        if rows is None:
            raise ParameterError("`x` must be rows, or Queries with rows: got Queries of codes alone.")
        if rows.ndim < 2 or len(rows) == 0:
            raise DataError(f"`x` must have at least one query, shape (q, ...): got shape {rows.shape}.")
        rows, width = as_flat_rows(rows), as_flat_rows(self._model.decode(self._held.codes[:1])).shape[1]
        if rows.shape[1] != width:
            raise DataError(f"`x` must have {width} numbers per row, like the decoded rows: got {rows.shape[1]}.")
        return rows
