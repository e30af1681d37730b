"""Splits of ratings into parts to train on and to test with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.arrays.ids import Ids
from codeword.arrays.rows import as_frame
from codeword.errors import DataError
from codeword.recommenders.given_ratings import given_ratings, numbers_of
from codeword.settings import integer, number, one_of

_SHARE = number(above=0, below=1)


def split_ratings(
    ratings: Any,
    how: str = "random",
    *,
    test_share: float = 0.1,
    columns: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Any, Any]:
    """Split ratings into a training and a test part.

    Args:
        ratings: A data frame, a file, a tuple of arrays or a sparse matrix, as `RatingAutoencoder.fit` takes them.
        how: "random" holds out single ratings, drawn evenly: for predicting ratings. "time" holds out the latest: for
            what comes next. "last" holds out one rating of each user who has several, the latest or, without times,
            the last in the table: for the next item of each user.
        test_share: Share of the ratings in the test part, by "random" and "time".
        columns: Names of the columns of users, items, ratings and times. None: found by their names.
        seed: Seed of the random numbers. By "random" the test part is the first `test_share` of
            `numpy.random.default_rng(seed).permutation(n)`.

    Returns:
        The training part and the test part, of the same type as `ratings`; arrays `(users, items, ...)` of a file.

    Raises:
        DataError: If an id or a rating is missing, "time" is asked of ratings without times, or a part would be empty.
        DataTypeError: If the ratings are none of these, or ids or ratings have another type.

    Example:
        >>> train, test = split_ratings(([1, 1, 1, 2], [7, 8, 9, 7], [5.0, 3.0, 4.0, 2.0]), "last")
        >>> [part.tolist() for part in test]
        [[1], [9], [4.0]]
    """
    one_of("random", "time", "last").check("how", how)
    _SHARE.check("test_share", test_share)
    integer(0).check("seed", seed)
    rows = _Rows(ratings, columns)
    count = int(test_share * len(rows))
    if how != "last":
        _check_part(count, f"a test part of {test_share:g}: got {len(rows)} of them. Raise `test_share`")
    if how == "random":
        order = np.random.default_rng(seed).permutation(len(rows))
        return rows.chosen(order[count:]), rows.chosen(order[:count])
    order = rows.by_time(is_needed=how == "time")
    if how == "time":
        return rows.chosen(np.sort(order[: len(rows) - count])), rows.chosen(np.sort(order[len(rows) - count :]))
    users = rows.users()[order]
    last = order[len(order) - 1 - np.unique(users[::-1], return_index=True)[1]]
    held_out = np.zeros(len(rows), bool)
    held_out[last] = np.bincount(users)[rows.users()[last]] > 1
    _check_part(held_out.sum(), f"a user with several: got {len(rows)} of {len(last)} users, one of each")
    return rows.chosen(~held_out), rows.chosen(held_out)


def split_users(
    ratings: Any,
    *,
    test_share: float = 0.1,
    given_share: float = 0.8,
    columns: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[Any, Any, Any]:
    """Split ratings by user, to test what users get whom the model has never seen ("strong generalization").

    Args:
        ratings: As for `split_ratings`.
        test_share: Share of the users whose ratings are not trained on.
        given_share: Share of the ratings of each such user that is given to `recommend_new`, drawn evenly.
        columns: As for `split_ratings`.
        seed: Seed of the random numbers.

    Returns:
        The training part; the given part of the test users; and the rest of their ratings, to judge the answers.
        All of the same type as `ratings`. Test users with a single rating have nothing given.

    Raises:
        DataError: If an id or a rating is missing, or a part would be empty.
    """
    _SHARE.check("test_share", test_share)
    _SHARE.check("given_share", given_share)
    integer(0).check("seed", seed)
    rows, random = _Rows(ratings, columns), np.random.default_rng(seed)
    users = rows.users()
    tested = random.permutation(users.max(initial=-1) + 1)
    number = round(test_share * len(tested))
    shares = f"got {len(tested)} users and a share of {test_share:g}. Change `test_share`"
    _check_part(number, f"a test user: {shares}")
    _check_part(len(tested) - number, f"a user to train on: {shares}")
    is_tested = np.isin(users, tested[:number])
    order = np.lexsort((random.random(len(users)), users))  # each user's ratings in random order
    starts = np.searchsorted(users[order], users[order], side="left")
    ranks = np.empty(len(users), np.intp)
    ranks[order] = np.arange(len(users)) - starts
    is_given = ranks < np.floor(given_share * np.bincount(users)[users])
    most = np.bincount(users[is_tested]).max()
    _check_part(
        (is_tested & is_given).sum(),
        f"one that is given: got at most {most} of a test user, and a share of {given_share:g}. Raise `given_share`",
    )
    return rows.chosen(~is_tested), rows.chosen(is_tested & is_given), rows.chosen(is_tested & ~is_given)


def _check_part(number: int, what: str) -> None:
    if number == 0:
        raise DataError(f"`ratings` must be enough for {what}.")


class _Rows:
    """Ratings of any type as rows that can be chosen."""

    def __init__(self, ratings: Any, columns: Sequence[str] | None) -> None:
        self._ratings, self._frame = ratings, as_frame(ratings, "ratings")
        self._times: NDArray[np.float64] | None = None
        if hasattr(ratings, "tocoo"):
            matrix = ratings.tocoo()
            self._columns = [*matrix.coords, matrix.data]
        else:
            given = given_ratings(ratings, columns, counted=None)
            values = None if given.values is None else as_finite_numbers(numbers_of(given))
            self._columns = [given.users, given.items, values, given.times]
            self._times = given.times
        self._users = Ids.of(self._columns[0], "users")[1]
        Ids.of(self._columns[1], "items")

    def __len__(self) -> int:
        return len(self._users)

    def users(self) -> NDArray[np.intp]:
        """Return the position of each row's user among all users."""
        return self._users

    def by_time(self, *, is_needed: bool) -> NDArray[np.intp]:
        """Return the rows from the earliest to the latest; as they stand if there are no times."""
        if self._times is None:
            if is_needed:
                raise DataError(
                    '`ratings` must have times for how="time": got none. Pass a fourth array or column, '
                    'such as columns=("user", "item", "rating", "timestamp").'
                )
            return np.arange(len(self))
        return np.argsort(np.nan_to_num(self._times, nan=-np.inf), kind="stable")

    def chosen(self, which: NDArray[Any]) -> Any:
        """Return some rows, by numbers or as a mask, in the type in which all came."""
        rows = np.flatnonzero(which) if which.dtype == bool else which
        if self._frame is not None:
            return self._frame[rows].to_native()
        columns = [*self._columns]
        if isinstance(self._ratings, tuple):
            columns[3:] = self._ratings[3:]  # times as they came
        parts = [np.asarray(column)[rows] for column in columns if column is not None]
        if hasattr(self._ratings, "tocoo"):
            return scipy.sparse.csr_array((parts[2], (parts[0], parts[1])), shape=self._ratings.shape)
        return self._ratings._make(parts) if hasattr(self._ratings, "_make") else tuple(parts)
