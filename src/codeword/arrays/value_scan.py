"""Figures over all values of an array, read once, in pieces: ranges, distinct values, columns, what is not finite."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from codeword.arrays.finite_numbers import as_numbers
from codeword.arrays.memory_maps import let_go
from codeword.arrays.rows import evenly_spaced
from codeword.errors import DataError

MAX_DISTINCT = 64
MAX_DISTINCT_IN_ONE_COLUMN = 1000  # as many as there may be class numbers
CELLS_A_PIECE = 1 << 20  # stays in the processor's cache


@dataclass(frozen=True)
class ValueScan:
    """The figures that `scan_values` computes, over finite values; a column is one cell of a row."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    num_nan: int
    num_infinite: int
    first_not_finite: tuple[int, ...] | None
    minimum: float  # like the next three, NaN if nothing is finite
    maximum: float
    mean: float
    std: float
    num_zero: int
    distinct: tuple[float, ...] | None  # the values that occur, ascending, if at most 64 (1,000 in one column)
    distinct_counts: tuple[int, ...] | None
    whole: bool  # whether all values are whole numbers
    halves: bool  # whether all values are multiples of 0.5
    column_minimum: NDArray[np.float64]  # like the next four, shape (columns,)
    column_maximum: NDArray[np.float64]
    column_mean: NDArray[np.float64]
    column_std: NDArray[np.float64]
    column_count: NDArray[np.float64]  # of finite values
    num_empty_rows: int  # of only 0 and NaN
    first_empty_row: int | None
    group_sum: tuple[float, float, float]  # least, mean and greatest sum along the last axis, NaN counted as 0
    share_summing_to_one: float  # share of those sums within 0.001 of 1, of groups with nothing below 0
    sample: NDArray[
        np.float64
    ]  # evenly spaced rows, shape (rows, columns); none unless `scan_values` was asked for them

    @property
    def num_cells(self) -> int:
        return int(np.prod(self.shape))

    @property
    def num_finite(self) -> int:
        return self.num_cells - self.num_nan - self.num_infinite

    @property
    def is_one_column(self) -> bool:
        """Whether each row is a single number."""
        return len(self.shape) < 3 and self.num_cells == self.shape[0]

    @property
    def share_zero(self) -> float:
        return self.num_zero / self.num_cells

    @property
    def constant_columns(self) -> NDArray[np.intp]:
        """Numbers of the columns in which only one finite value occurs."""
        return np.flatnonzero(self.column_minimum == self.column_maximum)

    @property
    def rms(self) -> float:
        """The root mean square."""
        return float(np.hypot(self.mean, self.std))


def scan_values(x: Any, *, name: str = "x", sample_cells: int = 0, verbose: bool = False) -> ValueScan:
    """Compute figures over all values in one pass, in pieces of some MB; a memory map does not stay in memory.

    Args:
        x: Numbers of shape `(n, ...)`, NaN and infinity allowed; or a scipy.sparse matrix, whose missing entries are 0.
        name: Name of the argument, for messages.
        sample_cells: Number of cells in the sample of evenly spaced rows, which has at least one row; 0: no sample.
        verbose: Whether to show a progress bar if it takes more than a second.

    Raises:
        DataTypeError: If `x` is not an array of numbers.
        DataError: If `x` is complex, a single number, or empty.

    Example:
        >>> scan = scan_values(np.array([[0, 1], [0, 3]]))
        >>> scan.maximum, scan.distinct, scan.constant_columns.tolist()
        (3.0, (0.0, 1.0, 3.0), [0])
    """
    if not hasattr(x, "tocsr"):
        x = as_numbers(x)
    if len(x.shape) == 0 or 0 in x.shape:
        raise DataError(f"`{name}` must hold at least one row and one value: got shape {x.shape}.")
    running = _Running(x, sample_cells)
    for start, piece in row_pieces(x, verbose=verbose):
        running.take(start, piece)
    return running.result()


