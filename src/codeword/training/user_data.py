"""What users give to `fit` as inputs, targets and weights, made into rows of arrays as Keras makes it."""

import math
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.errors import DataError, ParameterError
from codeword.files.tables import as_array


def is_array(value: Any) -> bool:
    """Whether a leaf of the data is an array of numbers, a matrix or a frame, and not a generator or a data set."""
    if scipy.sparse.issparse(value):
        return True
    values = as_array(value)
    if not hasattr(values, "__array__") or not len(getattr(values, "shape", ())):
        return False
    try:
        dtype = keras.utils.standardize_dtype(values.dtype)  # of other backends' tensors, too
    except ValueError:
        return False
    return dtype.startswith(("float", "int", "uint", "bool"))


def as_rows(data: Any) -> Any:
    """Makes NumPy arrays of arrays and frames; sparse matrices by rows."""
    made: dict[int, Any] = {}

    def array_of(value: Any) -> Any:
        # What is given twice stays one array.
        if value is not None and id(value) not in made:
            sparse = scipy.sparse.issparse(value)
            made[id(value)] = scipy.sparse.csr_array(value) if sparse else np.asarray(as_array(value))
        return None if value is None else made[id(value)]

    return keras.tree.map_structure(array_of, data)


def plain(data: Any, *, dense: bool = False) -> Any:
    """Makes arrays of frames, and of sparse matrices where Keras wants them `dense`, as targets."""

    def array_of(value: Any) -> Any:
        if scipy.sparse.issparse(value):
            return value.toarray() if dense else value
        return as_array(value)

    return keras.tree.map_structure(array_of, data)


def split_rows(rows: Any, share: float, validation_data: Any) -> tuple[Any, Any]:
    """Gives inputs, targets and weights to train on and to validate with, the last `share` of the rows or others."""
    if validation_data is not None:
        return rows, as_rows(keras.utils.unpack_x_y_sample_weight(tuple(validation_data)))
    if not share:
        return rows, None
    num_rows = next(part.shape[0] for part in keras.tree.flatten(rows) if part is not None)
    first = math.floor(num_rows * (1 - share))
    if not 0 < first < num_rows:
        raise DataError(
            f"`validation_split` must leave rows on both sides. Received: {share} of {num_rows} rows. Give more rows, "
            "or another share."
        )
    return _sliced(rows, slice(None, first)), _sliced(rows, slice(first, None))


def epoch_lengths(
    x: Any, validation_data: Any, share: float, batch_size: int, validation_size: int | None
) -> list[int]:
    """Gives the steps of an epoch and of its validation; nothing where the data does not say it."""
    held_out = validation_data[0] if isinstance(validation_data, tuple | list) else validation_data
    counts = [_number_of_rows(part) for part in (x, held_out) if part is not None]
    if None in counts or not counts:
        return []
    if held_out is None and share:
        first = math.floor(counts[0] * (1 - share))
        counts = [first, counts[0] - first]
    sizes = (batch_size, validation_size or batch_size)
    return [math.ceil(count / size) for count, size in zip(counts, sizes, strict=False)]


def _number_of_rows(x: Any) -> Any:
    parts = [part for part in keras.tree.flatten(x) if part is not None]
    return parts[0].shape[0] if parts and is_array(parts[0]) else None


def weighted(rows: tuple[Any, Any, Any], class_weight: dict[int, float] | None = None) -> tuple[Any, Any, Any]:
    """Gives inputs, targets and one array of weights for each array of targets, if there are weights."""
    x, y, sample_weight = rows
    if class_weight is not None:
        if sample_weight is not None or keras.tree.is_nested(y) or y is None:
            raise ParameterError(
                "`class_weight` is for one array of classes, without `sample_weight`. Received: "
                f"{'both' if sample_weight is not None else f'targets of type {type(y).__name__}'}. Multiply the "
                "weights into `sample_weight`."
            )
        return x, y, _weights_of_classes(y, class_weight)
    if sample_weight is not None and keras.tree.is_nested(y) and not keras.tree.is_nested(sample_weight):
        sample_weight = keras.tree.map_structure(lambda _: sample_weight, y)
    return x, y, sample_weight


def _weights_of_classes(y: NDArray[Any], class_weight: dict[int, float]) -> NDArray[Any]:
    """Gives each row the weight of its class, a number or the greatest of a row of them; 1 to classes without one."""
    if y.ndim > 1:
        y = y.argmax(axis=-1) if y.shape[-1] != 1 else y[..., 0]
    classes, numbers = np.unique(np.round(y).astype(np.int64), return_inverse=True)
    weights = np.array([class_weight.get(int(one), 1.0) for one in classes], keras.config.floatx())
    return weights[numbers]


def _sliced(rows: Any, part: slice) -> Any:
    parts: dict[int, Any] = {}
    return keras.tree.map_structure(
        lambda array: None if array is None else parts.setdefault(id(array), array[part]), rows
    )
