"""Which data kinds an array may have, read from a scan of its values.

The first kind is the answer that everything in the library uses. Further ones stand beside it where only the user can
tell what the values mean.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers, refuse_not_finite
from codeword.arrays.id_columns import is_count, is_id_table, named_columns
from codeword.arrays.rows import as_frame
from codeword.arrays.value_scan import ValueScan, scan_values
from codeword.data_kinds.binary import Binary
from codeword.data_kinds.interactions import Interactions
from codeword.data_kinds.kind import DataKind
from codeword.data_kinds.levels import Levels
from codeword.data_kinds.python_text import python_call
from codeword.data_kinds.ratings import Ratings
from codeword.data_kinds.real import Real
from codeword.data_kinds.sentinels import sentinel_in
from codeword.data_kinds.unit_interval import UnitInterval
from codeword.errors import DataError

MAX_INFERRED_LEVELS = 16
CELLS_PER_LEVEL = 8
MAX_CLASSES = 1_000
WHITE = 255
MOST_RATING = 100  # whole numbers from 1 to above are counts
LEAST_RATING = 0.5  # beside 0 for not rated
LEAST_WHITE = 32  # unsigned bytes that stay below use less than an eighth of their range: then it is not brightness


def infer_data_kind(x: Any) -> DataKind:
    """Return the data kind of an array, inferred from its values alone.

    All values are read once, in pieces, so that `x` may be a memory-mapped file of any size.

    Args:
        x: Numbers of shape `(n, ...)`, a scipy.sparse matrix, or a data frame.

    Returns:
        The first of these that holds:

        - `Binary()`: only 0 and 1 occur.
        - `Levels(...)`: at most 16 different values occur, with at least 8 cells per value on average; or a single
          column holds class numbers from 0, each at least twice on average.
        - `UnitInterval()`: all values lie from 0 to 1.
        - `UnitInterval(maximum=...)`: whole numbers with a known maximum: unsigned bytes, whole numbers up to exactly
          255, or images of whole numbers.
        - `Real()`: everything else.

        For a scipy.sparse matrix, in which only the stored entries were observed, and for a data frame with columns of
        users and items, such as userId, movieId, rating: `Ratings(lowest, highest)`; `Interactions()` if there are no
        ratings, if they are all the same number above 0, or if they are whole numbers from 1 to above 100, as counts
        are.

    Raises:
        DataTypeError: If `x` is not numeric.
        DataError: If `x` is empty or not finite.

    Warns:
        UserWarning: If a table is mostly 0 and otherwise holds whole or half numbers up to 10, as both ratings and
            counts do; or if one of the ratings may stand for "not rated".

    Example:
        >>> infer_data_kind(np.array([[0, 1, 1], [1, 0, 0]]))
        Binary(loss='binary_crossentropy')
    """
    if hasattr(x, "tocsr"):
        stored = as_finite_numbers(x.tocsr().data)
        if stored.size == 0:
            raise DataError(f"`x` must hold at least one rating: got shape {x.shape} with none stored.")
        return _certain_kind(stored)
    frame = as_frame(x)
    if frame is not None and is_id_table(names := list(map(str, frame.columns))):
        columns = named_columns(names, counted=None)
        value = None if columns is None else columns.value
        return _certain_kind(None if value is None or is_count(value) else as_finite_numbers(frame[value].to_numpy()))
    scan = scan_values(x)
    refuse_not_finite(scan.num_nan, scan.num_infinite, scan.first_not_finite)
    kind = kind_of_values(scan)
    scale = scale_if_zero_is_missing(scan)
    if scale is not None:
        ends, inferred = f"({scale.low:g}, {scale.high:g})", python_call(kind)
        warnings.warn(
            f"`x` is 0 in {scan.share_zero:.0%} of its cells, otherwise {scale.low:g} to {scale.high:g}: ratings or "
            f"counts? It is treated as {inferred}, in which 0 is a value like the others. If 0 means not rated, the "
            f"network must not learn it: use RatingAutoencoder(data=Ratings{ends}).fit(scipy.sparse.csr_array(x)), or "
            f'in your own model losses.Masked("mse", missing=0). If 0 is a count or another value, pass '
            f"data={inferred}, or data=Real() if counts may grow.",
            UserWarning,
            stacklevel=2,
        )
    return kind


def kinds_of_observed(values: NDArray[Any] | None) -> tuple[DataKind, ...]:
    """Return what the observed values of pairs of users and items may be, the likeliest first; None: there are none.

    There are two answers if a number may stand for "not rated": it lies apart from the others, or it is 0 and occurs
    more often than any other.
    """
    if values is None:
        return (Interactions(),)
    low, high = float(values.min()), float(values.max())
    is_whole = not (values % 1).any()
    if low == high > 0 or (low >= 1 and high > MOST_RATING and is_whole):
        return (Interactions(),)
    whole_scale = Ratings(low, high if high > low else low + 1)
    apart = sentinel_in(values)
    if apart is not None:
        return (Ratings(apart.low, apart.high, missing=apart.value), whole_scale)
    rated = values[values != 0]
    if low == 0 < rated.size < values.size and (least := float(rated.min())) < high:
        share = np.unique(rated, return_counts=True)[1].max()
        if least >= LEAST_RATING and values.size - rated.size > share:
            return (Ratings(least, high, missing=0), whole_scale)
    return (whole_scale,)


def _certain_kind(values: NDArray[Any] | None) -> DataKind:
    """Return the likeliest kind of observed values, and warn if there is another."""
    kind, *others = kinds_of_observed(values)
    for other in others:
        warnings.warn(
            f"`x` may hold a number that stands for not rated. It is treated as {python_call(kind)}. If all numbers "
            f"are ratings, use {python_call(other)}.",
            UserWarning,
            stacklevel=3,
        )
    return kind


@dataclass(frozen=True)
class Readings:
    """What scanned values may mean."""

    kinds: tuple[DataKind, ...]  # the answer first
    zeros: Ratings | None  # the scale of ratings, if 0 may mean "not rated"
    holes: Ratings | None  # the scale of ratings, if NaN means "not rated"
    num_classes: int | None  # of one column of class numbers


def readings_of(scan: ValueScan) -> Readings:
    """Return everything that scanned values may mean."""
    classes = num_classes(scan) if scan.is_one_column else None
    return Readings(_kinds(scan), scale_if_zero_is_missing(scan), scale_if_mostly_missing(scan), classes)


def kind_of_values(scan: ValueScan) -> DataKind:
    """Return the data kind of scanned values; NaN and infinity do not count."""
    return _kinds(scan)[0]


def _kinds(scan: ValueScan) -> tuple[DataKind, ...]:
    if scan.minimum >= 0 and scan.maximum <= 1 and scan.whole:
        return (Binary(),)
    if scan.is_one_column and (count := num_classes(scan)) is not None:
        return (Levels(count),)
    few = scan.distinct is not None and 2 <= len(scan.distinct) <= MAX_INFERRED_LEVELS
    if few and scan.num_finite >= CELLS_PER_LEVEL * len(scan.distinct or ()):
        return (Levels(scan.distinct or ()),)
    if scan.minimum >= 0 and scan.maximum <= 1:
        return (UnitInterval(),)
    return _brightness_or_counts(scan)


def _brightness_or_counts(scan: ValueScan) -> tuple[DataKind, ...]:
    """Return the kinds of whole numbers from 0 to 255: brightness first if their maximum is known, or of images."""
    is_constant = not scan.minimum < scan.maximum
    if scan.is_one_column or is_constant or not scan.whole or scan.minimum < 0 or scan.maximum > WHITE:
        return (Real(),)
    is_image, is_full = len(scan.shape) > 2, scan.maximum == WHITE
    is_byte = scan.dtype == "uint8" and scan.maximum >= LEAST_WHITE
    bright = UnitInterval(maximum=WHITE if is_byte or scan.maximum > WHITE / 2 else scan.maximum)
    if is_byte or (is_image and is_full):
        return (bright,)
    return (bright, Real()) if is_image or is_full else (Real(), bright)


def num_classes(scan: ValueScan, *, first: tuple[int, ...] = (0,)) -> int | None:
    """Return the number of classes if whole numbers are class numbers, else None.

    There are at least three classes, the first number is one of `first`, no number is left out, and each occurs at
    least twice on average.
    """
    if scan.distinct is None or not scan.whole or scan.minimum not in first:
        return None
    count = len(scan.distinct)
    is_counted = scan.maximum - scan.minimum + 1 == count
    return count if is_counted and 3 <= count <= MAX_CLASSES and scan.num_finite >= 2 * count else None


def scale_if_zero_is_missing(scan: ValueScan) -> Ratings | None:
    """Return the scale of a table that may hold ratings, with 0 for "not rated"; None for other data.

    In such a table most cells are 0, and the others take at least two values, whole or half numbers up to 10. Counts
    look the same, and only the user knows. Images have more axes, and a single column is no table of users and items.
    """
    is_table = len(scan.shape) == 2 and not scan.is_one_column
    if not (is_table and scan.halves and scan.minimum == 0 and scan.maximum <= 10 and scan.share_zero > 0.5):
        return None
    others = [value for value in scan.distinct or () if value > 0]
    return Ratings(min(others), max(others)) if len(others) > 1 else None


def scale_if_mostly_missing(scan: ValueScan) -> Ratings | None:
    """Return the scale of a table that is mostly NaN, as tables of ratings are; None for other data."""
    is_sparse = len(scan.shape) == 2 and scan.num_nan > scan.num_cells / 2
    return Ratings(scan.minimum, scan.maximum) if is_sparse and scan.minimum < scan.maximum else None
