"""Tensor functions that give the same answer on every backend, in every float dtype, eager and compiled.

Thresholds are compared, and entries are counted, in float32 or wider, because half precision merges neighboring values.
"""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from codeword.backend import keras
from codeword.errors import DataError, ParameterError

ops = keras.ops


def as_float_tensor(x: Any) -> Any:
    """Return a tensor of floats: floats keep their dtype, integers and booleans become Keras' default float."""
    x = x if keras.backend.is_keras_tensor(x) else ops.convert_to_tensor(x)
    return x if keras.backend.is_float_dtype(x.dtype) else ops.cast(x, keras.config.floatx())


def widened(x: Any) -> Any:
    """Return a float tensor of at least float32, the dtype in which thresholds are compared."""
    x = as_float_tensor(x)
    half = keras.backend.standardize_dtype(x.dtype) in ("bfloat16", "float16")
    return ops.cast(x, "float32") if half else x


def wide_dtype(tensor: Any) -> str:
    """Return the dtype to count and add in: "float64" for float64, otherwise "float32"."""
    return "float64" if keras.backend.standardize_dtype(tensor.dtype) == "float64" else "float32"


def finite_limit(dtype: Any) -> float:
    """Return the largest finite number of a float dtype."""
    name = keras.backend.standardize_dtype(dtype)
    return float(ml_dtypes.finfo(getattr(ml_dtypes, name, name)).max)


def representable(values: np.ndarray, dtype: str) -> np.ndarray:
    """Round values to the nearest numbers of a dtype, such as "bfloat16".

    Raises:
        ParameterError: If two different values become the same number, or one becomes infinite.
    """
    with np.errstate(over="ignore"):  # what becomes infinite is refused below
        rounded = np.asarray(values, np.float64).astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    given, remaining = len(np.unique(values)), len(np.unique(rounded.astype(np.float64)))
    if remaining < given or not np.isfinite(rounded).all():
        raise ParameterError(
            f"Different values must stay different in {dtype}: got {given} values, of which {remaining} remain. "
            'Pass dtype="float32" to this layer, or fewer values.'
        )
    return rounded


def bin_index(x: Any, edges: np.ndarray) -> Any:
    """Return the index of each value's bin, int32: the number of ascending edges at or below the value."""
    x = widened(x)
    above = x[..., None] >= ops.convert_to_tensor(edges, x.dtype)
    return ops.sum(ops.cast(above, "int32"), axis=-1)


def index_of_maximum(x: Any, axis: int) -> Any:
    """Return the index of the maximum along an axis, int32; the first of equal maxima wins, and -0 equals 0."""
    x = widened(x)
    # Keras' `argmax` puts -0 below 0 on JAX and TensorFlow.
    return ops.cast(ops.argmax(ops.where(ops.equal(x, 0), ops.zeros_like(x), x), axis=axis), "int32")


def row_sum(entries: Any) -> Any:
    """Return the sum over all axes but the first."""
    return ops.sum(entries, axis=tuple(range(1, len(entries.shape)))) if len(entries.shape) > 1 else entries


def divide_or_zero(total: Any, count: Any) -> Any:
    """Return `total / count`, and 0 where `count` is 0; unlike with a plain `where`, the gradient is finite there."""
    nothing = ops.equal(count, 0)
    return ops.where(nothing, ops.zeros_like(total), total / ops.where(nothing, ops.ones_like(count), count))


def sizes_fit(given: Sequence[int | None], wanted: Sequence[int | None]) -> bool:
    """Return whether two shapes have the same number of axes, and the same sizes where both are known."""
    return len(given) == len(wanted) and all(
        None in pair or pair[0] == pair[1] for pair in zip(given, wanted, strict=True)
    )


def with_target_shape(y_true: Any, shape: Sequence[int | None]) -> Any:
    """Return targets in the shape of the predicted cells, or refuse those that do not fit.

    As in Keras' own losses, a last axis of size 1 may be missing or superfluous: `(batch,)` fits `(batch, 1)`. Plain
    broadcasting would compare every row with every other row.
    """
    given, wanted = tuple(y_true.shape), tuple(shape)
    if len(given) == len(wanted) + 1 and given[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    elif len(given) + 1 == len(wanted) and wanted[-1] == 1:
        y_true = ops.expand_dims(y_true, axis=-1)
    if not sizes_fit(y_true.shape, wanted):
        raise DataError(
            f"`y_true` must have one value per predicted cell, shape {wanted}: got shape {given}. "
            "Reshape it, or change the last layer so that it outputs the shape of the data."
        )
    return y_true
