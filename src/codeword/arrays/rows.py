"""The shape of rows, checked at the public border."""

from typing import Any

from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.errors import DataError


def check_rows(
    x: Any, row_shape: tuple[int, ...] | None = None, name: str = "x", *, estimator: str = "Autoencoder"
) -> NDArray[Any]:
    """Returns `x` as finite numbers of shape `(n, *row_shape)`, or refuses it.

    Raises:
        DataTypeError: If it is no array of numbers.
        DataError: If it has no rows, no cells or another shape, or is not finite.
    """
    x = as_finite_numbers(x)
    check_shape(x.shape, row_shape, name, estimator=estimator)
    return x


def check_shape(
    shape: tuple[int, ...], row_shape: tuple[int, ...] | None = None, name: str = "x", *, estimator: str = "Autoencoder"
) -> None:
    """Refuses data without rows or cells, or whose rows have another shape than `row_shape`.

    Raises:
        DataError: With the shape that came.
    """
    if len(shape) < 2:
        raise DataError(
            f"`{name}` must have shape (n, ...), one row a sample. Received: shape {shape}. Reshape your data: "
            "x.reshape(-1, 1) if it has one column, x.reshape(1, -1) if it is one row. Expected 2D array or more."
        )
    if row_shape is None and 0 in shape[1:]:
        raise DataError(f"`{name}`: 0 feature(s) (shape={shape}) while a minimum of 1 is required. Give columns.")
    if row_shape is not None and shape[1:] != tuple(row_shape):
        if len(shape) == 2 and len(row_shape) == 1:
            raise DataError(
                f"X has {shape[1]} features, but {estimator} is expecting {row_shape[0]} features as input: "
                f"`{name}` must have the columns of the training data. Received: shape {shape}. Select them."
            )
        raise DataError(
            f"`{name}` must have rows of shape {tuple(row_shape)}, as in training. Received: shape {shape}. "
            "Reshape or select columns."
        )
    if shape[0] == 0:
        raise DataError(f"`{name}` must have at least one row. Received: shape {shape}, 0 sample(s). Give data.")
