"""Rows of arrays and data frames: their shape, and samples of them."""

from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers, as_numbers
from codeword.arrays.memory_maps import let_go
from codeword.errors import DataError

MAX_AXES = 6  # TensorFlow finds the maximum along one of 7 axes, and levels as one-hot add one


def as_frame(x: Any, name: str = "x") -> nw.DataFrame[Any] | None:
    """Return a data frame (pandas, Polars, Arrow) as one of narwhals, None for anything else."""
    try:
        frame = nw.from_native(x, eager_only=True, pass_through=True)
    except nw.exceptions.DuplicateError as error:
        raise DataError(
            f"`{name}` must have columns of different names: got {first_words(error)}. Rename them, or pass an array."
        ) from error
    return frame if isinstance(frame, nw.DataFrame) else None


def as_array(x: Any, name: str = "x") -> Any:
    """Convert a data frame (pandas, Polars, Arrow) to an array; return anything else unchanged."""
    frame = as_frame(x, name)
    return x if frame is None else frame.to_numpy()


def first_words(error: Exception) -> str:
    """Return the beginning of the message of another library, on one line."""
    return " ".join(str(error).split())[:200]


def as_rows(
    x: Any, row_shape: tuple[int, ...] | None = None, name: str = "x", *, estimator: str = "Autoencoder"
) -> NDArray[Any]:
    """Return an array or frame as an array of numbers whose shape is checked and whose values are not yet read.

    Each row must have the shape `row_shape`, unless it is None. The names of argument and estimator are for messages.
    """
    values = as_numbers(as_array(x))
    check_shape(values.shape, row_shape, name, estimator=estimator)
    return values


def check_rows(
    x: Any, row_shape: tuple[int, ...] | None = None, name: str = "x", *, estimator: str = "Autoencoder"
) -> NDArray[Any]:
    """Return `x` as finite numbers of shape `(n, *row_shape)`; the arguments are those of `as_rows`."""
    x = as_finite_numbers(x)
    check_shape(x.shape, row_shape, name, estimator=estimator)
    return x


def check_shape(
    shape: tuple[int, ...], row_shape: tuple[int, ...] | None = None, name: str = "x", *, estimator: str = "Autoencoder"
) -> None:
    """Check that data has rows and cells, and that its rows have the shape `row_shape`, unless it is None."""
    if len(shape) < 2:
        raise DataError(
            f"`{name}` must have shape (n, ...), one row per sample: got shape {shape}. Expected 2D array or more. "
            "Reshape your data: x.reshape(-1, 1) if it has one column, x.reshape(1, -1) if it is one row."
        )
    if row_shape is None and len(shape) > MAX_AXES:
        raise DataError(
            f"`{name}` must have at most {MAX_AXES} axes, with which every backend computes: got {len(shape)}. "
            "Reshape your data: x.reshape(len(x), -1)."
        )
    if row_shape is None and 0 in shape[1:]:
        raise DataError(f"`{name}`: 0 feature(s) (shape={shape}) while a minimum of 1 is required.")
    if row_shape is not None and shape[1:] != tuple(row_shape):
        if len(shape) == 2 and len(row_shape) == 1:
            raise DataError(
                f"X has {shape[1]} features, but {estimator} is expecting {row_shape[0]} features as input: "
                f"`{name}` must have the columns of the training data: got shape {shape}."
            )
        raise DataError(f"`{name}` must have rows of shape {tuple(row_shape)}, as in training: got shape {shape}.")
    if shape[0] == 0:
        raise DataError(f"`{name}` must have at least one row: got shape {shape}, 0 sample(s).")


ROWS_AT_ONCE = 64  # each may bring 2 MB of a memory map into memory


def evenly_spaced(num_rows: int, most: int) -> NDArray[np.intp]:
    """Return at most so many row numbers, the first and the last among them."""
    return np.linspace(0, num_rows - 1, min(num_rows, most)).astype(np.intp)


def take_rows(x: Any, numbers: NDArray[np.intp]) -> NDArray[Any]:
    """Return some rows of an array, memory map or scipy.sparse matrix; a memory map does not stay in memory."""
    if hasattr(x, "tocsr"):
        return x.tocsr()[numbers].toarray()
    rows = np.empty((len(numbers), *x.shape[1:]), x.dtype)
    for start in range(0, len(numbers), ROWS_AT_ONCE):
        rows[start : start + ROWS_AT_ONCE] = x[numbers[start : start + ROWS_AT_ONCE]]
        let_go(x)
    return rows
