"""Which target value a loss leaves out, measured by changing the outputs."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

LossWith = Callable[[NDArray[Any], NDArray[np.intp]], float]


def measured_missing(target: NDArray[Any], values: NDArray[Any], loss_with: LossWith) -> float | None:
    """Return the target value that a loss leaves out: 0, NaN or a negative minimum; None if there is none.

    Args:
        target: Targets of the sampled rows.
        values: Outputs for them, same shape.
        loss_with: Function that returns the loss of other outputs on some rows, by their indices.
    """
    nan = np.isnan(target) if target.dtype.kind == "f" else np.zeros(target.shape, bool)
    candidates = [(0.0, target == 0), (math.nan, nan)]
    if target.dtype.kind != "b" and np.nanmin(target) < 0:  # -1 for "unknown"
        candidates.append((float(np.nanmin(target)), target == np.nanmin(target)))
    for missing, where in candidates:
        if where.any() and not where.all() and _leaves_out(where, values, loss_with):
            return None if missing == 0 and _is_likelihood(target, values, loss_with) else missing
    return None


def _leaves_out(where: NDArray[np.bool_], values: NDArray[Any], loss_with: LossWith) -> bool:
    """Return whether the loss stays the same, to the last digits, when the outputs change in these places."""
    rows = np.flatnonzero(~where.reshape(len(where), -1).all(axis=1))  # the loss of an empty row may be NaN
    other = (0.5 * values + 0.3).astype(values.dtype)
    before, there, elsewhere = (
        loss_with(one, rows) for one in (values, np.where(where, other, values), np.where(where, values, other))
    )
    least = 1e-6 * abs(before)
    return math.isfinite(before) and abs(there - before) <= least and abs(elsewhere - before) > least


def _is_likelihood(target: NDArray[Any], values: NDArray[Any], loss_with: LossWith) -> bool:
    """Return whether outputs of twice the targets do not cost more, as in -y log p: there a 0 in y is a value."""
    rows = np.flatnonzero((target != 0).reshape(len(target), -1).any(axis=1))

    def loss_at(factor: float) -> float:
        return loss_with(np.where(target == 0, values, factor * target).astype(values.dtype), rows)

    return loss_at(2.0) <= loss_at(1.0)
