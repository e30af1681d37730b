"""Ratings of any origin as one sparse matrix, with the ids of its rows and columns (no Keras)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.arrays.rows import as_frame
from codeword.data_kinds import DataKind, Interactions
from codeword.errors import DataError, DataTypeError
from codeword.files.tables import check_columns, column_names, read_named_columns

COLUMNS = ("user", "item", "rating")
MAX_DIGITS = 20  # of a 64-bit integer and its sign


@dataclass(frozen=True)
class RatingTable:
    """Ratings with the ids of their users and items.

    Attributes:
        matrix: float32 CSR array of shape `(users, items)`, sorted; every stored entry, also a stored 0, is a rating.
        users: Ids of its rows.
        items: Ids of its columns.
        is_bare: Whether it came as a matrix, so that its ids are only the numbers of its rows and columns.
    """

    matrix: scipy.sparse.csr_array
    users: Ids
    items: Ids
    is_bare: bool = False

    def pairs(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[np.float32]]:
        """Return three arrays with one entry per rating: user ids, item ids and ratings."""
        entries = self.matrix.tocoo()
        return self.users.values[entries.row], self.items.values[entries.col], entries.data

    def positions(self, users: Any, items: Any) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the positions of users and items, -1 for unknown ones; a single one is repeated."""
        rows, columns = self.users.positions(users, "users"), self.items.positions(items, "items")
        if len(rows) != len(columns) and 1 not in (len(rows), len(columns)):
            raise DataError(
                "`users` and `items` must have the same length, or one of them a single id: "
                f"got {len(rows)} users and {len(columns)} items."
            )
        rows, columns = np.broadcast_arrays(rows, columns)
        return rows, columns

    def within(self, known: Self, name: str, *, users: bool = True) -> scipy.sparse.csr_array:
        """Return the ratings in the columns and, with `users`, in the rows of another table, without unknown ids."""
        entries = self.matrix.tocoo()
        columns = known.items.positions(self.items.values, name)[entries.col]
        rows = known.users.positions(self.users.values, name)[entries.row] if users else entries.row
        keep = (columns >= 0) & (rows >= 0)
        shape = (len(known.users if users else self.users), len(known.items))
        return scipy.sparse.csr_array((entries.data[keep], (rows[keep], columns[keep])), shape=shape)

    def check_same_ids(self, known: Self, name: str) -> None:
        """Refuse a bare matrix whose row and column numbers cannot be the ids of `known`."""
        counted = known.users.are_counted and known.items.are_counted
        if self.is_bare and not (counted and self.matrix.shape == known.matrix.shape):
            wanted = f" or a matrix of shape {known.matrix.shape}" if counted else ""
            raise DataError(
                f"`{name}` must be a table with the ids of the training data{wanted}: got a matrix of shape "
                f"{self.matrix.shape}. For new users, use `predict_new`."
            )

    def held_out_of(self, training: Self, name: str) -> scipy.sparse.csr_array:
        """Return these ratings in the rows and columns of the training data, or refuse them as held-out ratings."""
        self.check_same_ids(training, name)
        matrix = self.within(training, name)
        if matrix.nnz == 0:
            raise DataError(
                f"`{name}` must hold ratings of users and items of the training data: got {self.matrix.nnz} ratings "
                "of others. Hold out single ratings, not whole users or items."
            )
        one, other = (
            scipy.sparse.csr_array((np.ones(part.nnz), part.indices, part.indptr), shape=part.shape)
            for part in (matrix, training.matrix)
        )
        shared = one.multiply(other).nnz
        if shared:
            raise DataError(
                f"`{name}` must not hold training ratings, which the network reads as its input: "
                f"got {shared} of {matrix.nnz} that are in both. Remove them from one of the two."
            )
        return matrix

    def rows_for(self, known: Self, name: str) -> scipy.sparse.csr_array:
        """Return one row for each of these users, in the columns of the items of another table."""
        if not self.is_bare:
            return self.within(known, name, users=False)
        if self.matrix.shape[1] != len(known.items):
            raise DataError(
                f"`{name}` must have the model's {len(known.items)} items as columns: got shape {self.matrix.shape}. "
                "If the items differ, pass a table of users, items and ratings."
            )
        return self.matrix


