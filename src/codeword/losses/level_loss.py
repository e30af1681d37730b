"""What the losses over levels share: from levels to class numbers, the number of logits, and their base classes."""

from collections.abc import Callable, Sequence
from typing import Any

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.errors import DataError
from codeword.exact_tensors import bin_index, with_target_shape


def true_class(y_true: Any, shape: Sequence[int | None], levels: Sequence[float]) -> Any:
    """Return the index of each true level, int32, in the shape of the predicted cells."""
    y_true = keras.ops.convert_to_tensor(y_true)
    return bin_index(with_target_shape(y_true, shape), level_edges(levels, "midpoint"))


def check_logits(logits: Any, count: int, levels: Sequence[float]) -> None:
    """Check the number of logits per cell, because Keras silently ignores surplus classes."""
    if logits.shape[-1] not in (None, count):
        raise DataError(
            f"`y_pred` must have a last axis of {count} logits for {len(levels)} levels: "
            f"got shape {tuple(logits.shape)}. Let the last layer output {count} numbers per cell."
        )


class LevelLoss(keras.losses.Loss):
    """Base class of the losses over levels, which keeps and saves the levels.

    A subclass sets the plain `function` that it computes, whose name is also the default name of the loss.
    """

    function: Callable[..., Any]

    def __init__(self, levels: int | Sequence[float], *, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name or self.function.__name__, **kwargs)
        self.levels = checked_levels(levels)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred, self.levels)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": list(self.levels)}


class BinLoss(LevelLoss):
    """Base class of the losses over levels that have bins, which also keeps and saves the edges between the bins."""

    def __init__(self, levels: int | Sequence[float], edges: str | Sequence[float] = "midpoint", **kwargs: Any) -> None:
        super().__init__(levels, **kwargs)
        self.edges = checked_edges(self.levels, edges)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred, self.levels, self.edges)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "edges": self.edges}
