"""Exact search by Hamming distance in memory, on FAISS (no Keras)."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import checked_ids
from codeword.code_kinds.packing import as_code_array, check_bit_codes
from codeword.errors import CodeError, DataError, StoreFileError
from codeword.files.code_note import note_of_bits
from codeword.files.codes import read_code_table
from codeword.files.output_table import check_parquet, write_columns
from codeword.files.sql_tables import numbered_columns
from codeword.search.held_codes import HeldCodes, as_objects, check_distinct, check_width
from codeword.search.queries import Queries, as_queries
from codeword.search.rescoring import Rescoring
from codeword.search.store_checks import as_bits
from codeword.search.store_schema import StoreNote
from codeword.settings import integer


class HammingIndex:
    """Exact in-memory index that finds the codes with the smallest Hamming distance to a query.

    Ties are ordered by id. The index copies the codes and sorts them by id: a million codes of 64 bits take 16 MB and
    0.1 seconds. `add` and `remove` copy all codes again, so pass many at a time. A search in another thread sees the
    codes from before or after a change, never a part of it.

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
        self._fingerprint: str | None = None
        self._held, self._is_whole = HeldCodes(codes, ids), True

    @classmethod
    def _of_store(
        cls, codes: NDArray[np.uint8], ids: NDArray[Any], note: StoreNote, path: Path, *, is_whole: bool = True
    ) -> Self:
        """Make an index of codes that were checked, and of ids that only may repeat; perhaps of a part of a store."""
        try:
            check_distinct(ids, len(codes))
        except DataError as error:
            raise StoreFileError(
                f"{path} must have different ids in all rows: got some that repeat. Restore it from a copy."
            ) from error
        index = cls.__new__(cls)
        index._num_bits, index._fingerprint = note.num_bits, note.fingerprint
        index._held, index._is_whole = HeldCodes(codes, ids), is_whole
        return index

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read an index that `save` has written, or the codes that a store or `codeword encode` has written.

        Args:
            path: Path of the file: `.parquet`, `.csv` or `.npy`. Without a column `id` the ids are the row numbers.

        Raises:
            CodeError: If the file does not hold codes of `Bits`.
            DataError: If an id is duplicated or missing.
            FileNotFoundError, TableFileError: If the file cannot be read.
        """
        table = read_code_table(path)
        num_bits = None if table.origin is None else as_bits(table.origin.code).num_bits
        index = cls(table.codes, table.others.get("id"), num_bits=num_bits)
        index._fingerprint = None if table.origin is None else table.origin.fingerprint
        return index

    def save(self, path: str | Path) -> None:
        """Write ids and codes to a Parquet file, completely or not at all.

        The columns are `id` and the bytes `c0`, `c1`, …, in the order of the ids. `load`, `CodeStore.import_parquet`,
        `codeword search` and any reader of Parquet read it.

        Args:
            path: Path of the file, which ends in `.parquet`.

        Raises:
            TableFileError: If the path does not end in `.parquet`.
            OutputPathError: If the file cannot be written.
        """
        check_parquet(path)
        held = self._held
        columns = {"id": held.all_ids, **numbered_columns(held.codes)}
        write_columns(path, columns, note=note_of_bits(self._fingerprint, self._num_bits))

    def add(self, codes: Any, ids: Any = None) -> int:
        """Add codes in place, all or none.

        Args:
            codes: Packed codes as wide as those in the index, uint8 of shape `(n, num_bytes)`.
            ids: Distinct ids of the same type as those in the index, and not among them. None: the integers that follow
                the greatest id.

        Returns:
            The number of codes in the index.

        Raises:
            CodeError: If the codes are not packed or have another width.
            DataError: If an id is duplicated, missing or in the index already.
            DataTypeError: If the ids are of another type than those in the index.
        """
        codes = self._checked(codes, "Encode with the same model.")
        self._held = self._held.with_added(codes, ids)
        return len(self)

    def remove(self, ids: Any) -> int:
        """Remove codes by their ids in place; ids that are not in the index are ignored.

        Args:
            ids: Ids of the same type as those in the index.

        Returns:
            The number of codes removed.

        Raises:
            DataTypeError: If the ids are of another type than those in the index.
        """
        before = len(self)
        self._held = self._held.without(ids)
        return before - len(self)

    def __getstate__(self) -> dict[str, Any]:
        """Return what pickles and copies hold: the codes and ids, as FAISS' own object does not pickle."""
        return {**vars(self), "_held": self._held.parts}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = {**state, "_held": HeldCodes(*state["_held"])}

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<HammingIndex: {len(self):,} codes of {self._num_bits} bits>"

    @property
    def num_bits(self) -> int:
        """Number of bits per code."""
        return self._num_bits

    @property
    def fingerprint(self) -> str | None:
        """Fingerprint of the model that made the codes; None if it is unknown."""
        return self._fingerprint

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of all codes in ascending order, int64 or strings as objects."""
        return self._held.all_ids

    def search(
        self,
        codes: Any,
        k: int = 10,
        *,
        rescore: Any = None,
        candidates: int = 100,
        metric: str = "euclidean",
        verbose: bool | int = 0,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """Find the `k` nearest codes of each query.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`, to search by Hamming distance; or
                `Queries`, to search by the asymmetric distance if they have margins.
            k: Maximum number of codes per query.
            rescore: What the first `candidates` are ordered by in the end, instead of their codes (also known as
                reranking, refinement or oversampling). Rows of the kind that was encoded, in an array, a memory map or
                `KeptRows`: by their distance to the rows of the queries. Longer codes of the same model, uint8 of
                shape `(n, queries.codes.shape[1])`, of which the index holds the first bits: by all bits. A fitted
                `Autoencoder`: by the rows that it decodes from the codes. In an array, the row `i` belongs to the id
                `i`. None: nothing is rescored.
            candidates: Number of codes per query to rescore, at least `k`.
            metric: Distance between rows in rescoring: "euclidean" or "cosine" (1 - cosine similarity).
            verbose: Show a progress bar if there are many queries.

        Returns:
            Distances and ids, int64 or strings as objects, both of shape `(q, k)`, with fewer columns if there are
            fewer codes. Nearest first; among equal distances the lower id comes first. Distances are in bits, int32;
            asymmetric distances and distances of rows are float32.

        Raises:
            CodeError: If the queries are not packed, or have another width or model than the codes.
            DataError: If the rows for rescoring do not fit: another number, another width than the rows of the queries,
                integers that are no row numbers as ids, NaN, or a row of zeros where the metric is "cosine".
            ParameterError: If `k` or `candidates` is below 1, or queries lack what `rescore` compares.
        """
        integer(1).check("k", k)
        integer(1).check("candidates", candidates)
        held = self._held
        k = min(int(k), len(held))
        if rescore is None:
            distances, rows = held.nearest(self._checked_queries(codes), k, verbose=verbose)
            return distances, held.ids_of(rows)
        queries = as_queries(codes)
        rescoring = Rescoring.by(rescore, queries, held, metric=metric, whole=self._is_whole)
        first = self._checked_queries(queries.prefix(self._num_bits) if rescoring.is_longer_code else queries)
        _, rows = held.nearest(first, min(max(k, int(candidates)), len(held)), verbose=verbose)
        distances, rows = rescoring.ordered(rows, k)
        return distances, held.ids_of(rows)

    def within(self, codes: Any, distance: int) -> tuple[list[NDArray[np.int32]], list[NDArray[Any]]]:
        """Find all codes within a Hamming distance of each query.

        Args:
            codes: Packed codes of the queries, uint8 of shape `(q, num_bytes)`, or `Queries`, whose codes count.
            distance: Maximum distance in bits, an integer of at least 0. Codes at exactly this distance are included.

        Returns:
            A list of arrays with the distances in bits and a list of arrays with the ids, one array per query, nearest
            first. Among equal distances the lower id comes first.

        Raises:
            CodeError: If the queries are not packed or have another width than the codes.
            ParameterError: If `distance` is not an integer of at least 0.
        """
        queries = self._checked_queries(codes)
        integer(0).check("distance", distance)
        held = self._held
        distances, rows, cuts = held.within(queries.codes, min(int(distance), self._num_bits))
        return np.split(distances, cuts), np.split(held.ids_of(rows), cuts)

    def _checked_queries(self, codes: Any) -> Queries:
        hint = "Encode the queries with the same model."
        if not isinstance(codes, Queries):
            return Queries(self._checked(codes, hint), num_bits=self._num_bits)
        if len(codes) == 0:
            raise CodeError("`codes` must have at least one query: got none.")
        check_width(codes.codes, self._num_bits, "the indexed codes", hint)
        # Where the bits fill all bytes of one of the two, its true number of bits may be unknown.
        if 8 * codes.codes.shape[1] in (codes.num_bits, self._num_bits):
            check_bit_codes(codes.codes, self._num_bits)
        elif codes.num_bits != self._num_bits:
            raise CodeError(
                f"`codes` must have {self._num_bits} bits, like the indexed codes: got {codes.num_bits}. {hint}"
            )
        if None not in (codes.fingerprint, self._fingerprint) and codes.fingerprint != self._fingerprint:
            raise CodeError(
                f"`codes` must be of model {str(self._fingerprint)[:12]}, like the indexed codes: got codes of model "
                f"{str(codes.fingerprint)[:12]}. {hint}"
            )
        return codes

    def _checked(self, codes: Any, hint: str) -> NDArray[np.uint8]:
        codes = as_code_array(codes)
        check_width(codes, self._num_bits, "the indexed codes", hint)
        return check_bit_codes(codes, self._num_bits)[0]
