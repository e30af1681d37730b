"""Check that arrays hold finite numbers (no Keras)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, DataTypeError


def as_finite_numbers(x: Any, *, first_row: int | None = None) -> NDArray[Any]:
    """Return finite numbers, or a piece of them from row `first_row`, as an array in native byte order.

    Raises:
        DataTypeError: If `x` is sparse, uneven, text, dates or objects that are not numbers.
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
    """Return numbers as an array, as `as_finite_numbers` does, but do not read the values of an array."""
    if hasattr(x, "toarray"):
        raise DataTypeError(
            f"`x` must be dense: got sparse {type(x).__name__}. Pass x.toarray(), or use RatingAutoencoder if entries "
            "that are not stored are missing."
        )
    if np.ma.is_masked(x):
        raise DataError(
            f"`x` must have no masked entries: got {int(np.ma.getmaskarray(x).sum())} of them. Fill them in."
        )
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise DataTypeError(f"`x` must be an array of numbers: got {type(x).__name__} of uneven rows.") from error
    if array.dtype.kind == "O":
        try:
            if any(isinstance(value, str | bytes) for value in array.flat):
                raise TypeError("some are text")
            array = array.astype(np.float64)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise DataTypeError(
                f"`x` must hold numbers (each argument must be a real, non-string number): got objects, {error}. "
                "Encode categories as numbers first."
            ) from error
    if array.dtype.kind == "c":
        raise DataError(f"`x` must be real: got dtype {array.dtype}. Complex data not supported. Pass x.real.")
    if array.dtype.kind not in "fiub":
        raise DataTypeError(f"`x` must hold numbers: got dtype {array.dtype}. Encode them as numbers first.")
    return array


def in_native_order(array: NDArray[Any]) -> NDArray[Any]:
    """Return an array in the byte order of the machine; the same array if it has that order."""
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def all_within(x: NDArray[Any], low: float, high: float) -> bool:
    """Return whether all values lie from `low` to `high`, both included; NaN does not. Faster than a mask."""
    return x.size == 0 or bool(x.min() >= low and x.max() <= high)


def all_within_unit_interval(x: NDArray[Any]) -> bool:
    """Return whether all values lie from 0 to 1, in one pass; may be False if there is a negative zero."""
    if x.size and x.dtype.isnative and x.dtype in (np.float32, np.float64):
        # Floats from 0 on have the order of their bits; negative ones and NaN, read as integers, lie above 1.
        bits = np.dtype(f"u{x.dtype.itemsize}")
        return bool(x.view(bits).max() <= x.dtype.type(1).view(bits))
    return all_within(x, 0, 1)


def refuse_not_finite(num_nan: int, num_infinite: int, first: tuple[int, ...] | None, rows: str = "") -> None:
    """Refuse data with NaN or infinity, the first at index `first`; `rows` are words for the rows they are in."""
    if num_nan or num_infinite:
        raise DataError(
            f"`x` must be finite: got {num_nan} NaN and {num_infinite} infinity (inf){rows}, the first at index "
            f"{first}. Remove those rows or fill them in."
        )


def refuse_where(
    wrong: NDArray[np.bool_], x: NDArray[Any], allowed: str, remedy: str, *, first_row: int | None = None
) -> None:
    """Refuse `x`, or a piece of it from row `first_row`, if any value is wrong, and name the first wrong one.

    `allowed` says what values must be, and `remedy` what to do.
    """
    if wrong.any():
        index = np.argwhere(wrong)[0]
        raise DataError(
            f"`x` must be {allowed}: got {int(wrong.sum())} other values{_rows_of(x, first_row)}, the first "
            f"{x[tuple(index)]!s} at index {_whole_index(index, first_row)}; min={x.min():g}, max={x.max():g}. {remedy}"
        )


def _whole_index(index: NDArray[np.intp], first_row: int | None) -> tuple[int, ...]:
    return tuple(number + (first_row or 0) * (axis == 0) for axis, number in enumerate(index.tolist()))


def _rows_of(x: NDArray[Any], first_row: int | None) -> str:
    """Return words for the rows of a piece; none if it is not a piece."""
    return "" if first_row is None else f" in rows {first_row} to {first_row + len(x) - 1}"
