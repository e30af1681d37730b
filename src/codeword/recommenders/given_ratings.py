"""Ratings or interactions of any origin, as columns of users, items, values and times (no Keras)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.id_columns import IdColumns, chosen_columns, is_count
from codeword.arrays.ids import Ids
from codeword.arrays.rows import as_frame
from codeword.errors import DataError, DataTypeError
from codeword.files.id_tables import cure_of_text, read_id_file

DENSE = (
    "If 0 means not rated in a dense array x, pass scipy.sparse.csr_array(x). If NaN does, pass (rows, columns, "
    "x[rows, columns]) with rows, columns = np.nonzero(~np.isnan(x))."
)
WITHOUT_RATINGS = "If there are users and items, but no ratings, use data=Interactions()."


class GivenRatings(NamedTuple):
    """Columns of one length, as they came.

    Attributes:
        name: What to call the ratings in messages.
        columns: The names of the columns.
        users: Ids.
        items: Ids.
        values: Ratings or counts, None for interactions without counts.
        times: Seconds, float64, NaN where unknown; None without any.
        note: A line that says which column is what; None if the user named them or there are no names.
        are_arrays: Whether they came as a tuple of arrays, which has no names.
    """

    name: str
    columns: IdColumns
    users: Any
    items: Any
    values: Any
    times: NDArray[np.float64] | None
    note: str | None
    are_arrays: bool = False


def given_ratings(
    ratings: Any,
    columns: Sequence[str] | None = None,
    *,
    counted: bool | None,
    name: str = "ratings",
    texts: tuple[bool, bool] = (False, False),
) -> GivenRatings:
    """Read a data frame, a file or a tuple of arrays.

    Args:
        ratings: As for `as_rating_table`, but no matrix.
        columns: As for `as_rating_table`.
        counted: Whether values are counts of interactions, which need no column. None: what there is.
        name: What to call the ratings in messages; the path of a file is added.
        texts: Whether the ids of users, and of items, in a text file are text even if all are integers.
    """
    frame = as_frame(ratings, name)
    if frame is not None:
        names = list(map(str, frame.columns))
        chosen = chosen_columns(names, columns, counted=counted, table=f"`{name}`", hint=_of_index(ratings))
        users, items, values, times = (None if one is None else frame[:, names.index(one)].to_numpy() for one in chosen)
        note = None if columns else _described(chosen, names, counted)
        return GivenRatings(name, chosen, users, items, values, _seconds(times), note)
    if isinstance(ratings, str | Path):
        file = read_id_file(ratings, columns, counted=counted, texts=texts)
        note = None if columns else _described(file.columns, file.names, counted)
        return GivenRatings(f"{name} ({ratings})", file.columns, file.users, file.items, file.values, file.times, note)
    users, items, values, times = _arrays(ratings, name, counted=counted)
    columns_of_arrays = IdColumns("user", "item", "rating")
    return GivenRatings(name, columns_of_arrays, users, items, values, _seconds(times), None, are_arrays=True)


def _of_index(frame: Any) -> str:
    """Return what to do about the names of a pandas index, which is no column."""
    names = [str(name) for name in getattr(getattr(frame, "index", None), "names", None) or () if name is not None]
    return f" The index, {', '.join(names)}, is no column: pass ratings.reset_index()." if names else ""


def _described(columns: IdColumns, names: Sequence[str], counted: bool | None) -> str:
    return columns.described(names, "count" if counted or is_count(columns.value) else "rating")


def numbers_of(given: GivenRatings) -> NDArray[Any]:
    """Return the ratings or counts as numbers, or refuse what is none."""
    values, name = given.values, f"{given.name}: {given.columns.value}"
    if np.ma.is_masked(values):
        empty = np.ma.getmaskarray(values)
        raise DataError(
            f"`{name}` must have a number in every row: got {int(empty.sum())} empty, the first in row "
            f"{int(np.argmax(empty))}, counted from 0. Drop those rows."
        )
    array = np.asarray(values)
    if array.dtype.kind in "OUS":
        text = next((value for value in array.flat if isinstance(value, str | bytes)), None)
        if text is not None:
            shown = text.decode("latin-1") if isinstance(text, bytes) else text
            raise DataTypeError(f"`{name}` must be numbers: got text, the first {shown[:40]!r}. {cure_of_text(shown)}")
        try:
            array = array.astype(np.float64)  # Decimal, or None, which becomes NaN
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DataTypeError(f"`{name}` must be numbers: got {error}.") from error
    if array.dtype.kind not in "fiub" or array.ndim != 1:
        dates = " If another column holds the ratings, name it with `columns`." if array.dtype.kind == "M" else ""
        raise DataTypeError(
            f"`{name}` must be numbers, one per row: got shape {array.shape}, dtype {array.dtype}.{dates}"
        )
    return array


def finite_numbers_of(given: GivenRatings) -> NDArray[Any]:
    """Return the ratings or counts as finite numbers, or refuse what is none."""
    values = numbers_of(given)
    wrong = np.flatnonzero(~np.isfinite(values))
    if len(wrong):
        raise DataError(
            f"`{given.name}: {given.columns.value}` must be finite: got {len(wrong)} NaN or infinite, the first in row "
            f"{wrong[0]}, counted from 0. Leave missing ratings out."
        )
    return values


def texts_like(users: Ids | None, items: Ids | None) -> tuple[bool, bool]:
    """Return which ids of a text file are to be read as text: those that are text elsewhere."""
    of_users, of_items = (ids is not None and ids.values.dtype.kind != "i" for ids in (users, items))
    return of_users, of_items


def _arrays(ratings: Any, name: str, *, counted: bool | None) -> list[Any]:
    """Return users, items, values and times; None for those that were not passed."""
    lengths_allowed = (3, 4) if counted is False else (2, 3, 4)
    if not isinstance(ratings, tuple) or len(ratings) not in lengths_allowed:
        shape = f" of shape {ratings.shape}" if hasattr(ratings, "shape") else ""
        number = f" of {len(ratings)}" if isinstance(ratings, tuple) else ""
        raise DataTypeError(
            f"`{name}` must be a scipy.sparse matrix, a table or file of users, items and ratings, or a tuple of three "
            f"arrays: got {type(ratings).__name__}{number}{shape}. {_cure(ratings)}"
        )
    parts = [part if isinstance(part, list | tuple) else np.atleast_1d(part) for part in ratings]
    lengths = [len(part) for part in parts]
    if 1 in lengths:  # one user of several items, say
        parts = [[*part] * max(lengths) if length == 1 else part for part, length in zip(parts, lengths, strict=True)]
    if len({len(part) for part in parts}) > 1:
        raise DataError(f"`{name}` must be three arrays of one length: got lengths {lengths}.")
    return [*parts, None, None][:4]


def _cure(ratings: Any) -> str:
    """Return how to pass what is no table."""
    names = 'columns=["user", "item", "rating"]'
    shape: Any = getattr(ratings, "shape", ())
    if isinstance(ratings, list) and len(ratings) == 3 and not isinstance(ratings[0], tuple | dict):
        return "Pass a tuple: (users, items, ratings)."
    if isinstance(ratings, list):
        return f"Pass pandas.DataFrame(ratings{'' if ratings and isinstance(ratings[0], dict) else f', {names}'})."
    if isinstance(ratings, dict) and any(isinstance(value, dict) for value in ratings.values()):
        rows = "[(user, item, rating) for user, rated in ratings.items() for item, rating in rated.items()]"
        return f"Pass pandas.DataFrame({rows}, {names})."
    if isinstance(ratings, dict):
        return "Pass pandas.DataFrame(ratings)."
    for method, result in (("reset_index", "reset_index()"), ("collect", "collect()"), ("df", "df()")):
        if hasattr(ratings, method):  # a pandas Series, a lazy frame of Polars, a relation of DuckDB
            return f"Pass ratings.{result}."
    if len(shape) == 2 and shape[1] in (2, 3, 4):
        return "If its columns are users, items and ratings, pass tuple(ratings.T). " + DENSE
    return DENSE if shape else WITHOUT_RATINGS


def _seconds(times: Any) -> NDArray[np.float64] | None:
    """Return times of any type as seconds, None if they are none."""
    if times is None:
        return None
    array = np.ma.filled(np.ma.asarray(times), np.nan) if np.ma.isMaskedArray(times) else np.asarray(times)
    try:
        if array.dtype.kind == "M" or array.dtype.kind in "OU":
            array = array.astype("datetime64[us]")
            seconds = array.astype(np.int64) / 1e6
            return np.where(np.isnat(array), np.nan, seconds)
        return array.astype(np.float64)
    except (TypeError, ValueError):
        return None