def row_pieces(x: Any, *, verbose: bool = False) -> Iterator[tuple[int, NDArray[Any]]]:
    """Yield all rows in pieces: the number of the first row, and an array of shape `(rows, ...)`."""
    if hasattr(x, "tocsr"):
        x = x.tocsr()
    rows = max(1, CELLS_A_PIECE // max(1, int(np.prod(x.shape[1:]))))
    bar = tqdm(total=x.shape[0], desc="reading", unit=" rows", disable=not verbose, delay=1, leave=False)
    with bar:
        for start in range(0, x.shape[0], rows):
            piece = x[start : start + rows]
            yield start, piece.toarray() if hasattr(piece, "toarray") else np.asarray(piece)
            let_go(x)
            bar.update(min(rows, x.shape[0] - start))


class _Running:
    """The figures over the rows read so far."""

    def __init__(self, x: Any, sample_cells: int) -> None:
        self.shape, self.dtype = tuple(x.shape), np.dtype(x.dtype)
        columns = int(np.prod(self.shape[1:]))
        self.sampled = evenly_spaced(self.shape[0], max(1, sample_cells // columns)) if sample_cells else np.arange(0)
        self.sample = np.empty((len(self.sampled), columns))
        self.low, self.high = np.full(columns, np.inf), np.full(columns, -np.inf)
        # Sums of the differences from the first row, so that 1,700,000,000 ± 1 keeps its spread.
        self.origin: NDArray[np.float64] | None = None
        self.sums, self.squares, self.counts = np.zeros(columns), np.zeros(columns), np.zeros(columns)
        self.num_nan = self.num_infinite = self.num_zero = self.num_empty = self.num_sums_of_one = 0
        self.num_groups = 0
        self.first_not_finite: tuple[int, ...] | None = None
        self.first_empty: int | None = None
        self.distinct: dict[float, int] | None = {}
        self.whole = self.halves = True
        self.group_low, self.group_high, self.group_total = np.inf, -np.inf, 0.0

    def take(self, start: int, piece: NDArray[Any]) -> None:
        flat = piece.reshape(len(piece), -1)
        if flat.dtype.kind == "b":
            flat = flat.astype(np.uint8)  # not a view: any byte but 0 in a file means true
        if flat.dtype.kind == "f" and flat.dtype.itemsize == 2:
            flat = flat.astype(np.float32)
        low, high = flat.min(axis=0), flat.max(axis=0)
        wide = flat.astype(np.float64)
        finite = None
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            finite = np.isfinite(wide)
            self._not_finite(start, piece, flat, finite)
            low = np.where(finite, wide, np.inf).min(axis=0)
            high = np.where(finite, wide, -np.inf).max(axis=0)
            wide[~finite] = 0
        self.low, self.high = np.minimum(self.low, low), np.maximum(self.high, high)
        self._sample(start, flat)
        self._rows(start, flat, wide)
        self._groups(wide)
        self._values(flat if finite is None else flat[finite])
        if self.origin is None:
            self.origin = wide[0].copy()
        wide -= self.origin
        if finite is not None:
            wide[~finite] = 0
        self.sums += wide.sum(axis=0)
        self.squares += np.einsum("ij,ij->j", wide, wide)
        self.counts += len(flat) if finite is None else finite.sum(axis=0)

    def _sample(self, start: int, flat: NDArray[Any]) -> None:
        first, last = np.searchsorted(self.sampled, [start, start + len(flat)])
        self.sample[first:last] = flat[self.sampled[first:last] - start]

    def _not_finite(self, start: int, piece: NDArray[Any], flat: NDArray[Any], finite: NDArray[np.bool_]) -> None:
        num_nan = int(np.isnan(flat).sum())
        self.num_nan += num_nan
        self.num_infinite += int((~finite).sum()) - num_nan
        if self.first_not_finite is None:
            row, *rest = np.argwhere(~finite.reshape(piece.shape))[0].tolist()
            self.first_not_finite = (start + row, *rest)

    def _rows(self, start: int, flat: NDArray[Any], wide: NDArray[np.float64]) -> None:
        num_nonzero = np.count_nonzero(flat)
        self.num_zero += int(flat.size - num_nonzero)
        if num_nonzero < flat.size:
            empty = np.flatnonzero(~wide.any(axis=1))
            self.num_empty += len(empty)
            if len(empty) and self.first_empty is None:
                self.first_empty = start + int(empty[0])

    def _groups(self, wide: NDArray[np.float64]) -> None:
        groups = wide.reshape(-1, self.shape[-1]) if len(self.shape) > 1 else wide
        sums = groups.sum(axis=1)
        self.group_low, self.group_high = min(self.group_low, sums.min()), max(self.group_high, sums.max())
        self.group_total += float(sums.sum())
        self.num_groups += len(sums)
        near = np.abs(sums - 1) <= 1e-3
        if near.any():
            self.num_sums_of_one += int((groups[near].min(axis=1) >= 0).sum())

    def _values(self, values: NDArray[Any]) -> None:
        if values.dtype.kind == "f":
            self.halves = self.halves and bool((np.rint(2 * values) == 2 * values).all())
            self.whole = self.halves and self.whole and bool((np.rint(values) == values).all())
        if self.distinct is None:
            return
        found: NDArray[Any]
        if self.distinct and values.dtype.itemsize > 1:  # most pieces have nothing new, and need no sorting
            known = np.array(sorted(self.distinct), values.dtype)
            at = np.minimum(np.searchsorted(known, values), len(known) - 1)
            old = known[at] == values
            counts = np.bincount(at[old].ravel(), minlength=len(known))
            for value, count in zip(known.tolist(), counts.tolist(), strict=True):
                self.distinct[value] += count
            values = values[~old]
        if values.size:
            if values.dtype == np.uint8:
                counts = np.bincount(values.ravel(), minlength=256)
                found, counts = np.flatnonzero(counts), counts[counts > 0]
            else:
                found, counts = np.unique(values, return_counts=True)
            for value, count in zip(found.tolist(), counts.tolist(), strict=True):
                self.distinct[value] = self.distinct.get(value, 0) + count
            if len(self.distinct) > (MAX_DISTINCT if len(self.low) > 1 else MAX_DISTINCT_IN_ONE_COLUMN):
                self.distinct = None

    def result(self) -> ValueScan:
        assert self.origin is not None
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = self.sums / self.counts
            column_std = np.sqrt(np.maximum(self.squares / self.counts - shift**2, 0))
        column_mean = self.origin + shift
        some = self.counts > 0
        low, high = np.where(some, self.low, np.nan), np.where(some, self.high, np.nan)
        column_std[low == high] = 0.0
        total = self.counts.sum()
        weights = self.counts[some] / total if total else np.zeros(0)
        mean = float(weights @ column_mean[some]) if total else np.nan
        spread = np.square(column_std[some]) + np.square(column_mean[some] - mean)
        std = float(np.sqrt(weights @ spread)) if total else np.nan
        if total and low[some].min() == high[some].max():
            std = 0.0
        distinct = None if self.distinct is None else tuple(sorted(self.distinct))
        return ValueScan(
            shape=self.shape,
            dtype=self.dtype,
            num_nan=self.num_nan,
            num_infinite=self.num_infinite,
            first_not_finite=self.first_not_finite,
            minimum=float(low[some].min()) if total else np.nan,
            maximum=float(high[some].max()) if total else np.nan,
            mean=mean,
            std=std,
            num_zero=self.num_zero,
            distinct=None if distinct is None else tuple(float(value) for value in distinct),
            distinct_counts=None if distinct is None else tuple((self.distinct or {})[value] for value in distinct),
            whole=self.whole,
            halves=self.halves,
            column_minimum=low,
            column_maximum=high,
            column_mean=column_mean,
            column_std=column_std,
            column_count=self.counts,
            num_empty_rows=self.num_empty,
            first_empty_row=self.first_empty,
            group_sum=(float(self.group_low), self.group_total / self.num_groups, float(self.group_high)),
            share_summing_to_one=self.num_sums_of_one / self.num_groups,
            sample=self.sample,
        )
