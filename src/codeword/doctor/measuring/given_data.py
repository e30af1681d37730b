"""The data that a model was given: every value read once, and a sample of rows for the model to run on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_numbers
from codeword.arrays.value_scan import ValueScan, let_go, scan_values
from codeword.backend import keras
from codeword.errors import DataError, DataTypeError
from codeword.files.tables import as_array

MAX_ROWS = 2048
_ROWS_AT_ONCE = 64  # each may make 2 MB of a memory map resident


@dataclass(frozen=True)
class Array:
    """One array that was given: what remedies call it, its values, and what they say.

    Attributes:
        name: Python that gives it, such as `x` or `x["image"]`.
        values: NumPy array or scipy.sparse matrix, shape `(n, ...)`.
        scan: What all of its values say.
    """

    name: str
    values: Any
    scan: ValueScan

    def rows(self, numbers: Any) -> NDArray[Any]:
        """Gives some rows as a dense array; of a memory map nothing else stays in memory."""
        if hasattr(self.values, "tocsr"):
            return self.values[numbers].toarray()
        rows = np.empty((len(numbers), *self.scan.shape[1:]), self.scan.dtype)
        for start in range(0, len(numbers), _ROWS_AT_ONCE):
            rows[start : start + _ROWS_AT_ONCE] = self.values[numbers[start : start + _ROWS_AT_ONCE]]
            let_go(self.values)
        return rows


@dataclass(frozen=True)
class Arrays:
    """The arrays of one argument, in the structure in which the model takes them."""

    structure: Any
    arrays: tuple[Array, ...]

    def __len__(self) -> int:
        return int(self.arrays[0].scan.shape[0])

    def tensors(self, numbers: NDArray[np.intp]) -> Any:
        """Gives some rows as tensors in the model's structure."""
        return keras.tree.pack_sequence_as(self.structure, [as_tensor(one.rows(numbers)) for one in self.arrays])


def read_arrays(given: Any, name: str, *, verbose: bool = False, num_rows: int | None = None) -> Arrays:
    """Reads one array, or several in a list, tuple or dictionary.

    Args:
        given: What the user passed: arrays, frames, scipy.sparse matrices.
        name: What the argument is called.
        verbose: Whether to show progress where it takes long.
        num_rows: Rows that there must be; None: any number.

    Raises:
        DataTypeError: If something is no array of numbers.
        DataError: If there is nothing in it, or the numbers of rows differ.
    """
    named = list(_named(given, name))
    if not named:
        raise DataError(f"`{name}` must hold at least one array. Received: {given!r}. Pass the rows.")
    arrays = []
    for path, one in named:
        values = _rows(as_array(one), path)
        arrays.append(Array(path, values, scan_values(values, name=path, verbose=verbose)))
    counts = {one.name: one.scan.shape[0] for one in arrays}
    if len({*counts.values(), *([] if num_rows is None else [num_rows])}) > 1:
        wanted = "as `x` has" if num_rows is not None else "in all of them"
        raise DataError(
            f"`{name}` must have {num_rows if num_rows is not None else 'the same number of'} rows {wanted}. "
            f"Received: {counts}. Pass the same rows."
        )
    structure = given if isinstance(given, dict) or is_several(given) else None
    return Arrays(structure, tuple(arrays))


def sample_of(x: Arrays, seed: int, *, first: int | None = None) -> NDArray[np.intp]:
    """Chooses up to 2,048 rows by chance, ascending, or the first ones; rows with NaN or infinity are left out."""
    num_rows = len(x)
    numbers = np.arange(num_rows)[:first]
    if first is None and num_rows > MAX_ROWS:
        numbers = np.sort(np.random.default_rng(seed).choice(num_rows, MAX_ROWS, replace=False))
    for array in x.arrays:
        if array.scan.num_nan or array.scan.num_infinite:
            rows = array.rows(numbers).reshape(len(numbers), -1)
            numbers = numbers[np.isfinite(rows.astype(np.float64)).all(axis=1)]
    return numbers


def as_tensor(array: NDArray[Any]) -> Any:
    """Turns an array into a tensor as `fit` does: floats of Keras' own width, whole numbers as they are."""
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx())
    return keras.ops.convert_to_tensor(np.ascontiguousarray(array))


def _rows(one: Any, name: str) -> Any:
    if hasattr(one, "tocsr"):
        return one.tocsr()
    if not hasattr(one, "__array__") and not isinstance(one, list | tuple | int | float):
        raise DataTypeError(
            f"`{name}` must be an array, a frame or a scipy.sparse matrix. Received: {type(one).__name__}. Of a data "
            "set or generator, pass some batches put together."
        )
    try:
        return as_numbers(one)
    except (DataError, DataTypeError) as error:
        raise type(error)(str(error).replace("`x`", f"`{name}`")) from None


def _named(given: Any, name: str) -> Any:
    if isinstance(given, dict):
        for key, one in sorted(given.items()):  # as Keras flattens it
            yield f"{name}[{key!r}]".replace("'", '"'), one
    elif is_several(given):
        for number, one in enumerate(given):
            yield f"{name}[{number}]", one
    else:
        yield name, given


def is_several(given: Any) -> bool:
    """Says whether a list or tuple holds arrays, and is not itself one array written as a list."""
    return isinstance(given, list | tuple) and len(given) > 0 and all(hasattr(one, "shape") for one in given)
