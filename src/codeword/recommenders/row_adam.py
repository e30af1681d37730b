"""Adam for a table of which a batch touches few rows; all other rows and their state keep every bit."""

import numpy as np
from numpy.typing import NDArray

from codeword.recommenders.row_network import Float32Array

BLOCK = 2**15  # numbers updated at a time, so that all operands stay in the processor's cache
BETA1, BETA2, EPSILON = 0.9, 0.99, 1e-8


class RowAdam:
    """Adam that updates a float32 table `(rows, ...)` in place; moments, too, change only in the rows of a batch.

    The second moment is one number per row, the mean square of its gradient. That takes half the memory and less time,
    and the gradients within a row are of one size.

    References:
        Kingma and Ba, "Adam", 2015. Differs: rows without a gradient are left alone, as in PyTorch's SparseAdam; the
        bias correction counts all steps; and there is one second moment per row.
    """

    def __init__(self, table: Float32Array) -> None:
        self._table = table
        self._mean = np.zeros_like(table)
        self._square = np.zeros(len(table), np.float32)
        self._steps = 0

    def update(self, rows: NDArray[np.intp] | None, gradient: Float32Array, *, rate: float, decay: float = 0.0) -> None:
        """Update the table by one step.

        Args:
            rows: The distinct rows that the gradient belongs to, in its order. None: all rows.
            gradient: float32 of shape `(len(rows), ...)`.
            rate: Learning rate.
            decay: Weight decay: `decay` times the table, the gradient of ½ decay ‖table‖², is added to the gradient.
        """
        self._steps += 1
        rate = rate / (1 - BETA1**self._steps)
        spread = 1 / np.sqrt(1 - BETA2**self._steps)
        length = max(1, BLOCK // max(1, self._table[:1].size))
        for start in range(0, len(gradient), length):
            block = slice(start, start + length)
            where = block if rows is None else rows[block]
            # A slice gives views and indices give copies, which are written back below.
            table, mean, square = self._table[where], self._mean[where], self._square[where]
            step = gradient[block] + np.float32(decay) * table
            square *= np.float32(BETA2)
            square += np.float32(1 - BETA2) * _mean_square(step)
            mean *= np.float32(BETA1)
            step *= np.float32(1 - BETA1)
            mean += step
            shrink = (rate / (np.sqrt(square) * spread + EPSILON)).astype(np.float32)
            np.multiply(mean, shrink.reshape(-1, *(1,) * (mean.ndim - 1)), out=step)
            table -= step
            if rows is not None:
                self._table[where], self._mean[where], self._square[where] = table, mean, square


def _mean_square(rows: Float32Array) -> Float32Array:
    flat = rows.reshape(len(rows), -1)
    return np.einsum("ij,ij->i", flat, flat) / np.float32(flat.shape[1])
