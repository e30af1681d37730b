"""Rows on their way into a network: as arrays of the right shape, then checked and converted piece by piece."""

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_numbers
from codeword.arrays.memory_maps import let_go
from codeword.arrays.rows import check_shape
from codeword.files.tables import as_array
from codeword.inference.fixed_batches import Rows

Prepare = Callable[[NDArray[Any], int | None], NDArray[Any]]


def as_rows(
    x: Any, row_shape: tuple[int, ...] | None = None, name: str = "x", *, estimator: str = "Autoencoder"
) -> NDArray[Any]:
    """Return an array or frame as an array of numbers whose shape is checked and whose values are not yet read.

    Args:
        x: Array or frame of shape `(n, ...)`.
        row_shape: Shape that each row must have. None: any.
        name: Name of the argument, for messages.
        estimator: Name of the estimator, for messages.

    Raises:
        DataTypeError: If `x` is not an array of numbers.
        DataError: If it has no rows, no cells or another shape.
    """
    values = as_numbers(as_array(x))
    check_shape(values.shape, row_shape, name, estimator=estimator)
    return values


class PreparedRows:
    """Return slices of rows as they enter a network, so that only one slice at a time is in memory.

    Pages of a memory map are released, too.

    Args:
        given: Array, or an object that returns one for each slice.
        prepare: Function from a slice of `given`, and the number of its first row or None if it is all, to the
            network's input.
    """

    def __init__(self, given: Rows, prepare: Prepare) -> None:
        self._given = given
        self._prepare = prepare

    def __len__(self) -> int:
        return len(self._given)

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        piece = self._given[rows]
        prepared = self._prepare(piece, None if len(piece) == len(self) else rows.start)
        let_go(self._given)
        return prepared