def as_rating_table(
    ratings: Any,
    kind: DataKind | None,
    *,
    columns: Sequence[str] = COLUMNS,
    name: str = "ratings",
    empty: bool = False,
    like: RatingTable | None = None,
) -> RatingTable:
    """Read ratings, or refuse them before anything is trained.

    Args:
        ratings: A scipy.sparse matrix `(users, items)` whose stored entries are the ratings; a data frame (pandas,
            Polars, Arrow) or a `.csv` or `.parquet` file with one row per rating; a tuple `(users, items, ratings)` of
            three arrays of the same length; or a `RatingTable`. Interactions may have no third column or array, and
            count as 1 then. The ids of a matrix are its row and column numbers;
            other ids are integers or text. In a `.csv` file they are integers if all of them are written as such,
            without leading zeros. A pair that occurs several times with the same rating counts once; the counts of
            repeated interactions are added.
        kind: The scale that the ratings must lie on, or `Interactions()`. None: any finite number.
        columns: Names of the table's columns of users, items and ratings. In a `.csv` file without a header the columns
            are named by position: column0, column1, and so on.
        name: What to call the ratings in messages; the path of a file is added.
        empty: Whether there may be no rating.
        like: A table with the same ids: where its ids are text, the ids in a `.csv` file are read as text.

    Raises:
        DataError: If there are none, a column is missing, a rating is not allowed, or a pair has different ratings.
        DataTypeError: If the ratings are none of these, or if ratings or ids have another type.
        FileNotFoundError: If there is no such file.
        TableFileError: If a file cannot be read.
    """
    counted = kind is not None and not kind.has_ratings
    table = ratings if isinstance(ratings, RatingTable) else _read(ratings, columns, name, like, counted=counted)
    if table.matrix.nnz == 0 and not empty:
        raise DataError(
            f"`{name}` must hold at least one rating: got none for {len(table.users)} users x {len(table.items)} items."
        )
    if kind is not None:
        kind.check(table.matrix.data)
    return table


def _read(ratings: Any, columns: Sequence[str], name: str, like: RatingTable | None, *, counted: bool) -> RatingTable:
    if hasattr(ratings, "tocoo"):
        # A sparse array with one axis gets a second one here, and is refused by its shape below.
        users, items = (Ids.counted(number) for number in (*ratings.shape, 0)[:2])
        return RatingTable(_sorted_matrix(ratings, name, users, items, counted=counted), users, items, is_bare=True)
    frame = as_frame(ratings, name)
    if frame is not None:
        columns = columns[:2] if counted and columns[2] not in frame.columns else columns
        check_columns(frame.columns, columns, f"`{name}`")
        parts = [frame[column].to_numpy() for column in columns]
    elif isinstance(ratings, str | Path):
        name = f"{name} ({ratings})"
        columns = columns[:2] if counted and columns[2] not in column_names(ratings) else columns
        parts = list(read_named_columns(ratings, columns, numbers=columns[2:]).values())
        if Path(ratings).suffix == ".csv":
            for place, known in enumerate((like.users, like.items) if like else (None, None)):
                if known is None or known.values.dtype.kind == "i":
                    parts[place] = _numbers_if_written_so(parts[place])
    else:
        parts = _arrays(ratings, name, counted=counted)
    users, rows = Ids.of(parts[0], f"{name}: {columns[0]}")
    items, places = Ids.of(parts[1], f"{name}: {columns[1]}")
    values = _numbers(parts[2], f"{name}: {columns[2]}") if len(parts) > 2 else np.ones(len(rows), np.float32)
    matrix = scipy.sparse.coo_array((values, (rows, places)), shape=(len(users), len(items)))
    return RatingTable(_sorted_matrix(matrix, name, users, items, counted=counted), users, items)


def _numbers_if_written_so(texts: Any) -> Any:
    """Return the ids of a text file as integers if all of them are integers in their usual spelling."""
    if np.ma.is_masked(texts) or len(texts) == 0:
        return texts
    written = np.asarray(texts).tolist()
    try:
        if any(len(text) > MAX_DIGITS for text in written):
            return texts
        numbers = np.array([int(text) for text in written], np.int64)
    except (ValueError, OverflowError):
        return texts
    return numbers if all(map(str.__eq__, map(str, numbers.tolist()), written)) else texts


