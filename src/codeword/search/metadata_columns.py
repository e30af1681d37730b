"""Metadata columns of a store: frames or arrays, checked and converted to SQL types (no Keras)."""

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.ids import is_unicode
from codeword.errors import DataError, DataTypeError
from codeword.files.codes import CODE_COLUMN
from codeword.search.code_words import WORD_COLUMN

# For each kind of NumPy dtype: the SQL type and the dtype that is passed to DuckDB.
_TYPES: dict[str, tuple[str, Any]] = {
    "b": ("BOOLEAN", bool),
    "i": ("BIGINT", np.int64),
    "u": ("BIGINT", np.int64),
    "f": ("DOUBLE", np.float64),
    "O": ("VARCHAR", object),
    "M": ("TIMESTAMP", "datetime64[us]"),
}
MAX_YEAR = 290_000  # DuckDB and NumPy count microseconds in 64 bits
NOTHING = "NULL"  # the type of a column that has only missing values: it is compatible with every type


class MetadataColumn(NamedTuple):
    """Values of shape `(n,)`, strings as objects with None where missing, and the SQL type of the column."""

    values: Any
    sql_type: str


def metadata_columns(metadata: Any, count: int) -> dict[str, MetadataColumn]:
    """Check a frame or a mapping from names to arrays, and convert it to columns of `count` values.

    None, NaN, NaT and masked entries are missing. Times are stored to the microsecond, in UTC.
    """
    if metadata is None:
        return {}
    columns = {}
    taken = {"id", "rowid"}
    for name, values in _by_name(metadata).items():
        if not isinstance(name, str) or name.lower() in taken or not _is_free(name):
            raise DataError(
                "Each column of `metadata` must have a unique name, a string other than id, rowid, code_0 or c0: "
                f"got {name!r}."
            )
        taken.add(name.lower())  # SQL names are case-insensitive
        columns[name] = _checked(name, values, count)
    return columns


def _by_name(metadata: Any) -> Mapping[Any, Any]:
    if isinstance(metadata, Mapping):
        return metadata
    import narwhals as nw  # takes a fifth of a second: only for frames

    try:
        frame = nw.from_native(metadata, eager_only=True, pass_through=True)
        if isinstance(frame, nw.DataFrame):
            return dict(zip(frame.columns, frame.iter_columns(), strict=True))
    except nw.exceptions.DuplicateError as error:
        raise DataError(
            f"Each column of `metadata` must have a unique name: got {' '.join(str(error).split())}."
        ) from error
    raise DataTypeError(
        f'`metadata` must be a data frame or a mapping from names to arrays, such as {{"label": labels}}: got '
        f"{type(metadata).__name__}."
    )


def _is_free(name: str) -> bool:
    """Return whether DuckDB accepts a name and no column of codes uses it."""
    of_codes = WORD_COLUMN.fullmatch(name.lower()) or CODE_COLUMN.fullmatch(name.lower())
    return bool(name) and not of_codes and "\0" not in name and is_unicode(name)


def _checked(name: str, values: Any, count: int) -> MetadataColumn:
    array = _as_array(values)
    if array.shape != (count,):
        raise DataError(
            f"`metadata` must have one value per code: got column {name!r} of shape {array.shape} for {count} codes."
        )
    missing = np.ma.getmaskarray(array).copy()
    array = np.asarray(array)
    if array.dtype.kind in "UT":
        array = array.astype(object)
    if array.dtype.kind == "O":
        missing |= np.array([_is_missing(value) for value in array], bool)
        array = _of_objects(name, array, missing)
    if array.dtype.kind not in _TYPES:
        raise _no_type(name, f"dtype {array.dtype}")
    if array.dtype.kind == "M":
        _check_years(name, array)
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise _too_large(name, array.max())
    sql_type, dtype = _TYPES[array.dtype.kind]
    array = array.astype(dtype)
    if missing.size and missing.all():
        return MetadataColumn(np.full(len(array), None, object), NOTHING)
    return MetadataColumn(np.ma.array(array, mask=missing) if missing.any() else array, sql_type)


