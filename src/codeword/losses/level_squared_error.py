"""Squared error to the value that lies safest in the right bin."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_levels, level_edges
from codeword.exact_tensors import as_float_tensor
from codeword.losses.level_loss import BinLoss, true_class

ops = keras.ops


def level_squared_error(
    y_true: Any, y_pred: Any, levels: int | Sequence[float], edges: str | Sequence[float] = "midpoint"
) -> Any:
    """Return the squared error to the target value of the true level; with edges="midpoint" that is the level itself.

    Where a level is the lower edge of its own bin, as with edges="floor", half of all small errors would fall into the
    bin below. The target is then the middle of the bin. The last bin is open, and counts as wide as the one before.

    Formula:
        `(y_pred - target)^2`, mean over the last axis

    Args:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Real predictions of the same shape.
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint", "floor" or the edges themselves.

    Returns:
        Tensor of the shape of `y_pred` without the last axis, >= 0.

    Raises:
        DataError: If the shapes do not fit.
    """
    levels, y_pred = checked_levels(levels), as_float_tensor(y_pred)
    table = ops.convert_to_tensor(_targets(levels, edges), y_pred.dtype)
    target = ops.take(table, true_class(y_true, y_pred.shape, levels))
    return ops.mean(ops.square(y_pred - target), axis=-1)


def _targets(levels: Sequence[float], edges: str | Sequence[float]) -> np.ndarray:
    """Return the value that each level's squared error aims at."""
    values = np.array(levels, np.float64)
    thresholds = level_edges(levels, edges)
    last_width = thresholds[-1] - (thresholds[-2] if len(thresholds) > 1 else values[0])
    upper = np.append(thresholds, thresholds[-1] + last_width)
    lower = np.append(values[0], thresholds)
    on_edge = np.append(False, values[1:] == thresholds)
    return np.where(on_edge, (lower + upper) / 2, values)


@keras.saving.register_keras_serializable(package="codeword")
class LevelSquaredError(BinLoss):
    """Compute `level_squared_error`, to the value that lies safest in the right bin; with edges="midpoint" it is MSE.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint", "floor" or the edges themselves.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If the levels or edges cannot work.

    Example:
        >>> loss = LevelSquaredError([0, 0.25, 0.5, 0.75], edges="floor")
        >>> float(loss(np.array([[0.25]]), np.array([[0.375]])))
        0.0
    """

    function = staticmethod(level_squared_error)
