"""Ratings of any origin as one sparse matrix, with the ids of its rows and columns (no Keras)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.ids import Ids
from codeword.data_kinds import DataKind, Ratings
from codeword.errors import DataError, DataTypeError
from codeword.recommenders.column_order import order_in_doubt
from codeword.recommenders.given_ratings import GivenRatings, given_ratings, numbers_of, texts_like
from codeword.recommenders.rating_entries import Entries

MOST_ON_SCALE = 0.5  # ratings of which fewer lie on the scale may be ids


@dataclass(frozen=True)
class RatingTable:
    """Ratings with the ids of their users and items.

    Attributes:
        matrix: float32 CSR array of shape `(users, items)`, sorted; every stored entry, also a stored 0, is a rating.
        users: Ids of its rows.
        items: Ids of its columns.
        is_bare: Whether it came as a matrix, so that its ids are only the numbers of its rows and columns.
        note: A line that says which columns were found by their names or position; None if there is nothing to say.
    """

    matrix: scipy.sparse.csr_array
    users: Ids
    items: Ids
    is_bare: bool = False
    note: str | None = None

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
        shared = self.number_in(training, name)
        if shared:
            raise DataError(
                f"`{name}` must not hold training ratings, which the network reads as its input: "
                f"got {shared} of {matrix.nnz} that are in both. Remove them from one of the two."
            )
        return matrix

    def number_in(self, known: Self, name: str) -> int:
        """Return for how many of these pairs another table has a rating, too."""
        one, other = (
            scipy.sparse.csr_array((np.ones(part.nnz), part.indices, part.indptr), shape=part.shape)
            for part in (self.within(known, name), known.matrix)
        )
        return int(one.multiply(other).nnz)

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
    columns: Sequence[str] | None = None,
    repeated: str = "last",
    name: str = "ratings",
    empty: bool = False,
    like: RatingTable | None = None,
) -> RatingTable:
    """Read ratings or interactions, or refuse them before anything is trained.

    Args:
        ratings: A scipy.sparse matrix `(users, items)` whose stored entries are the ratings; a data frame (pandas,
            Polars, Arrow), a text table such as `.csv` or a `.parquet` file with one row per rating; a tuple `(users,
            items, ratings)` of three arrays of the same length; or a `RatingTable`. Interactions may have no third
            column or array, and count as 1 then; the count 0 means that there was none. A fourth column or array may
            hold times. The ids of a matrix are its row and column numbers; other ids are integers or text. In a text
            file they are integers if all of them are written as such, without leading zeros.
        kind: The scale that the ratings must lie on, or `Interactions()`. None: any finite number.
        columns: Names of the table's columns of users, items, ratings and, if needed, times. None: found by common
            names or, in a text file without names, by position: column0, column1, and so on.
        repeated: What counts of several ratings of one pair: "last", the latest if there are times, else the last in
            the table; "mean"; or "error". Equal ones count once. The counts of interactions are added.
        name: What to call the ratings in messages; the path of a file is added.
        empty: Whether there may be no rating.
        like: A table with the same ids: where its ids are text, the ids in a text file are read as text.

    Raises:
        DataError: If there are none, a column is missing, a rating is not allowed, or pairs repeat against the rule.
        DataTypeError: If the ratings are none of these, or if ratings or ids have another type.
        FileNotFoundError: If there is no such file.
        TableFileError: If a file cannot be read.

    Warns:
        UserWarning: If pairs have several ratings, or a number lies apart from all others, as -1 for "not rated" does.
    """
    if isinstance(ratings, RatingTable):
        table = ratings
        if kind is not None:
            kind.check(table.matrix.data)
    else:
        table = _read(ratings, kind, columns, repeated, name, like)
    if table.matrix.nnz == 0 and not empty:
        raise DataError(
            f"`{name}` must hold at least one rating: got none for {len(table.users)} users x {len(table.items)} items."
        )
    return table


def _read(
    ratings: Any,
    kind: DataKind | None,
    columns: Sequence[str] | None,
    repeated: str,
    name: str,
    like: RatingTable | None,
) -> RatingTable:
    if hasattr(ratings, "tocoo"):
        # A sparse array with one axis gets a second one here, and is refused by its shape below.
        users, items = (Ids.counted(number) for number in (*ratings.shape, 0)[:2])
        if ratings.ndim != 2 or ratings.dtype.kind not in "fiub":
            raise DataTypeError(
                f"`{name}` must be a sparse matrix of real numbers, users x items: got shape {ratings.shape}, "
                f"dtype {ratings.dtype}."
            )
        coo = ratings.tocoo()  # `astype` of the matrix would add repeated pairs
        coo = scipy.sparse.coo_array((_narrow(coo.data), (coo.row, coo.col)), shape=coo.shape)
        entries = Entries(coo, None, users, items, name)
        return RatingTable(entries.one_per_pair(kind, repeated), users, items, is_bare=True)
    counted = kind is not None and not kind.has_ratings
    texts = (False, False) if like is None else texts_like(like.users, like.items)
    given = given_ratings(ratings, columns, counted=counted, name=name, texts=texts)
    if isinstance(kind, Ratings):
        _refuse_other_order(given, kind)
    users, rows = Ids.of(given.users, f"{given.name}: {given.columns.user}")
    items, places = Ids.of(given.items, f"{given.name}: {given.columns.item}")
    values = np.ones(len(rows), np.float32)
    if given.values is not None:
        values = _narrow(numbers_of(given))
    matrix = scipy.sparse.coo_array((values, (rows, places)), shape=(len(users), len(items)))
    entries = Entries(matrix, given.times, users, items, given.name)
    return RatingTable(entries.one_per_pair(kind, repeated), users, items, note=given.note)


def _refuse_other_order(given: GivenRatings, scale: Ratings) -> None:
    """Refuse columns in another order; it shows where no number is a rating."""
    values = numbers_of(given)
    if len(values) == 0 or ((values >= scale.low) & (values <= scale.high)).mean() > MOST_ON_SCALE:
        return
    doubt = order_in_doubt(given, (scale.low, scale.high))
    if doubt is not None:
        raise DataError(
            f"`{given.name}` must be ratings between {scale.low:g} and {scale.high:g}: got {values.min():g} to "
            f"{values.max():g}. {doubt}"
        )


def _narrow(array: Any) -> Any:
    """Return float32 numbers; numbers that are too large become infinite, and are refused as such."""
    with np.errstate(over="ignore"):
        return array.astype(np.float32)