def _arrays(ratings: Any, name: str, *, counted: bool) -> list[Any]:
    if not isinstance(ratings, tuple) or len(ratings) not in ((2, 3) if counted else (3,)):
        shape = f" of shape {ratings.shape}" if hasattr(ratings, "shape") else ""
        raise DataTypeError(
            f"`{name}` must be a scipy.sparse matrix, a table or file of users, items and ratings, or a tuple of three "
            f"arrays: got {type(ratings).__name__}{shape}. If 0 means not rated in a dense array x, pass "
            "scipy.sparse.csr_array(x). If NaN does, pass (rows, columns, x[rows, columns]) with "
            "rows, columns = np.nonzero(~np.isnan(x))."
        )
    parts = [part if isinstance(part, list | tuple) else np.atleast_1d(part) for part in ratings]
    lengths = [len(part) for part in parts]
    if 1 in lengths:  # one user of several items, say
        parts = [[*part] * max(lengths) if length == 1 else part for part, length in zip(parts, lengths, strict=True)]
    if len({len(part) for part in parts}) > 1:
        raise DataError(f"`{name}` must be three arrays of one length: got lengths {lengths}.")
    return parts


def _numbers(values: Any, name: str) -> NDArray[np.float32]:
    if np.ma.is_masked(values):
        empty = int(np.ma.getmaskarray(values).sum())
        raise DataError(f"`{name}` must have a rating in every row: got {empty} empty. Drop those rows.")
    array = np.asarray(values)
    if array.dtype.kind == "O":
        text = next((value for value in array.flat if isinstance(value, str | bytes)), None)
        try:
            if text is not None:
                raise TypeError(f"text, the first {text!r}")
            array = array.astype(np.float64)  # Decimal, or None, which becomes NaN
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DataTypeError(f"`{name}` must be numbers: got {error}. Write decimals with a point.") from error
    if array.dtype.kind not in "fiub" or array.ndim != 1:
        raise DataTypeError(f"`{name}` must be numbers, one per row: got shape {array.shape}, dtype {array.dtype}.")
    return _narrow(array)


def _narrow(array: Any) -> Any:
    """Return float32 numbers; numbers that are too large become infinite, and are refused as such."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32)


def _sorted_matrix(matrix: Any, name: str, users: Ids, items: Ids, *, counted: bool) -> scipy.sparse.csr_array:
    """Return a sparse matrix as sorted float32 CSR with one entry per pair; counts of a pair are added."""
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise DataTypeError(
            f"`{name}` must be a sparse matrix of real numbers, users x items: got shape {matrix.shape}, "
            f"dtype {matrix.dtype}."
        )
    coo = matrix.tocoo()
    rows = scipy.sparse.csr_array(_narrow(coo))  # sums repeated pairs; undone below
    if rows.nnz < coo.nnz and counted:
        Interactions().check(coo.data)  # before -1 and 2 become 1
    elif rows.nnz < coo.nnz:
        order = np.lexsort((coo.col, coo.row))
        row, column, value = coo.row[order], coo.col[order], coo.data[order]
        again = (np.diff(row) == 0) & (np.diff(column) == 0)
        differs = again & (np.diff(value) != 0)
        if differs.any():
            first = int(np.argmax(differs))
            raise DataError(
                f"`{name}` must hold one rating per user and item: got {int(differs.sum())} more ratings of the same "
                f"pairs, the first for user {users.values[row[first]]!s} and item {items.values[column[first]]!s}: "
                f"{value[first]:g} and {value[first + 1]:g}. Keep one rating of each pair, such as the latest, or "
                "their mean."
            )
        keep = np.append(True, ~again)
        rows = scipy.sparse.csr_array((_narrow(value[keep]), (row[keep], column[keep])), shape=coo.shape)
    rows.sort_indices()
    if not np.isfinite(rows.data).all():
        wrong = int(np.argmax(~np.isfinite(rows.data)))
        user = users.values[int(np.searchsorted(rows.indptr, wrong, side="right")) - 1]
        raise DataError(
            f"`{name}` must be finite: got {int((~np.isfinite(rows.data)).sum())} NaN or infinite, the first for user "
            f"{user!s} and item {items.values[rows.indices[wrong]]!s}. Leave missing ratings out."
        )
    return rows
