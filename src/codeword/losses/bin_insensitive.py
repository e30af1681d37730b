"""A regression loss that costs nothing inside the right bin."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_levels, level_edges
from codeword.exact_tensors import as_float_tensor
from codeword.losses.level_loss import BinLoss, true_class

ops = keras.ops


def bin_insensitive(
    y_true: Any, y_pred: Any, levels: int | Sequence[float], edges: str | Sequence[float] = "midpoint"
) -> Any:
    """Return how far each prediction lies outside the bin of its true level.

    A bin is closed below and open above: bin i is [edge i-1, edge i). The open edge itself is at distance 0.

    Formula:
        `max(lower - y_pred, y_pred - upper, 0)`, mean over the last axis, with the edges lower and upper of the bin

    Args:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Real predictions of the same shape.
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint", "floor" or the edges themselves.

    Returns:
        Tensor of the shape of `y_pred` without the last axis, >= 0, in units of the levels.

    Raises:
        DataError: If the shapes do not fit.
    """
    levels, y_pred = checked_levels(levels), as_float_tensor(y_pred)
    thresholds = level_edges(levels, edges)
    lower = ops.convert_to_tensor(np.concatenate([[-np.inf], thresholds]), y_pred.dtype)
    upper = ops.convert_to_tensor(np.concatenate([thresholds, [np.inf]]), y_pred.dtype)
    true_bin = true_class(y_true, y_pred.shape, levels)
    outside = ops.maximum(ops.take(lower, true_bin) - y_pred, y_pred - ops.take(upper, true_bin))
    # `where`, because on the edge itself `maximum` would split the gradient between its two arguments. `<= 0`, not
    # `> 0`, so that NaN stays NaN: a broken network must not look perfect.
    return ops.mean(ops.where(outside <= 0, ops.zeros_like(outside), outside), axis=-1)


@keras.saving.register_keras_serializable(package="codeword")
class BinInsensitive(BinLoss):
    """Compute how far predictions lie outside the right bin, by `bin_insensitive`; inside it the loss is 0.

    A network with this loss learns to hit bins, not values. Its predictions are put on levels after training.

    Gradient:
        0 inside the right bin; -1 below it, +1 above it.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint", "floor" or the edges themselves, as for `Levels`.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If the levels or edges cannot work.

    Example:
        >>> loss = BinInsensitive([0, 0.25, 0.5, 0.75], edges="floor")
        >>> [round(float(loss(np.array([[0.25]]), np.array([[p]]))), 2) for p in (0.1, 0.3, 0.49, 0.6)]
        [0.15, 0.0, 0.0, 0.1]

    References:
        Vapnik, "The Nature of Statistical Learning Theory", 1995, epsilon-insensitive loss. Here each level has its own
        tube: its bin.
    """

    function = staticmethod(bin_insensitive)
