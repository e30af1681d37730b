"""Ratings of any origin as one sparse matrix, with the ids of its rows and columns (no Keras)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import narwhals as nw
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.data_kinds import Ratings
from codeword.errors import DataError, DataTypeError
from codeword.tables import read_columns

COLUMNS = ("user", "item", "rating")


@dataclass(frozen=True)
class Ids:
    """Names of rows or columns: different whole numbers (int64) or different texts, ascending."""

    values: NDArray[Any]

    @classmethod
    def counted(cls, number: int) -> Self:
        """Gives the ids 0 to `number - 1`, those of a matrix."""
        return cls(np.arange(number))

    @classmethod
    def of(cls, ids: Any, name: str) -> tuple[Self, NDArray[np.intp]]:
        """Gives the different ids of a column, and where each entry's id stands among them."""
        values, positions = np.unique(checked_ids(ids, name), return_inverse=True)
        return cls(values), positions

    def __len__(self) -> int:
        return len(self.values)

    def positions(self, ids: Any, name: str) -> NDArray[np.intp]:
        """Gives where each id stands, -1 for an unknown one.

        Raises:
            DataTypeError: If they are numbers and these are texts, or the other way round.
        """
        ids = checked_ids(ids, name)
        if ids.dtype.kind != self.values.dtype.kind and ids.size:
            wanted, given = (_KINDS[array.dtype.kind] for array in (self.values, ids))
            raise DataTypeError(
                f"The ids in `{name}` must be {wanted}, as in training. Received: {given}, the first {ids.flat[0]!r}. "
                "Convert them."
            )
        found = np.searchsorted(self.values, ids)
        known = found < len(self.values)
        known[known] = self.values[found[known]] == ids[known]
        return np.where(known, found, -1)


_KINDS = {"i": "whole numbers", "U": "texts"}


@dataclass(frozen=True)
class RatingTable:
    """Who rated what, and how.

    Attributes:
        matrix: float32 CSR array of shape `(users, items)`, sorted; what is stored was rated, also a stored 0.
        users, items: Ids of its rows and columns.
    """

    matrix: scipy.sparse.csr_array
    users: Ids
    items: Ids


def as_rating_table(
    ratings: Any, kind: Ratings | None, *, columns: Sequence[str] = COLUMNS, name: str = "ratings", empty: bool = False
) -> RatingTable:
    """Reads ratings, or refuses them before anything is trained.

    Args:
        ratings: A scipy.sparse matrix `(users, items)` in which what is stored was rated; a data frame (pandas, Polars,
            Arrow) or a `.csv` or `.parquet` file with a row for each rating; or a tuple `(users, items, ratings)` of
            three arrays of the same length. The ids of a matrix are its row and column numbers, those of a table whole
            numbers or text.
        kind: The scale that the ratings must lie on; None: any finite number.
        columns: Names of the table's columns of users, items and ratings.
        name: What to call the ratings in messages.
        empty: Whether there may be none.

    Raises:
        DataTypeError: If they are none of these, or ratings or ids have no fit type.
        DataError: If there are none, a column is missing, a rating is not finite or outside the scale, or a pair is
            rated twice, differently. A pair that is there twice with one and the same rating counts once.
        FileNotFoundError, TableFileError: If a file cannot be read.
    """
    if hasattr(ratings, "tocoo"):
        table = RatingTable(_matrix_of(ratings, name), Ids.counted(ratings.shape[0]), Ids.counted(ratings.shape[1]))
    else:
        user_ids, item_ids, values = _three_columns(ratings, columns, name)
        users, rows = Ids.of(user_ids, f"{name}: {columns[0]}")
        items, places = Ids.of(item_ids, f"{name}: {columns[1]}")
        values = _numbers(values, name)
        matrix = scipy.sparse.coo_array((values, (rows, places)), shape=(len(users), len(items)))
        table = RatingTable(_matrix_of(matrix, name, users, items), users, items)
    if table.matrix.nnz == 0 and not empty:
        raise DataError(
            f"`{name}` must hold at least one rating. Received: {table.matrix.shape[0]} users x "
            f"{table.matrix.shape[1]} items, none rated. Store the ratings: scipy.sparse.csr_array."
        )
    if kind is not None:
        kind.check(table.matrix.data)
    return table


