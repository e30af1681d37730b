"""A regression loss that costs nothing inside the right bin."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword.activations import bin_index
from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.losses.target_shapes import with_target_shape

ops = keras.ops


def bin_distance(y_true: Any, y_pred: Any, levels: Sequence[float], edges: str | Sequence[float]) -> Any:
    """Gives how far each prediction lies outside the bin of its true level, in units of the levels, >= 0.

    A bin is closed below and open above: bin i is [edge i-1, edge i). On the open edge itself the prediction is in
    the wrong bin by nothing.
    """
    # distance = max(lower - prediction, prediction - upper, 0)
    thresholds = level_edges(levels, edges)
    lower = ops.convert_to_tensor(np.concatenate([[-np.inf], thresholds]), y_pred.dtype)
    upper = ops.convert_to_tensor(np.concatenate([thresholds, [np.inf]]), y_pred.dtype)
    true_bin = bin_index(y_true, level_edges(levels, "midpoint"))
    outside = ops.maximum(ops.take(lower, true_bin) - y_pred, y_pred - ops.take(upper, true_bin))
    # `where`, not `maximum`: on the edge itself maximum would share the gradient between its two arguments. And `<= 0`,
    # not `> 0`, so that NaN stays NaN: a network that broke must not look perfect.
    return ops.where(outside <= 0, ops.zeros_like(outside), outside)


@keras.saving.register_keras_serializable(package="codeword")
class BinInsensitive(keras.losses.Loss):
    """Costs nothing while the prediction lies in the right bin; outside, its distance to that bin.

    The staircase itself then only stands behind the trained network: the network learns to hit bins, not values.

    Formula:
        `loss = mean(distance)`, distance = how far the prediction lies outside the bin of the true level.

    Gradient:
        0 inside the right bin; -1 below it, +1 above it.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint", "floor" or the edges themselves; as for `Levels` and `layers.Staircase`.

    Call arguments:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Real predictions of the same shape.

    Example:
        >>> loss = BinInsensitive([0, .25, .5, .75], edges="floor")
        >>> [round(float(loss(np.array([[.25]]), np.array([[p]]))), 2) for p in (.1, .3, .49, .6)]
        [0.15, 0.0, 0.0, 0.1]

    Source:
        Vapnik, "The Nature of Statistical Learning Theory", 1995, epsilon-insensitive loss. Differs: each level has its
        own tube, the bin.
    """

    def __init__(
        self,
        levels: int | Sequence[float],
        edges: str | Sequence[float] = "midpoint",
        *,
        name: str = "bin_insensitive",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.levels = checked_levels(levels)
        self.edges = checked_edges(self.levels, edges)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        y_true = with_target_shape(y_true, y_pred.shape)
        return ops.mean(bin_distance(y_true, y_pred, self.levels, self.edges), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": list(self.levels), "edges": self.edges}
