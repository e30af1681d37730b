"""Brings the target of a loss or metric into the shape of the prediction."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras
from codeword.errors import DataError

ops = keras.ops


def with_target_shape(y_true: Any, shape: Sequence[int | None]) -> Any:
    """Gives `y_true` in the shape of the predicted cells, or refuses it.

    As in Keras' own losses a last axis of 1 may be missing or too many: `(batch,)` fits `(batch, 1)`. Left to
    broadcasting, every row would be compared with every other.

    Args:
        y_true: Tensor.
        shape: The predicted cells' shape, None where unknown.

    Raises:
        DataError: If the shapes do not fit.
    """
    given, wanted = tuple(y_true.shape), tuple(shape)
    if len(given) == len(wanted) + 1 and given[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    elif len(given) + 1 == len(wanted) and wanted[-1] == 1:
        y_true = ops.expand_dims(y_true, axis=-1)
    fits = len(y_true.shape) == len(wanted) and all(
        None in (have, want) or have == want for have, want in zip(y_true.shape, wanted, strict=True)
    )
    if not fits:
        raise DataError(
            f"`y_true` must have one value for each predicted cell, shape {wanted}. Received: shape {given}. "
            "Reshape it, or let the last layer give the shape of the data."
        )
    return y_true
