"""Losses of a network that gives one or several numbers for each level: cross-entropy, ordinal, squared error."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword.activations import bin_index
from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.errors import DataError
from codeword.losses.target_shapes import with_target_shape

ops = keras.ops


def level_crossentropy(true_class: Any, logits: Any) -> Any:
    """Gives -log softmax(logits)[true class], shape of `true_class`."""
    return keras.losses.sparse_categorical_crossentropy(true_class, logits, from_logits=True)


def ordinal_crossentropy(true_class: Any, logits: Any) -> Any:
    """Gives the mean over the edges of the binary cross-entropy "is the true level above this edge?"."""
    above = ops.cast(true_class[..., None] > ops.arange(logits.shape[-1], dtype="int32"), logits.dtype)
    # -log s(z) for yes, -log s(-z) for no
    return ops.mean(ops.softplus(ops.where(above > 0, -logits, logits)), axis=-1)


def aims(levels: Sequence[float], edges: str | Sequence[float]) -> np.ndarray:
    """Gives the value that a squared error should aim at for each level, so that its bin is hit.

    That is the level itself, unless it lies on the lower edge of its own bin, as with edges="floor": there half of all
    small errors would fall into the bin below, so the aim is the bin's middle (for the open last bin: half the width of
    the bin before it further up).
    """
    values = np.array(levels, np.float64)
    thresholds = level_edges(levels, edges)
    last_width = thresholds[-1] - (thresholds[-2] if len(thresholds) > 1 else values[0])
    upper = np.append(thresholds, thresholds[-1] + last_width)
    lower = np.append(values[0], thresholds)
    on_edge = np.append(False, values[1:] == thresholds)
    return np.where(on_edge, (lower + upper) / 2, values)


class LevelLoss(keras.losses.Loss):
    """What losses over levels share: `y_true` holds the levels themselves, of shape `(batch, ...)`."""

    def __init__(self, levels: int | Sequence[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.levels = checked_levels(levels)

    def true_class(self, y_true: Any, shape: Sequence[int | None]) -> Any:
        """Gives the class number of each true level, int32, in the shape of the predicted cells."""
        return bin_index(with_target_shape(y_true, shape), level_edges(self.levels, "midpoint"))

    def check_logits(self, logits: Any, count: int) -> None:
        """Refuses any other number of logits a cell: Keras would quietly drop the classes that are too many."""
        if logits.shape[-1] not in (None, count):
            raise DataError(
                f"`y_pred` must have a last axis of {count} logits for {len(self.levels)} levels. "
                f"Received: shape {tuple(logits.shape)}. Let the last layer give {count} numbers a cell."
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": list(self.levels)}


@keras.saving.register_keras_serializable(package="codeword")
class LevelCrossentropy(LevelLoss):
    """Cross-entropy with one logit for each level: classification, blind to the levels' order.

    Formula:
        `-log softmax(y_pred)[class of y_true]`, mean over the cells.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….

    Call arguments:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Logits, shape `(batch, ..., len(levels))`.

    Example:
        >>> loss = LevelCrossentropy([0, .5, 1])
        >>> round(float(loss(np.array([[.5]]), np.array([[[0., 0., 0.]]], "float32"))), 4)  # log 3
        1.0986
    """

    def __init__(self, levels: int | Sequence[float], *, name: str = "level_crossentropy", **kwargs: Any) -> None:
        super().__init__(levels, name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        self.check_logits(y_pred, len(self.levels))
        return level_crossentropy(self.true_class(y_true, y_pred.shape[:-1]), y_pred)


@keras.saving.register_keras_serializable(package="codeword")
class OrdinalCrossentropy(LevelLoss):
    """Cross-entropy with one logit for each edge, "is the level above it?": classification that knows the order.

    Formula:
        mean over the edges and cells of `-log s(z)` where the true level is above the edge, `-log s(-z)` where not.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….

    Call arguments:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Logits, shape `(batch, ..., len(levels) - 1)`. The predicted level is the count of those >= 0.

    Example:
        >>> loss = OrdinalCrossentropy([0, .5, 1])
        >>> round(float(loss(np.array([[.5]]), np.array([[[0., 0.]]], "float32"))), 4)  # log 2
        0.6931

    Source:
        Cheng, Wang and Pollastri, "A Neural Network Approach to Ordinal Regression", 2008, with logistic loss.
    """

    def __init__(self, levels: int | Sequence[float], *, name: str = "ordinal_crossentropy", **kwargs: Any) -> None:
        super().__init__(levels, name=name, **kwargs)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        self.check_logits(y_pred, len(self.levels) - 1)
        return ordinal_crossentropy(self.true_class(y_true, y_pred.shape[:-1]), y_pred)


@keras.saving.register_keras_serializable(package="codeword")
class LevelSquaredError(LevelLoss):
    """Squared error to the value that lies safest in the right bin; with edges="midpoint" plain MSE.

    Formula:
        `(y_pred - aim)^2`, mean over the cells; `aims` says the aim of each level.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint", "floor" or the edges themselves.

    Call arguments:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Real predictions of the same shape.

    Example:
        >>> loss = LevelSquaredError([0, .25, .5, .75], edges="floor")
        >>> float(loss(np.array([[.25]]), np.array([[.375]])))
        0.0
    """

    def __init__(
        self,
        levels: int | Sequence[float],
        edges: str | Sequence[float] = "midpoint",
        *,
        name: str = "level_squared_error",
        **kwargs: Any,
    ) -> None:
        super().__init__(levels, name=name, **kwargs)
        self.edges = checked_edges(self.levels, edges)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        table = ops.convert_to_tensor(aims(self.levels, self.edges), y_pred.dtype)
        aim = ops.take(table, self.true_class(y_true, y_pred.shape))
        return ops.mean(ops.square(y_pred - aim), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "edges": self.edges}
