"""Order the first candidates of a search by more than their codes (no Keras)."""

from collections.abc import Callable
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, ParameterError
from codeword.search.held_codes import HeldCodes
from codeword.search.kept_rows import KeptRows
from codeword.search.queries import Queries
from codeword.search.weighted_scan import in_order, weighted_distances
from codeword.settings import one_of

_MOST_CELLS = 1 << 22  # numbers of candidates in memory at a time
# Returns the distances of some queries to rows of the index, `(q, candidates)`.
Distances = Callable[[slice, NDArray[np.int64]], NDArray[np.float32]]


class Rescoring(NamedTuple):
    """How candidates of an index are ordered in the end."""

    num_queries: int
    width: int  # numbers, or bits, to compare for each candidate
    distances: Distances
    is_longer_code: bool = False

    @classmethod
    def by(cls, rescore: Any, queries: Queries, held: HeldCodes, *, metric: str, whole: bool) -> Self:
        """Return how to rescore by rows, by longer codes or by a model, after checking that they fit."""
        one_of("euclidean", "cosine").check("metric", metric)
        if hasattr(rescore, "decode"):
            return cls.by_decoding(rescore, queries.rows, held, metric=metric)
        if isinstance(rescore, np.ndarray) and rescore.dtype == np.uint8:
            return cls._by_codes(rescore, queries, held, whole=whole)
        kept = rescore if isinstance(rescore, KeptRows) else KeptRows(rescore)
        places = kept.places_of(held, whole=whole)
        if kept.is_unscaled and metric != "cosine":
            raise ParameterError(
                "`metric` must be 'cosine' for whole numbers whose scale is unknown: got 'euclidean'. Pass "
                "KeptRows(values, scale=…), or KeptRows.quantized(rows)."
            )
        return cls._by_rows(queries.rows, metric, lambda rows: kept.at(_at(places, rows)), held, width=kept.width)

    @classmethod
    def by_decoding(cls, model: Any, wanted: NDArray[np.float32] | None, held: HeldCodes, *, metric: str) -> Self:
        """Return how to rescore by the rows that a model decodes from the codes."""
        return cls._by_rows(wanted, metric, lambda rows: as_flat_rows(model.decode(held.codes[rows])), held)

    @classmethod
    def _by_rows(
        cls,
        wanted: NDArray[np.float32] | None,
        metric: str,
        read: Callable[[NDArray[np.int64]], NDArray[np.float32]],
        held: HeldCodes,
        *,
        width: int | None = None,
    ) -> Self:
        if wanted is None:
            raise ParameterError(
                "`codes` must be Queries with rows to rescore by rows: got none. Pass autoencoder.queries(x), or "
                "Queries(codes, rows=x)."
            )
        if width is not None and width != wanted.shape[1]:
            raise DataError(
                f"`rescore` must have {wanted.shape[1]} numbers per row, like the rows of the queries: got {width}."
            )
        if metric == "cosine":
            wanted = _unit(wanted, lambda row: f"the query {row}")

        def distances(part: slice, rows: NDArray[np.int64]) -> NDArray[np.float32]:
            different, places = np.unique(rows, return_inverse=True)  # each row is read once, in the order of the file
            values = read(different)
            if metric == "cosine":
                values = _unit(values, lambda row: f"the id {held.ids_of(different[row : row + 1]).tolist()[0]!r}")
                with_queries = np.einsum("qcd,qd->qc", values[places.reshape(rows.shape)], wanted[part])
                return np.maximum(1 - with_queries, 0, dtype=np.float32)
            apart = values[places.reshape(rows.shape)]
            apart -= wanted[part, None]
            return np.sqrt(np.einsum("qcd,qcd->qc", apart, apart))

        return cls(len(wanted), wanted.shape[1], distances)

    @classmethod
    def _by_codes(cls, codes: NDArray[np.uint8], queries: Queries, held: HeldCodes, *, whole: bool) -> Self:
        if codes.ndim != 2 or codes.shape[1] != queries.codes.shape[1]:
            raise DataError(
                f"`rescore` must have {queries.codes.shape[1]} bytes per row, like the codes of the queries: got shape "
                f"{codes.shape}. Rows of 8-bit numbers go into KeptRows."
            )
        places = KeptRows(codes).places_of(held, whole=whole)
        margins = queries.margins
        if margins is None:  # by Hamming distance
            margins = np.ones((len(queries), queries.num_bits), np.float32)

        def distances(part: slice, rows: NDArray[np.int64]) -> NDArray[np.float32]:
            return weighted_distances(codes, queries.codes[part], margins[part], _at(places, rows))

        return cls(len(queries), queries.num_bits, distances, is_longer_code=True)

    def ordered(self, rows: NDArray[np.int64], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return distances and rows of the `k` nearest candidates of each query, of which `rows` has more."""
        distances = np.empty(rows.shape, np.float32)
        step = max(1, _MOST_CELLS // max(1, rows.shape[1] * self.width))
        for start in range(0, self.num_queries if rows.size else 0, step):
            part = slice(start, start + step)
            distances[part] = self.distances(part, rows[part])
        return in_order(distances, rows, k)


def _at(places: NDArray[np.int64] | None, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows if places is None else places[rows]


def as_flat_rows(rows: Any) -> NDArray[np.float32]:
    """Return rows of any shape as float32 of shape `(n, d)`."""
    array = np.asarray(rows, np.float32)
    return array.reshape(len(array), -1)


def _unit(rows: NDArray[np.float32], name: Callable[[int], str]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(rows, axis=1)
    if not lengths.all():
        raise DataError(
            f"Rows must not be all zeros where `metric` is 'cosine': got zeros in {name(int(np.argmin(lengths)))}. "
            "Pass metric='euclidean', or leave such rows out."
        )
    return rows / lengths[:, None]
