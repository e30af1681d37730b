"""The data of an examination: every value is read once, and a sample of rows is chosen for the model to run on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_numbers
from codeword.arrays.rows import as_array, take_rows
from codeword.arrays.value_scan import ValueScan, scan_values
from codeword.backend import keras
from codeword.errors import DataError, DataTypeError

MAX_ROWS = 2048


@dataclass(frozen=True)
class Array:
    """One array of an argument, or a scipy.sparse matrix, shape `(n, ...)`."""

    name: str  # Python of it in remedies, such as `x` or `x["image"]`
    values: Any
    scan: ValueScan

    def rows(self, numbers: Any) -> NDArray[Any]:
        """Return some rows as a dense array; no other part of a memory map stays in memory."""
        return take_rows(self.values, numbers)


@dataclass(frozen=True)
class Arrays:
    """The arrays of one argument."""

    structure: Any  # the list or dictionary that the model expects; None for a single array
    arrays: tuple[Array, ...]

    def __len__(self) -> int:
        return int(self.arrays[0].scan.shape[0])

    def tensors(self, numbers: NDArray[np.intp]) -> Any:
        """Return some rows as tensors, in the structure that the model expects."""
        return keras.tree.pack_sequence_as(self.structure, [as_tensor(one.rows(numbers)) for one in self.arrays])


def read_arrays(given: Any, name: str, *, verbose: bool = False, num_rows: int | None = None) -> Arrays:
    """Read the array of an argument, or several in a list, tuple or dictionary, with the required number of rows.

    Raises:
        DataTypeError: If an entry is not an array of numbers.
        DataError: If there is no entry, or the numbers of rows differ.
    """
    arrays = []
    for path, one in _named(given, name):
        values = _rows(as_array(one), path)
        arrays.append(Array(path, values, scan_values(values, name=path, verbose=verbose)))
    if not arrays:
        raise DataError(f"`{name}` must hold at least one array: got {given!r}.")
    counts = {one.name: one.scan.shape[0] for one in arrays}
    if {*counts.values()} != {num_rows or arrays[0].scan.shape[0]}:
        wanted = "the same number of rows in all arrays" if num_rows is None else f"{num_rows} rows, as many as `x`"
        shown = ", ".join(f"{count} in `{one}`" for one, count in counts.items())
        raise DataError(f"`{name}` must have {wanted}: got {shown}.")
    return Arrays(given if isinstance(given, dict) or _is_several(given) else None, tuple(arrays))


def sample_of(x: Arrays, seed: int, *, first: int | None = None) -> NDArray[np.intp]:
    """Return the indices of up to 2,048 random rows, or of the first ones, without rows that have NaN or infinity."""
    numbers = np.arange(len(x))[:first]
    if first is None and len(x) > MAX_ROWS:
        numbers = np.sort(np.random.default_rng(seed).choice(len(x), MAX_ROWS, replace=False))
    for array in x.arrays:
        if array.scan.num_nan or array.scan.num_infinite:
            rows = array.rows(numbers).reshape(len(numbers), -1)
            numbers = numbers[np.isfinite(rows.astype(np.float64)).all(axis=1)]
    return numbers


def as_tensor(array: NDArray[Any]) -> Any:
    """Return a tensor as `fit` makes it: floats in the precision of Keras, integers as they are."""
    if array.dtype.kind == "f":
        array = array.astype(keras.config.floatx())
    return keras.ops.convert_to_tensor(np.ascontiguousarray(array))


def _rows(one: Any, name: str) -> Any:
    if hasattr(one, "tocsr"):
        return one.tocsr()
    if not hasattr(one, "__array__") and not isinstance(one, list | tuple | int | float):
        raise DataTypeError(
            f"`{name}` must be an array, a frame or a scipy.sparse matrix: got {type(one).__name__}. For a data set or "
            "generator, concatenate some batches."
        )
    try:
        return as_numbers(one)
    except (DataError, DataTypeError) as error:
        raise type(error)(str(error).replace("`x`", f"`{name}`")) from None


def _named(given: Any, name: str) -> Any:
    if isinstance(given, dict):
        for key, one in sorted(given.items()):  # in the order of Keras
            yield f"{name}[{key!r}]".replace("'", '"'), one
    elif _is_several(given):
        for number, one in enumerate(given):
            yield f"{name}[{number}]", one
    else:
        yield name, given


def _is_several(given: Any) -> bool:
    """Return whether a list or tuple holds arrays, and is not one array written as a list."""
    return isinstance(given, list | tuple) and len(given) > 0 and all(hasattr(one, "shape") for one in given)