def checked_ids(ids: Any, name: str) -> NDArray[Any]:
    """Gives ids as an int64 or text array of one axis, or refuses them.

    Raises:
        DataTypeError, DataError: If they are neither whole numbers nor text, or some are missing.
    """
    if np.ma.is_masked(ids):
        raise DataError(
            f"`{name}` must have an id in every row. Received: {int(np.ma.getmaskarray(ids).sum())} empty. Drop them."
        )
    of_text = isinstance(ids, list | tuple) and len(ids) > 0 and isinstance(ids[0], str)
    array = np.atleast_1d(np.asarray(ids, object if of_text else None))
    if array.size == 0 and array.ndim == 1:
        return array.astype(array.dtype if array.dtype.kind == "U" else np.int64)
    if array.dtype.kind == "f" and np.isnan(array).any():
        empty = int(np.isnan(array).sum())
        raise DataError(f"`{name}` must have an id in every row. Received: {empty} missing (NaN). Drop those rows.")
    _refuse_too_large(array, name)
    if array.dtype.kind == "O":
        kinds = {type(value) for value in array.flat}
        if all(issubclass(kind, str) for kind in kinds):
            return _texts(array, name)
        if all(issubclass(kind, int | np.integer) and kind is not bool for kind in kinds):
            array = array.astype(np.int64)
        else:
            found = ", ".join(sorted(kind.__name__ for kind in kinds))
            raise DataTypeError(
                f"`{name}` must hold ids that are all whole numbers or all text. Received: {found}. Drop the rows "
                "without an id, or write all as text: column.astype(str)."
            )
    if array.dtype.kind == "f" and np.isfinite(array).all() and np.array_equal(array, np.trunc(array)):
        array = array.astype(np.int64)  # whole numbers that a frame keeps as floats
    if array.ndim != 1 or array.dtype.kind not in "iuU":
        raise DataTypeError(
            f"`{name}` must hold ids, one a row: whole numbers or text. Received: shape {array.shape}, dtype "
            f"{array.dtype}. Write them as text: column.astype(str)."
        )
    return _texts(array, name) if array.dtype.kind == "U" else array.astype(np.int64)


def _refuse_too_large(array: NDArray[Any], name: str) -> None:
    """Refuses whole numbers of which two could become one id: floats from 2**53 on, others beyond 64 bits."""
    limit = 2**53 if array.dtype.kind == "f" else 2**63
    if array.dtype.kind in "fu":
        large = np.abs(array) >= limit
    elif array.dtype.kind == "O":
        large = np.array([isinstance(value, int) and not -limit <= value < limit for value in array.flat], bool)
    else:
        return
    if large.any():
        raise DataError(
            f"`{name}` must hold ids that are exact as 64-bit whole numbers. Received: {int(large.sum())} that are "
            f"not, the first {array[large][0]!s}. Write them as text: column.astype(str)."
        )


def _texts(array: NDArray[Any], name: str) -> NDArray[Any]:
    """Gives texts as a text array; refuses what would not come back from it, or from a file."""
    zeros = sum("\0" in text for text in set(array.flat)) if array.dtype.kind == "O" else 0
    array = np.ascontiguousarray(array.astype(str))
    characters = array.view(np.uint32) if array.dtype.itemsize else np.zeros(0, np.uint32)
    halves = int(((characters >= 0xD800) & (characters < 0xE000)).sum())
    if zeros or halves:
        raise DataError(
            f"`{name}` must hold text of whole characters, without NUL. Received: {zeros} ids with NUL, {halves} "
            "halves of characters. Mend the encoding where it was read."
        )
    return array


