"""Columns that stand beside codes in a store: frames or arrays, checked and with their SQL types (no Keras)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, DataTypeError
from codeword.search.code_words import WORD_COLUMN

_SQL_TYPES = {"b": "BOOLEAN", "i": "BIGINT", "u": "BIGINT", "f": "DOUBLE", "U": "VARCHAR", "M": "TIMESTAMP"}


class MetadataColumn(NamedTuple):
    """Values of shape `(n,)`, text as objects with None where it is missing; and the type of their column."""

    values: Any
    sql_type: str


def metadata_columns(metadata: Any, count: int) -> dict[str, MetadataColumn]:
    """Checks metadata of `count` rows.

    Args:
        metadata: Frame (pandas, Polars, Arrow), or arrays by name; None for none.
        count: Rows that they must have.

    Raises:
        DataError: If a column has another length, or a name that is taken.
        DataTypeError: If it is no table, or values are of no type that a store keeps.
    """
    if metadata is None:
        return {}
    frame = nw.from_native(metadata, eager_only=True, pass_through=True)
    if isinstance(frame, nw.DataFrame):
        metadata = {name: _of_series(frame[name]) for name in frame.columns}
    if not isinstance(metadata, Mapping):
        raise DataTypeError(
            f"`metadata` must be a frame, or arrays by name. Received: {type(metadata).__name__}. "
            'Write {"label": labels}, say.'
        )
    columns = {}
    taken = {"id", "rowid"}
    for name, values in metadata.items():
        if not isinstance(name, str) or not name or name.lower() in taken or WORD_COLUMN.fullmatch(name.lower()):
            raise DataError(
                f"Each column of `metadata` must have a name of its own, not id, rowid or code_0. Received: {name!r}. "
                "Rename it."
            )
        taken.add(name.lower())  # SQL does not tell Label from label
        columns[name] = _checked(name, values, count)
    return columns


def _checked(name: str, values: Any, count: int) -> MetadataColumn:
    array = values if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    if array.shape != (count,):
        raise DataError(
            f"`metadata` must have one value a code. Received: column {name!r} of shape {array.shape} for {count} "
            "codes. Give as many."
        )
    missing = np.ma.getmaskarray(array)
    array = np.asarray(array)
    if array.dtype.kind == "O":
        missing = missing | np.array([value is None for value in array], bool)
        array = _of_objects(name, array, missing)
    sql_type = _SQL_TYPES.get(array.dtype.kind)
    if sql_type is None:
        raise _no_type(name, f"dtype {array.dtype}")
    if array.dtype.kind == "u" and array.size and int(array.max()) >= 2**63:
        raise DataError(
            f"`metadata` must be below 2**63. Received: {array.max()} in column {name!r}. Write it as text."
        )
    if array.dtype.kind == "M":
        array = array.astype("datetime64[us]")
    if array.dtype.kind == "U":
        array = array.astype(object)
        array[missing] = None
    return MetadataColumn(np.ma.array(array, mask=missing) if missing.any() else array, sql_type)


def _of_objects(name: str, array: NDArray[Any], missing: NDArray[np.bool_]) -> NDArray[Any]:
    """Gives Python objects of one kind as an array of that kind; missing ones become anything."""
    present = array[~missing]
    kinds = {type(value) for value in present}
    if kinds <= {str}:
        return np.where(missing, "", array).astype(str)
    if not all(issubclass(kind, bool | int | float | np.number | np.bool_) for kind in kinds):
        raise _no_type(name, ", ".join(sorted(kind.__name__ for kind in kinds)))
    filled: NDArray[Any] = np.array(np.where(missing, present[0], array).tolist())
    return filled


def _of_series(series: Any) -> Any:
    """Gives a frame's column as an array, masked where values are missing."""
    missing = series.is_null().to_numpy()
    if not missing.any() and series.dtype.is_numeric():
        return series.to_numpy()
    values = np.empty(len(series), object)
    values[:] = series.to_list()
    values[missing] = None
    present = values[~missing]
    if len(present) and hasattr(present[0], "isoformat"):
        times = np.array([np.datetime64("NaT") if value is None else np.datetime64(value) for value in values])
        return np.ma.array(times.astype("datetime64[us]"), mask=missing)
    return values


def _no_type(name: str, found: str) -> DataTypeError:
    return DataTypeError(
        f"`metadata` must hold numbers, text, booleans or times, of one kind a column. Received: {found} in column "
        f"{name!r}. Write them as text."
    )
