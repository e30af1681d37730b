"""Arrays of finite numbers, or an error that says what came instead (no Keras)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.errors import DataError, DataTypeError


def as_finite_numbers(x: Any) -> NDArray[Any]:
    """Returns `x` as an array in native byte order, or refuses what is not numbers, and NaN and infinity.

    Raises:
        DataTypeError: If `x` is sparse, uneven, text, dates or objects that are no numbers.
        DataError: If `x` is complex, or holds NaN, infinity or masked entries.
    """
    array = as_numbers(x)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        where = np.argwhere(~np.isfinite(array))
        num_nan = int(np.isnan(array).sum())
        refuse_not_finite(num_nan, len(where) - num_nan, tuple(int(i) for i in where[0]))
    return array.astype(array.dtype.newbyteorder("="), copy=False)


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


def refuse_not_finite(num_nan: int, num_infinite: int, first: tuple[int, ...] | None) -> None:
    """Refuses data with NaN or infinity: says how many there are, and where the first is."""
    if num_nan or num_infinite:
        raise DataError(
            f"`x` must be finite. Received: {num_nan} NaN and {num_infinite} infinity (inf), the first at index "
            f"{first}. Remove those rows or fill them in."
        )


def refuse_where(wrong: NDArray[np.bool_], x: NDArray[Any], allowed: str, remedy: str) -> None:
    """Refuses `x` where `wrong` is true: says what is allowed, the first wrong value and where it is."""
    if wrong.any():
        index = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"`x` must be {allowed}. Received: {int(wrong.sum())} other values, the first {x[index]!s} at index "
            f"{index}; min={x.min():g}, max={x.max():g}. {remedy}"
        )
