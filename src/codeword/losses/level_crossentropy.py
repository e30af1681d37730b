"""Cross-entropy with one logit per level."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_levels
from codeword.exact_tensors import as_float_tensor
from codeword.losses.level_loss import LevelLoss, check_logits, true_class


def level_crossentropy(y_true: Any, y_pred: Any, levels: int | Sequence[float]) -> Any:
    """Return the cross-entropy of the true level, with one logit per level.

    Formula:
        `-log softmax(y_pred)[class of y_true]`

    Args:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Logits, shape `(batch, ..., len(levels))`.
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….

    Returns:
        Tensor of shape `(batch, ...)`: the loss of each cell, >= 0.

    Raises:
        DataError: If the shapes do not fit.
    """
    levels, y_pred = checked_levels(levels), as_float_tensor(y_pred)
    check_logits(y_pred, len(levels), levels)
    classes = true_class(y_true, y_pred.shape[:-1], levels)
    return keras.losses.sparse_categorical_crossentropy(classes, y_pred, from_logits=True)


@keras.saving.register_keras_serializable(package="codeword")
class LevelCrossentropy(LevelLoss):
    """Compute `level_crossentropy`: classification that ignores the order of the levels.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If the levels are unsorted, repeated or fewer than two.

    Example:
        >>> loss = LevelCrossentropy([0, 0.5, 1])
        >>> round(float(loss(np.array([[0.5]]), np.array([[[0.0, 0.0, 0.0]]], "float32"))), 4)  # log 3
        1.0986
    """

    function = staticmethod(level_crossentropy)
