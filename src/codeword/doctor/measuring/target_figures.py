"""Figures that need another pass over all targets: what is out of reach, and what a perfect output costs."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.value_scan import row_pieces
from codeword.doctor.measuring.given_data import Array


def least_simplex_error(target: NDArray[Any]) -> tuple[float, float]:
    """Return the lowest mean squared error of non-negative rows with sum 1 against targets, and the error of zeros."""
    rows = np.nan_to_num(target.astype(np.float64).reshape(-1, target.shape[-1]))
    # The nearest point of the simplex (Duchi et al., "Efficient Projections onto the l1-Ball", 2008).
    ordered = -np.sort(-rows, axis=1)
    excess = (np.cumsum(ordered, axis=1) - 1) / np.arange(1, rows.shape[1] + 1)
    kept = (ordered > excess).sum(axis=1)
    shift = excess[np.arange(len(rows)), kept - 1][:, None]
    return float(np.square(np.maximum(rows - shift, 0) - rows).mean()), float(np.square(rows).mean())


def beyond(target: Array, low: float, high: float, missing: float | None) -> tuple[int, float]:
    """Return the number of observed cells outside a range, and the mean squared error of the closest values in it."""
    count, total, cells = 0, 0.0, 0
    for _, piece in row_pieces(target.values):
        values = _observed(piece, missing).astype(np.float64)
        distance = np.maximum(np.maximum(low - values, values - high), 0)
        count += int((distance > 1e-6).sum())  # MinMaxScaler returns 1.0000000000000002
        total += float(distance @ distance)
        cells += len(values)
    return count, total / max(1, cells)


def count(target: Array, condition: Callable[[NDArray[Any]], NDArray[np.bool_]], missing: float | None = None) -> int:
    """Return the number of observed cells for which a condition holds, over all of the data."""
    return sum(int(condition(_observed(piece, missing)).sum()) for _, piece in row_pieces(target.values))


def first_unobserved_row(target: Array, missing: float) -> tuple[int | None, int]:
    """Return the first row without observed cells, or None, and the number of such rows."""
    first, total = None, 0
    for start, piece in row_pieces(target.values):
        flat = piece.reshape(len(piece), -1)
        empty = np.flatnonzero((np.isnan(flat) if math.isnan(missing) else flat == missing).all(axis=1))
        total += len(empty)
        if first is None and len(empty):
            first = start + int(empty[0])
    return first, total


def entropy(target: Array, kind: str, smoothing: float, missing: float | None) -> tuple[float, float]:
    """Return the mean entropy of targets in nats, over all of the data, and the share strictly between 0 and 1."""
    total, between, cells = 0.0, 0, 0
    classes = 2 if kind == "binary" else target.scan.shape[-1]
    for _, piece in row_pieces(target.values):
        y = _observed(piece, missing).astype(np.float32)
        between += int(np.count_nonzero((y > 0) & (y < 1)))
        cells += y.size
        y = y * np.float32(1 - smoothing) + np.float32(smoothing / classes)
        y = y[(y > 0) & (y < 1)]
        total -= float((y * np.log(y)).sum(dtype=np.float64))
        if kind == "binary":
            total -= float(((1 - y) * np.log1p(-y)).sum(dtype=np.float64))
    return total / max(1, cells if kind == "binary" else cells / classes), between / max(1, cells)


def _observed(piece: NDArray[Any], missing: float | None) -> NDArray[Any]:
    flat = piece.reshape(-1)
    if flat.dtype.kind == "f":
        flat = flat[np.isfinite(flat)]
    return flat if missing is None or math.isnan(missing) else flat[flat != missing]
