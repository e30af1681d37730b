"""Share of cells or rows that are reconstructed exactly."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.errors import ParameterError
from codeword.exact_tensors import bin_index, with_target_shape
from codeword.settings import check_settings, one_of

ops = keras.ops

SETTINGS = {"by": one_of("cell", "row"), "outputs": one_of("values", "logits", "ordinal_logits", "binary_logits")}


@keras.saving.register_keras_serializable(package="codeword")
class ExactMatch(keras.metrics.Mean):
    """Compute the share of cells, or of whole rows, in which the prediction is exactly right.

    Without `levels`, prediction and truth must be the same number. With `levels`, the prediction may also be the output
    of a head; it is put on its level first.

    Args:
        by: "cell", or "row": a row counts if all its cells are right.
        levels: Strictly ascending numbers, or their count for 0, 1, 2, …; None for any numbers.
        edges: Where a real output changes level: "midpoint", "floor" or the edges themselves.
        outputs: What the network outputs: "values", "logits" (one per level), "ordinal_logits" (one per edge) or
            "binary_logits" (one for two levels, without another axis).
        name: Name of the metric. None: "cells_exact" or "rows_exact".
        **kwargs: `dtype` of `keras.metrics.Metric`.

    Call arguments:
        y_true: Values, shape `(batch, ...)`.
        y_pred: Values of the same shape, or logits with one more axis.

    Returns:
        Number from 0 to 1; NaN is never right.

    Raises:
        ParameterError: If a setting is not allowed.
        DataError: If the shapes do not fit.

    Example:
        >>> metric = ExactMatch(by="row")
        >>> float(metric(np.array([[0, 1], [1, 1]]), np.array([[0, 1], [1, 0]])))
        0.5
    """

    def __init__(
        self,
        *,
        by: str = "cell",
        levels: int | Sequence[float] | None = None,
        edges: str | Sequence[float] = "midpoint",
        outputs: str = "values",
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name or f"{by}s_exact", **kwargs)
        self.by = by
        self.levels = None if levels is None else checked_levels(levels)
        self.edges = edges if self.levels is None else checked_edges(self.levels, edges)
        self.outputs = outputs
        check_settings(self, SETTINGS)
        if outputs != "values" and levels is None:
            raise ParameterError(f"`levels` must be given for outputs={outputs!r}: got None.")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        one_axis_more = self.outputs in ("logits", "ordinal_logits")
        y_true = with_target_shape(y_true, y_pred.shape[:-1] if one_axis_more else y_pred.shape)
        if self.levels is None:
            right = ops.equal(y_true, y_pred)
        else:
            true_class = bin_index(y_true, level_edges(self.levels, "midpoint"))
            right = ops.equal(true_class, self._predicted_class(y_pred, self.levels))
            # NaN is on no level, although `argmax` and comparisons put it on one.
            broken = ops.any(ops.isnan(y_pred), axis=-1) if one_axis_more else ops.isnan(y_pred)
            right = ops.logical_and(right, ops.logical_not(broken))
        if self.by == "row" and len(right.shape) > 1:
            right = ops.all(right, axis=tuple(range(1, len(right.shape))))
        super().update_state(ops.cast(right, self.dtype), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "by": self.by,
            "levels": None if self.levels is None else list(self.levels),
            "edges": self.edges,
            "outputs": self.outputs,
        }

    def _predicted_class(self, y_pred: Any, levels: tuple[float, ...]) -> Any:
        if self.outputs == "logits":
            return ops.cast(ops.argmax(y_pred, axis=-1), "int32")
        if self.outputs == "binary_logits":
            return ops.cast(y_pred >= 0, "int32")
        if self.outputs == "ordinal_logits":
            return ops.sum(ops.cast(y_pred >= 0, "int32"), axis=-1)
        return bin_index(y_pred, level_edges(levels, self.edges))
