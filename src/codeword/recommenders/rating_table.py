"""Ratings of any origin as one sparse matrix, with the ids of its rows and columns (no Keras)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import narwhals as nw
import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.data_kinds import Ratings
from codeword.errors import DataError, DataTypeError
from codeword.files.tables import read_columns

COLUMNS = ("user", "item", "rating")
MAX_SHOWN = 8  # column names in a message


@dataclass(frozen=True)
class RatingTable:
    """Who rated what, and how.

    Attributes:
        matrix: float32 CSR array of shape `(users, items)`, sorted; what is stored was rated, also a stored 0.
        users, items: Ids of its rows and columns.
        is_bare: Whether it came as a matrix, whose ids are nothing but the numbers of its rows and columns.
    """

    matrix: scipy.sparse.csr_array
    users: Ids
    items: Ids
    is_bare: bool = False

    def pairs(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]]:
        """Gives user ids, item ids and ratings, one a rating."""
        entries = self.matrix.tocoo()
        return self.users.values[entries.row], self.items.values[entries.col], entries.data

    def within(self, known: Self, name: str, *, users: bool = True) -> scipy.sparse.csr_array:
        """Gives the ratings in the columns and, with `users`, the rows of another table; the unknown is left out."""
        entries = self.matrix.tocoo()
        columns = known.items.positions(self.items.values, name)[entries.col]
        rows = known.users.positions(self.users.values, name)[entries.row] if users else entries.row
        keep = (columns >= 0) & (rows >= 0)
        shape = (len(known.users if users else self.users), len(known.items))
        return scipy.sparse.csr_array((entries.data[keep], (rows[keep], columns[keep])), shape=shape)

    def check_same_ids(self, known: Self, name: str) -> None:
        """Refuses a bare matrix whose row and column numbers cannot be the ids of `known`."""
        counted = known.users.are_counted and known.items.are_counted
        if self.is_bare and not (counted and self.matrix.shape == known.matrix.shape):
            wanted = f"shape {known.matrix.shape}" if counted else "ids"
            raise DataError(
                f"`{name}` must name users and items by their ids, as in training, or be a matrix of the same shape. "
                f"Received: a matrix of shape {self.matrix.shape}; training had {wanted}. Pass a table of user, item, "
                "rating; for people never seen take predict_new."
            )

    def held_out_of(self, training: Self, name: str) -> scipy.sparse.csr_array:
        """Gives these ratings in the rows and columns of others, to measure by what is learnt from those.

        Raises:
            DataError: If they would measure nothing, or copying.
        """
        self.check_same_ids(training, name)
        matrix = self.within(training, name)
        if matrix.nnz == 0:
            raise DataError(
                f"`{name}` must hold ratings of users and items of the training data. Received: {self.matrix.nnz} "
                "ratings of others. Hold ratings out within the rows."
            )
        shared = _num_shared(matrix, training.matrix)
        if shared:
            raise DataError(
                f"`{name}` must hold other ratings than the training data, which the network reads as its input. "
                f"Received: {shared} of {matrix.nnz} that are in both. Take them out of one."
            )
        return matrix

    def rows_for(self, known: Self, name: str) -> scipy.sparse.csr_array:
        """Gives a row for each of these users, in the columns of the items of another table.

        Raises:
            DataError: If this is a bare matrix with another number of columns.
        """
        if not self.is_bare:
            return self.within(known, name, users=False)
        if self.matrix.shape[1] != len(known.items):
            raise DataError(
                f"`{name}` must have the model's {len(known.items)} items as columns. Received: shape "
                f"{self.matrix.shape}. Give a table of user, item, rating if the items are others."
            )
        return self.matrix


def as_rating_table(
    ratings: Any,
    kind: Ratings | None,
    *,
    columns: Sequence[str] = COLUMNS,
    name: str = "ratings",
    empty: bool = False,
    like: RatingTable | None = None,
) -> RatingTable:
    """Reads ratings, or refuses them before anything is trained.

    Args:
        ratings: A scipy.sparse matrix `(users, items)` in which what is stored was rated; a data frame (pandas, Polars,
            Arrow) or a `.csv` or `.parquet` file with a row for each rating; or a tuple `(users, items, ratings)` of
            three arrays of the same length. The ids of a matrix are its row and column numbers, those of a table whole
            numbers or text; in a `.csv` file they are whole numbers if all are, written without leading zeros.
        kind: The scale that the ratings must lie on; None: any finite number.
        columns: Names of the table's columns of users, items and ratings.
        name: What to call the ratings in messages; the path of a file is added.
        empty: Whether there may be none.
        like: A table of the same ids: where its ids are text, a `.csv` file's are read as text.

    Raises:
        DataTypeError: If they are none of these, or ratings or ids have no fit type.
        DataError: If there are none, a column is missing, a rating is not finite or outside the scale, or a pair is
            rated twice, differently. A pair that is there twice with one and the same rating counts once.
        FileNotFoundError, TableFileError: If a file cannot be read.
    """
    if hasattr(ratings, "tocoo"):
        # A sparse array of one axis gets a second one here, and is refused by its shape below.
        users, items = (Ids.counted(number) for number in (*ratings.shape, 0)[:2])
        table = RatingTable(_matrix_of(ratings, name, users, items), users, items, is_bare=True)
    else:
        if isinstance(ratings, str | Path):
            name = f"{name} ({ratings})"
            parts = _file_columns(ratings, columns, name, like)
        else:
            parts = _three_columns(ratings, columns, name)
        users, rows = Ids.of(parts[0], f"{name}: {columns[0]}")
        items, places = Ids.of(parts[1], f"{name}: {columns[1]}")
        values = _numbers(parts[2], f"{name}: {columns[2]}")
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


def _num_shared(one: scipy.sparse.csr_array, other: scipy.sparse.csr_array) -> int:
    """Gives how many pairs are stored in both of two matrices of one shape."""
    keys = []
    for matrix in (one, other):
        entries = matrix.tocoo()
        keys.append(entries.row.astype(np.int64) * matrix.shape[1] + entries.col)
    return int(np.isin(keys[0], keys[1]).sum())


def _file_columns(path: str | Path, columns: Sequence[str], name: str, like: RatingTable | None) -> list[Any]:
    table = read_columns(path, texts=columns[:2])
    bare = not set(columns) <= set(table) and len(table) == 3 and "column0" in table  # a file without a header
    if bare:
        columns = tuple(table)
        table = read_columns(path, texts=columns[:2])
    users, items, ratings = _named(table, columns, name)
    if Path(path).suffix == ".csv":
        users = _numbers_if_written_so(users, like is not None and like.users.values.dtype.kind == "U")
        items = _numbers_if_written_so(items, like is not None and like.items.values.dtype.kind == "U")
    return [users, items, ratings]


def _numbers_if_written_so(texts: Any, keep: bool) -> Any:
    """Gives ids of a text file as whole numbers if all of them are that, and would be written the same again."""
    if keep or np.ma.is_masked(texts) or len(texts) == 0:
        return texts
    try:
        written = np.asarray(texts).astype(str)
        numbers = written.astype(np.int64)
    except (ValueError, OverflowError):
        return texts
    return numbers if (numbers.astype(str) == written).all() else texts


def _three_columns(ratings: Any, columns: Sequence[str], name: str) -> list[Any]:
    if isinstance(ratings, tuple) and len(ratings) == 3:
        parts = [part if isinstance(part, list | tuple) else np.atleast_1d(part) for part in ratings]
        lengths = [len(part) for part in parts]
        if 1 in lengths:  # one user of several items, say
            parts = [
                [*part] * max(lengths) if length == 1 else part for part, length in zip(parts, lengths, strict=True)
            ]
        if len({len(part) for part in parts}) > 1:
            raise DataError(f"`{name}` must be three arrays of one length. Received: lengths {lengths}. Align them.")
        return parts
    frame = nw.from_native(ratings, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        shape = f" of shape {ratings.shape}" if hasattr(ratings, "shape") else ""
        raise DataTypeError(
            f"`{name}` must be a scipy.sparse matrix (stored = rated), a table or file of users, items and ratings, or "
            f"a tuple of three arrays. Received: {type(ratings).__name__}{shape}. "
            "Of a dense array x in which 0 means not rated, pass scipy.sparse.csr_array(x); where NaN does: "
            "rows, columns = np.nonzero(~np.isnan(x)), then the tuple (rows, columns, x[rows, columns])."
        )
    table = {column: frame[column].to_numpy() if column in columns else None for column in frame.columns}
    return _named(table, columns, name)


def _named(table: dict[str, Any], columns: Sequence[str], name: str) -> list[Any]:
    """Gives three columns of a table by name, or says which are missing."""
    missing = [column for column in columns if column not in table]
    if missing:
        shown = ", ".join(map(str, list(table)[:MAX_SHOWN])) + (", …" if len(table) > MAX_SHOWN else "")
        wide = f" in {len(table)} columns; if each is an item, melt them into rows first" if len(table) > 20 else ""
        raise DataError(
            f"`{name}` must have the columns {', '.join(columns)}. Received: {shown}, without {', '.join(missing)}"
            f"{wide}. Name yours, in this order: columns=({', '.join(map(repr, COLUMNS))}), or --columns "
            f"{','.join(COLUMNS)}."
        )
    return [table[column] for column in columns]


def _numbers(values: Any, name: str) -> NDArray[np.float32]:
    if np.ma.is_masked(values):
        empty = int(np.ma.getmaskarray(values).sum())
        raise DataError(f"`{name}` must have a rating in every row. Received: {empty} empty. Drop those rows.")
    array = np.asarray(values)
    if array.dtype.kind == "O":
        text = next((value for value in array.flat if isinstance(value, str | bytes)), None)
        try:
            if text is not None:
                raise TypeError(f"text, the first {text!r}")
            array = array.astype(np.float64)  # Decimal, or None, which becomes NaN
        except (TypeError, ValueError) as error:
            raise DataTypeError(
                f"`{name}` must hold numbers as ratings. Received: {error}. Write them with a decimal point."
            ) from error
    if array.dtype.kind not in "fiub" or array.ndim != 1:
        raise DataTypeError(
            f"`{name}` must hold numbers as ratings, one a row. Received: shape {array.shape}, dtype {array.dtype}."
        )
    return _narrow(array)


def _narrow(array: Any) -> Any:
    """Gives float32 numbers; what is too large for them becomes infinite, and is refused with the infinite."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _matrix_of(matrix: Any, name: str, users: Ids, items: Ids) -> scipy.sparse.csr_array:
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
            raise DataError(
                f"`{name}` must hold one rating for a user and an item. Received: {int(differs.sum())} more, the first "
                f"of user {users.values[row[first]]!s} and item {items.values[column[first]]!s}: {value[first]:g} and "
                f"{value[first + 1]:g}. Keep the latest or their mean."
            )
        keep = np.append(True, ~again)
        rows = scipy.sparse.csr_array((_narrow(value[keep]), (row[keep], column[keep])), shape=coo.shape)
    rows.sort_indices()
    if not np.isfinite(rows.data).all():
        wrong = int(np.argmax(~np.isfinite(rows.data)))
        user = users.values[int(np.searchsorted(rows.indptr, wrong, side="right")) - 1]
        raise DataError(
            f"`{name}` must be finite. Received: {int((~np.isfinite(rows.data)).sum())} NaN or infinite, the first of "
            f"user {user!s} and item {items.values[rows.indices[wrong]]!s}. Leave them out: what is missing is not "
            "stored."
        )
    return rows