def _as_array(values: Any) -> Any:
    """Return values as an array; masked arrays stay masked, and lists become arrays of objects."""
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, list | tuple):  # NumPy would convert a list of strings and numbers to strings
        return np.fromiter(values, object, len(values))
    import narwhals as nw

    series = nw.from_native(values, series_only=True, pass_through=True)
    if isinstance(series, nw.Series):
        missing = series.is_null().to_numpy()
        if not missing.any() and series.dtype.is_numeric():
            return series.to_numpy()
        if series.dtype == nw.Date or (isinstance(series.dtype, nw.Datetime) and series.dtype.time_zone is None):
            times = series.to_numpy()  # Python's times end in the year 9999
            if times.dtype.kind == "M":
                return np.ma.array(times, mask=missing)
        array = np.fromiter(series.to_list(), object, len(series))
        array[missing] = None
        return array
    return np.asarray(values)


def _is_missing(value: Any) -> bool:
    times_and_floats = float | np.floating | np.datetime64 | datetime.date
    return value is None or (isinstance(value, times_and_floats) and bool(value != value))


def _of_objects(name: str, array: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Convert Python objects of one type to an array of that type, strings as objects; missing entries are ignored."""
    present = array[~missing]
    kinds = {type(value) for value in present}

    def are(*allowed: type) -> bool:
        return all(issubclass(kind, allowed) for kind in kinds)

    if are(str):
        texts = [None if gone else str(value) for gone, value in zip(missing, array, strict=True)]
        halves = sum(not is_unicode(text) for text in texts if text is not None)
        if halves:
            raise DataError(
                f"`metadata` must hold valid Unicode: got {halves} strings with lone surrogates in column {name!r}. "
                "Check the encoding with which the text was read."
            )
        return np.fromiter(texts, object, len(texts))
    filled = [present[0] if gone else value for gone, value in zip(missing, array, strict=True)]
    if are(bool, np.bool_):
        return np.array(filled, bool)
    if are(bool, np.bool_, int, np.integer):
        large = [value for value in filled if not -(2**63) <= value < 2**63]
        if large:
            raise _too_large(name, large[0])
        return np.array(filled, np.int64)
    if are(bool, np.bool_, int, np.integer, float, np.floating):
        try:
            return np.array(filled, np.float64)
        except OverflowError as error:
            raise _too_large(name, "an integer beyond all floats") from error
    if are(datetime.date, np.datetime64):
        return _times(name, filled)
    raise _no_type(name, ", ".join(sorted(kind.__name__ for kind in kinds)))


def _times(name: str, values: list[Any]) -> NDArray[Any]:
    try:
        times = [_time(value) for value in values]
    except OverflowError as error:  # by its time zone beyond the year 9999
        raise _too_far(name, error) from error
    for value in values:
        if isinstance(value, np.datetime64):  # Python's own end in 9999
            _check_years(name, np.array([value]))
    return np.array(times, "datetime64[us]")


def _time(value: Any) -> Any:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return np.datetime64(value)


def _check_years(name: str, times: NDArray[Any]) -> None:
    """Refuse times that NumPy would silently turn into others when it counts microseconds."""
    if np.datetime_data(times.dtype)[0] in ("ns", "ps", "fs", "as"):
        return  # at most 300 years from 1970
    years = times[~np.isnat(times)].astype("datetime64[Y]").astype(np.int64) + 1970
    if years.size and max(-years.min(), years.max()) > MAX_YEAR:
        raise _too_far(name, f"the years {years.min()} to {years.max()}")


def _too_far(name: str, found: Any) -> DataError:
    return DataError(
        f"`metadata` must hold times from the year -{MAX_YEAR} to {MAX_YEAR}: got {found} in column {name!r}. Convert "
        "the column to numbers."
    )


def _too_large(name: str, value: Any) -> DataError:
    return DataError(
        f"`metadata` must hold integers below 2**63: got {value} in column {name!r}. Convert the column to strings."
    )


def _no_type(name: str, found: str) -> DataTypeError:
    return DataTypeError(
        f"Each column of `metadata` must hold numbers, strings, booleans or times: got {found} in column {name!r}. "
        "Convert the column to strings."
    )
