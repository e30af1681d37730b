"""Exact search by Hamming distance in memory, on FAISS (no Keras)."""

from collections.abc import Iterable
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
from codeword.search.faiss_threads import threads_for
from codeword.search.held_codes import BLOCK, HeldCodes, as_objects, check_distinct, check_width
from codeword.search.store_checks import as_bits
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
        self._held = HeldCodes(codes, ids)

    @classmethod
    def _of_store(
        cls, codes: NDArray[np.uint8], ids: NDArray[Any], num_bits: int, path: Path, fingerprint: str | None = None
    ) -> Self:
        """Make an index of codes that were checked, and of ids that only may repeat."""
        try:
            check_distinct(ids, len(codes))
        except DataError as error:
            raise StoreFileError(
                f"{path} must have different ids in all rows: got some that repeat. Restore it from a copy."
            ) from error
        index = cls.__new__(cls)
        index._num_bits, index._fingerprint, index._held = num_bits, fingerprint, HeldCodes(codes, ids)
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
        held = self._held
        return {"num_bits": self._num_bits, "codes": held.codes.copy(), "ids": held.ids, "model": self._fingerprint}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._num_bits, self._fingerprint = state["num_bits"], state["model"]
        self._held = HeldCodes(state["codes"], state["ids"])

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<HammingIndex: {len(self):,} codes of {self._num_bits} bits>"

    @property
    def num_bits(self) -> int:
        """Number of bits per code."""
        return self._num_bits

    @property
    def ids(self) -> NDArray[Any]:
        """Ids of all codes in ascending order, int64 or strings as objects."""
        return self._held.all_ids

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
        held = self._held
        k = min(int(k), len(held))
        distances, rows = np.empty((len(codes), k), np.int32), np.empty((len(codes), k), np.int64)
        starts: Iterable[int] = range(0, len(codes) if k else 0, BLOCK)
        if verbose and len(codes) > BLOCK:
            from tqdm.auto import tqdm  # takes a tenth of a second

            starts = tqdm(starts, desc="search")
        for start in starts:
            part = slice(start, start + BLOCK)
            with threads_for(len(codes)):
                distances[part], rows[part] = held.flat.search(codes[part], k)
        return distances, held.ids_of(rows)

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
        held = self._held
        # FAISS excludes codes at exactly the radius.
        with threads_for(len(codes)):
            ends, distances, rows = held.flat.range_search(codes, min(int(distance), self._num_bits) + 1)
        ends, distances = ends.astype(np.int64), distances.astype(np.int32)
        order = np.lexsort((rows, distances, np.repeat(np.arange(len(codes)), np.diff(ends))))
        cuts = ends[1:-1]
        return np.split(distances[order], cuts), np.split(held.ids_of(rows[order]), cuts)

    def _checked_queries(self, codes: Any) -> NDArray[np.uint8]:
        codes = self._checked(codes, "Encode the queries with the same model.")
        if len(codes) == 0:
            raise CodeError("`codes` must have at least one query: got none.")
        return codes

    def _checked(self, codes: Any, hint: str) -> NDArray[np.uint8]:
        codes = as_code_array(codes)
        check_width(codes, self._num_bits, "the indexed codes", hint)
        return check_bit_codes(codes, self._num_bits)[0]