def _three_columns(ratings: Any, columns: Sequence[str], name: str) -> list[Any]:
    if isinstance(ratings, str | Path):
        table: dict[str, Any] = read_columns(ratings)
        if not set(columns) <= set(table) and len(table) == 3 and "column0" in table:  # a file without a header
            return list(table.values())
    elif isinstance(ratings, tuple) and len(ratings) == 3:
        lengths = [len(np.atleast_1d(part)) for part in ratings]
        if len(set(lengths)) > 1:
            raise DataError(f"`{name}` must be three arrays of one length. Received: lengths {lengths}. Align them.")
        return list(ratings)
    else:
        frame = nw.from_native(ratings, eager_only=True, pass_through=True)
        if not isinstance(frame, nw.DataFrame):
            shape = getattr(ratings, "shape", None)
            raise DataTypeError(
                f"`{name}` must be a scipy.sparse matrix (stored = rated), a table or file of users, items and "
                f"ratings, or a tuple of three arrays. Received: {type(ratings).__name__}"
                f"{'' if shape is None else f' of shape {shape}'}. If 0 means not rated in a dense array, pass "
                "scipy.sparse.csr_array(x)."
            )
        table = {column: frame[column].to_numpy() if column in columns else None for column in frame.columns}
    missing = [column for column in columns if column not in table]
    if missing:
        raise DataError(
            f"`{name}` must have the columns {', '.join(columns)}. Received: {', '.join(map(str, table))}, without "
            f"{', '.join(missing)}. Name yours: columns=(user, item, rating), in this order."
        )
    return [table[column] for column in columns]


def _numbers(values: Any, name: str) -> NDArray[np.float32]:
    if np.ma.is_masked(values):
        raise DataError(
            f"`{name}` must have a rating in every row. Received: {int(np.ma.getmaskarray(values).sum())} empty."
        )
    array = np.asarray(values)
    if array.dtype.kind == "O":
        try:
            if any(isinstance(value, str | bytes) for value in array.flat):
                raise TypeError("text")
            array = array.astype(np.float64)  # Decimal, or None, which becomes NaN
        except (TypeError, ValueError) as error:
            raise DataTypeError(f"`{name}` must hold numbers as ratings. Received: {error}. Convert them.") from error
    if array.dtype.kind not in "fiub" or array.ndim != 1:
        raise DataTypeError(
            f"`{name}` must hold numbers as ratings, one a row. Received: shape {array.shape}, dtype {array.dtype}."
        )
    return _narrow(array)


def _narrow(array: Any) -> Any:
    """Gives float32 numbers; what is too large for them becomes infinite, and is refused with the infinite."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _matrix_of(matrix: Any, name: str, users: Ids | None = None, items: Ids | None = None) -> scipy.sparse.csr_array:
    """Gives a sparse matrix as sorted float32 CSR in which every pair stands once."""
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise DataTypeError(
            f"`{name}` must be a sparse matrix of real numbers, users x items. Received: shape {matrix.shape}, dtype "
            f"{matrix.dtype}."
        )
    coo = matrix.tocoo()
    rows = scipy.sparse.csr_array(_narrow(coo))  # sums what stands twice; undone below
    if rows.nnz < coo.nnz:
        order = np.lexsort((coo.col, coo.row))
        row, column, value = coo.row[order], coo.col[order], coo.data[order]
        again = (np.diff(row) == 0) & (np.diff(column) == 0)
        differs = again & (np.diff(value) != 0)
        if differs.any():
            first = int(np.argmax(differs))
            user = row[first] if users is None else users.values[row[first]]
            item = column[first] if items is None else items.values[column[first]]
            raise DataError(
                f"`{name}` must hold one rating for a user and an item. Received: {int(differs.sum())} more, the first "
                f"of user {user!s} and item {item!s}: {value[first]:g} and {value[first + 1]:g}. Keep the latest or "
                "their mean."
            )
        keep = np.append(True, ~again)
        rows = scipy.sparse.csr_array((_narrow(value[keep]), (row[keep], column[keep])), shape=coo.shape)
    rows.sort_indices()
    if not np.isfinite(rows.data).all():
        wrong = int(np.argmax(~np.isfinite(rows.data)))
        user = int(np.searchsorted(rows.indptr, wrong, side="right")) - 1
        item = int(rows.indices[wrong])
        raise DataError(
            f"`{name}` must be finite. Received: {int((~np.isfinite(rows.data)).sum())} NaN or infinite, the first of "
            f"user {user if users is None else users.values[user]!s} and item "
            f"{item if items is None else items.values[item]!s}. Leave them out: what is missing is not stored."
        )
    return rows
