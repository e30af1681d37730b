"""Cross-entropy with one logit per edge between levels."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_levels
from codeword.exact_tensors import as_float_tensor
from codeword.losses.level_loss import LevelLoss, check_logits, true_class

ops = keras.ops


def ordinal_crossentropy(y_true: Any, y_pred: Any, levels: int | Sequence[float]) -> Any:
    """Return the mean binary cross-entropy of "is the true level above this edge?", with one logit per edge.

    Formula:
        mean over the edges of `-log s(z)` where the true level is above the edge and `-log s(-z)` elsewhere, with the
        logit z and the logistic function s

    Args:
        y_true: Levels, shape `(batch, ...)`.
        y_pred: Logits, shape `(batch, ..., len(levels) - 1)`.
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….

    Returns:
        Tensor of shape `(batch, ...)`: the loss of each cell, >= 0.

    Raises:
        DataError: If the shapes do not fit.
    """
    levels, y_pred = checked_levels(levels), as_float_tensor(y_pred)
    check_logits(y_pred, len(levels) - 1, levels)
    classes = true_class(y_true, y_pred.shape[:-1], levels)
    above = ops.cast(classes[..., None] > ops.arange(len(levels) - 1, dtype="int32"), y_pred.dtype)
    return ops.mean(ops.softplus(ops.where(above > 0, -y_pred, y_pred)), axis=-1)


@keras.saving.register_keras_serializable(package="codeword")
class OrdinalCrossentropy(LevelLoss):
    """Compute `ordinal_crossentropy`: classification that knows the order of the levels.

    Each logit answers "is the level above this edge?". The predicted level is the number of logits that are >= 0.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If the levels are unsorted, repeated or fewer than two.

    Example:
        >>> loss = OrdinalCrossentropy([0, 0.5, 1])
        >>> round(float(loss(np.array([[0.5]]), np.array([[[0.0, 0.0]]], "float32"))), 4)  # log 2
        0.6931

    References:
        Cheng, Wang and Pollastri, "A Neural Network Approach to Ordinal Regression", 2008, with logistic loss.
    """

    function = staticmethod(ordinal_crossentropy)
