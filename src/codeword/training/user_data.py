"""The inputs, targets and weights that users pass to `fit`, as batches in Keras' own order."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.arrays.rows import as_array
from codeword.backend import keras
from codeword.errors import DataError, ParameterError
from codeword.keras_internals import RowOrder
from codeword.training.batches import Batches, Load, blocks_in_order, take_rows


class RowBatches(Batches):
    """Rows of arrays or sparse matrices, in the order in which Keras shuffles them; the last batch may be smaller.

    An array that is passed twice, for example as input and target, is held once. Data that takes more than `most_bytes`
    on the device comes in pieces of at most half of it.
    """

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, *, batch_size: int, shuffle: bool | str, most_bytes: float
    ) -> None:
        import jax

        leaves, structure = jax.tree.flatten(keras.utils.pack_x_y_sample_weight(x, y, sample_weight))
        unique = list({id(leaf): leaf for leaf in leaves}.values())
        places = {id(leaf): place for place, leaf in enumerate(unique)}
        self.num_rows = _common_rows(leaves)
        self.batch_size = batch_size
        self._order = RowOrder(self.num_rows, batch_size, shuffle)
        self.batch = _Assembled(structure, tuple(places[id(leaf)] for leaf in leaves))
        row_bytes = sum(_dense(leaf[:1]).nbytes for leaf in unique)
        if row_bytes * self.num_rows > most_bytes:
            self.most_steps = max(1, int(most_bytes / 2 / (row_bytes * batch_size)))
        self.arrays = tuple(unique) if self.most_steps else tuple(_dense(leaf) for leaf in unique)

    def blocks(self) -> list[tuple[int, Any]]:
        return blocks_in_order(self._order.epoch(), self.batch_size)

    def peek(self) -> tuple[int, Any]:
        return 1, self._order.first_rows()[None, : self.batch_size]

    def load(self, blocks: Sequence[tuple[int, Any]], start: int, count: int) -> Load:
        if self.most_steps is None:
            return super().load(blocks, start, count)
        num_steps, draws = blocks[0]
        if start >= num_steps:
            (num_steps, draws), start = blocks[1], start - num_steps
        count = min(count, self.most_steps, num_steps - start)
        # Always the same number of rows, so that one compiled loop serves all pieces; in the order of the file.
        rows = np.resize(draws[start : start + count], (min(self.most_steps, num_steps), draws.shape[1]))
        places, numbers = np.unique(rows, return_inverse=True)
        places = np.resize(places, rows.size)
        pieces = tuple(_dense(array[places]) for array in self.arrays)
        drawn = (numbers.reshape(rows.shape).astype(np.int32),)
        return Load(pieces, drawn, np.array([[0, count]], np.int32), count)


@dataclass(frozen=True)
class _Assembled:
    """Take rows of every array and put them into the structure that the model takes; equal by value."""

    structure: Any
    places: tuple[int, ...]

    def __call__(self, arrays: Any, rows: Any) -> Any:
        taken = [take_rows(array, rows) for array in arrays]
        return self.structure.unflatten([taken[place] for place in self.places])


def without_frames(data: Any) -> Any:
    """Return a structure with arrays in place of data frames."""
    return _mapped(lambda value: value if scipy.sparse.issparse(value) else as_array(value), data)


def is_array(value: Any) -> bool:
    """Return whether a value is an array of numbers or a sparse matrix, and not a generator or a data set."""
    if scipy.sparse.issparse(value):
        return True
    if not hasattr(value, "__array__") or not len(getattr(value, "shape", ())):
        return False
    try:
        dtype = keras.utils.standardize_dtype(value.dtype)  # also for tensors of other backends
    except ValueError:
        return False
    return dtype.startswith(("float", "int", "uint", "bool"))


def as_rows(data: Any) -> Any:
    """Return NumPy arrays in place of tensors, and sparse matrices by rows."""
    return _mapped(
        lambda value: scipy.sparse.csr_array(value) if scipy.sparse.issparse(value) else np.asarray(value), data
    )


def dense(data: Any) -> Any:
    """Return arrays in place of sparse matrices, which Keras does not take as targets."""
    return keras.tree.map_structure(lambda value: value.toarray() if scipy.sparse.issparse(value) else value, data)


def split_rows(rows: Any, share: float, validation_data: Any) -> tuple[Any, Any]:
    """Return the data to train on and to validate with: `validation_data`, or the last `share` of the rows."""
    if validation_data is not None:
        return rows, as_rows(keras.utils.unpack_x_y_sample_weight(tuple(validation_data)))
    if not share:
        return rows, None
    num_rows = next(part.shape[0] for part in keras.tree.flatten(rows) if part is not None)
    first = math.floor(num_rows * (1 - share))
    if not 0 < first < num_rows:
        raise DataError(f"`validation_split` must leave rows on both sides: got {share} of {num_rows} rows.")
    return _mapped(lambda array: array[:first], rows), _mapped(lambda array: array[first:], rows)


def epoch_lengths(
    x: Any, validation_data: Any, share: float, batch_size: int, validation_size: int | None
) -> list[int]:
    """Return the numbers of steps of an epoch and of its validation; an empty list if the data does not show them."""
    held_out = validation_data[0] if isinstance(validation_data, tuple | list) else validation_data
    counts = [_number_of_rows(part) for part in (x, held_out) if part is not None]
    if None in counts or not counts:
        return []
    if held_out is None and share:
        first = math.floor(counts[0] * (1 - share))
        counts = [first, counts[0] - first]
    sizes = (batch_size, validation_size or batch_size)
    return [math.ceil(count / size) for count, size in zip(counts, sizes, strict=False)]


def weighted(rows: tuple[Any, Any, Any], class_weight: dict[int, float] | None = None) -> tuple[Any, Any, Any]:
    """Return inputs, targets and, if there are weights, one array of weights for each array of targets."""
    x, y, sample_weight = rows
    if class_weight is not None:
        if sample_weight is not None:
            raise ParameterError(
                "`class_weight` and `sample_weight` must not be set together: got both. "
                "Multiply the class weights into `sample_weight`."
            )
        if keras.tree.is_nested(y) or y is None:
            raise ParameterError(f"`class_weight` needs one array of classes as `y`: got {type(y).__name__}.")
        return x, y, _weights_of_classes(y, class_weight)
    if sample_weight is not None and keras.tree.is_nested(y) and not keras.tree.is_nested(sample_weight):
        sample_weight = keras.tree.map_structure(lambda _: sample_weight, y)
    return x, y, sample_weight


def _number_of_rows(x: Any) -> Any:
    parts = [part for part in keras.tree.flatten(x) if part is not None]
    return parts[0].shape[0] if parts and is_array(parts[0]) else None


def _weights_of_classes(y: NDArray[Any], class_weight: dict[int, float]) -> NDArray[Any]:
    """Return the weight of each row's class, 1 by default; `y` holds class numbers, or one score per class."""
    if y.ndim > 1:
        y = y.argmax(axis=-1) if y.shape[-1] != 1 else y[..., 0]
    classes, numbers = np.unique(np.round(y).astype(np.int64), return_inverse=True)
    weights = np.array([class_weight.get(int(one), 1.0) for one in classes], keras.config.floatx())
    return weights[numbers]


def _mapped(convert: Callable[[Any], Any], data: Any) -> Any:
    """Convert each object of a structure once, so that what is passed twice stays one object; None stays None."""
    objects = {id(value): value for value in keras.tree.flatten(data)}
    converted = {key: None if value is None else convert(value) for key, value in objects.items()}
    return keras.tree.map_structure(lambda value: converted[id(value)], data)


def _common_rows(leaves: list[Any]) -> int:
    numbers = [leaf.shape[0] for leaf in leaves]
    if len(set(numbers)) != 1 or not numbers[0]:
        raise DataError(
            "Inputs, targets and sample weights must have the same number of rows, at least 1: "
            f"got {', '.join(map(str, numbers))} rows."
        )
    return int(numbers[0])


def _dense(array: Any) -> Any:
    """Return a part of an array as it goes to the device: floats in Keras' float type, integers as they are."""
    array = array.toarray() if scipy.sparse.issparse(array) else np.asarray(array)
    floatx = keras.config.floatx()
    return array.astype(floatx) if array.dtype.kind == "f" and array.dtype != floatx else array
