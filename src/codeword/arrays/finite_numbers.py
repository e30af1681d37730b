"""Arrays of finite numbers, or an error that says what came instead (no Keras)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, DataTypeError


def as_finite_numbers(x: Any, *, first_row: int | None = None) -> NDArray[Any]:
    """Returns `x` as an array in native byte order, or refuses what is not numbers, and NaN and infinity.

    Args:
        x: Numbers, or a piece of them.
        first_row: Where `x` is a piece, the number of its first row, for the message.

    Raises:
        DataTypeError: If `x` is sparse, uneven, text, dates or objects that are no numbers.
        DataError: If `x` is complex, or holds NaN, infinity or masked entries.
    """
    array = as_numbers(x)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))
        num_nan = int(np.isnan(array).sum())
        first = _whole_index(where[0], first_row)
        refuse_not_finite(num_nan, len(where) - num_nan, first, _rows_of(array, first_row))
    return in_native_order(array)


def as_numbers(x: Any) -> NDArray[Any]:
    """Returns `x` as an array, its values unread where it is one already, or refuses what is not numbers.

    Raises:
        DataTypeError: If `x` is sparse, uneven, text, dates or objects that are no numbers.
        DataError: If `x` is complex, or holds masked entries.
    """
    if hasattr(x, "toarray"):
        raise DataTypeError(
            f"`x` must be dense. Received: sparse {type(x).__name__}. Pass x.toarray(), or "
            "take RatingAutoencoder if what is not stored is missing."
        )
    if np.ma.is_masked(x):
        raise DataError(
            f"`x` must have no masked entry. Received: {int(np.ma.getmaskarray(x).sum())} of them. Fill them in."
        )
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise DataTypeError(
            f"`x` must be an array of numbers. Received: {type(x).__name__} of uneven rows. Give all rows one shape."
        ) from error
    if array.dtype.kind == "O":
        try:
            if any(isinstance(value, str | bytes) for value in array.flat):
                raise TypeError("some are text")
            array = array.astype(np.float64)
        except (TypeError, ValueError, OverflowError) as error:
            raise DataTypeError(
                f"`x` must hold numbers; each argument must be a string-free real number. Received: objects, {error}. "
                "Encode categories as numbers first."
            ) from error
    if array.dtype.kind == "c":
        raise DataError(f"`x` must be real. Complex data not supported. Received: dtype {array.dtype}. Pass x.real.")
    if array.dtype.kind not in "fiub":
        raise DataTypeError(f"`x` must hold numbers. Received: dtype {array.dtype}. Encode them as numbers first.")
    return array


def in_native_order(array: NDArray[Any]) -> NDArray[Any]:
    """Returns an array in the machine's byte order; itself where it is so already."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def all_within(x: NDArray[Any], low: float, high: float) -> bool:
    """Tells whether all values lie from `low` to `high`, ends included; NaN does not. Faster than a mask."""
    return x.size == 0 or bool(x.min() >= low and x.max() <= high)


def all_within_unit_interval(x: NDArray[Any]) -> bool:
    """Tells whether all values lie from 0 to 1, reading them once; may say no where there is a negative zero."""
    if x.size and x.dtype.isnative and x.dtype in (np.float32, np.float64):
        # Floats from 0 on have the order of their bits; negative ones and NaN, read as integers, lie above 1.
        bits = np.dtype(f"u{x.dtype.itemsize}")
        return bool(x.view(bits).max() <= x.dtype.type(1).view(bits))
    return all_within(x, 0, 1)


def refuse_not_finite(num_nan: int, num_infinite: int, first: tuple[int, ...] | None, rows: str = "") -> None:
    """Refuses data with NaN or infinity: says how many there are, in which rows, and where the first is."""
    if num_nan or num_infinite:
        raise DataError(
            f"`x` must be finite. Received: {num_nan} NaN and {num_infinite} infinity (inf){rows}, the first at index "
            f"{first}. Remove those rows or fill them in."
        )


def refuse_where(
    wrong: NDArray[np.bool_], x: NDArray[Any], allowed: str, remedy: str, *, first_row: int | None = None
) -> None:
    """Refuses `x` where `wrong` is true: says what is allowed, the first wrong value and where it is.

    Args:
        wrong: Shape of `x`.
        x: Numbers, or a piece of them.
        allowed, remedy: Words for the message.
        first_row: Where `x` is a piece, the number of its first row.
    """
    if wrong.any():
        index = np.argwhere(wrong)[0]
        raise DataError(
            f"`x` must be {allowed}. Received: {int(wrong.sum())} other values{_rows_of(x, first_row)}, the first "
            f"{x[tuple(index)]!s} at index {_whole_index(index, first_row)}; min={x.min():g}, max={x.max():g}. {remedy}"
        )


def _whole_index(index: NDArray[np.intp], first_row: int | None) -> tuple[int, ...]:
    return tuple(number + (first_row or 0) * (axis == 0) for axis, number in enumerate(index.tolist()))


def _rows_of(x: NDArray[Any], first_row: int | None) -> str:
    """Says which rows a piece holds; nothing of what is no piece."""
    return "" if first_row is None else f" in rows {first_row} to {first_row + len(x) - 1}"
