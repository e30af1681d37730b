"""One trained network of a rating autoencoder, and the factors by which it predicts."""

from dataclasses import dataclass, field

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from codeword.recommenders.row_network import Float32Array, RowNetwork

INPUT_OFFSET = 2.5  # added to every residual, so that the network also sees who rated; best of 1 to 4
INPUT_LENGTH = 30.0  # of every row as it enters; best, or nearly, on both MovieLens sets (row counts 48 and 243)


@dataclass
class EnsembleMember:
    """A network from a row of residuals, on a scale from 0 to 4, to the residual of every column.

    Its last layer is a product of one vector per user and one per item: the hidden values of what is a row, and the
    output weights of what is a column.

    Attributes:
        by: "items" or "users": what a row is.
        network: Its weights.
        ridge: Weight decay of the output weights.
        history: "mse" per epoch of the training ratings under noise and, with held-out ratings, "val_rmse"; in units
            of the ratings.
    """

    by: str
    network: RowNetwork
    ridge: float
    history: dict[str, list[float]] = field(default_factory=dict)

    def item_factors(self, residuals: scipy.sparse.csr_array) -> Float32Array:
        """Return one vector per item, (items, units), from the residuals (users, items); 0 without ratings."""
        if self.by == "items":
            return self.row_codes(residuals)
        factors = self.network.kernel_out + self.network.common_out
        factors[np.bincount(residuals.indices, minlength=residuals.shape[1]) == 0] = 0
        return factors

    def user_factors(self, residuals: scipy.sparse.csr_array, users: NDArray[np.intp]) -> Float32Array:
        """Return one vector for each of these users, (users, units); 0 without ratings.

        `residuals` have one row more than there are users, which is empty and stands for unknown users.
        """
        if self.by == "users":
            return self._codes(residuals[users])
        factors = self.network.kernel_out.take(users, axis=0, mode="clip") + self.network.common_out
        factors[np.diff(residuals.indptr)[users] == 0] = 0
        return factors

    def row_codes(self, residuals: scipy.sparse.csr_array) -> Float32Array:
        """Return the hidden values of each item, or user, that is a row, from the residuals (users, items)."""
        return self._codes(residuals.T.tocsr() if self.by == "items" else residuals)

    def new_user_factors(self, residuals: scipy.sparse.csr_array, item_factors: Float32Array | None) -> Float32Array:
        """Return one vector for each new user from the residuals of their own ratings, without training.

        Where a row is an item, a new user is a new column, whose weights `column_weights` finds. Where a row is a user,
        the network reads it, and no `item_factors` are needed.
        """
        if item_factors is None:
            return self._codes(residuals)
        factors = column_weights(item_factors, residuals, self.network.common_out, self.ridge)
        factors[np.diff(residuals.indptr) > 0] += self.network.common_out
        return factors

    def _codes(self, rows: scipy.sparse.csr_array) -> Float32Array:
        codes = self.network.hidden(network_input(rows))
        codes[np.diff(rows.indptr) == 0] = 0
        return codes


@threadpool_limits.wrap(limits=1, user_api="blas")  # many small products
def column_weights(
    codes: Float32Array, columns: scipy.sparse.csr_array, common: Float32Array, ridge: float
) -> Float32Array:
    """Return the own output weights of columns that were not trained, `(columns, units)`; 0 without ratings.

    They are the ridge regression, on the codes of the rows, of what the weights that all columns share leave of the
    residuals.

    Args:
        codes: Hidden values of all rows, `(rows, units)`.
        columns: Residuals of the columns, CSR `(columns, rows)`.
        common: Output weights that all columns share, `(units,)`.
        ridge: Penalty of the regression.
    """
    weights = np.zeros((columns.shape[0], codes.shape[1]), np.float32)
    for column, (start, end) in enumerate(zip(columns.indptr[:-1], columns.indptr[1:], strict=True)):
        if end > start:
            read = codes[columns.indices[start:end]].astype(np.float64)
            weights[column] = ridge_regression(read, columns.data[start:end] - read @ common, ridge)
    return weights


def with_offset(residuals: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Return rows of residuals with 2.5 added to every entry."""
    data = residuals.data + np.float32(INPUT_OFFSET)
    return scipy.sparse.csr_array((data, residuals.indices, residuals.indptr), shape=residuals.shape)


def network_input(residuals: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    """Return rows of residuals as they enter a network: 2.5 added, and each row scaled to length 30."""
    rows = with_offset(residuals)
    lengths = np.diff(rows.indptr)
    squares = np.bincount(np.repeat(np.arange(len(lengths)), lengths), rows.data * rows.data, len(lengths))
    scale = INPUT_LENGTH / np.sqrt(np.where(squares > 0, squares, 1))
    rows.data *= np.repeat(scale.astype(np.float32), lengths)
    return rows


def ridge_regression(codes: NDArray[np.float64], targets: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    """Solve min ‖codes w - targets‖² + penalty ‖w‖² in the smaller of its two forms."""
    wide = len(codes) < codes.shape[1]
    square = codes @ codes.T if wide else codes.T @ codes
    square.flat[:: len(square) + 1] += max(penalty, 1e-6)  # without a penalty the solution may not be unique
    factor = scipy.linalg.cho_factor(square, lower=True, overwrite_a=True, check_finite=False)
    if wide:
        return np.asarray(codes.T @ scipy.linalg.cho_solve(factor, targets, check_finite=False))
    return np.asarray(scipy.linalg.cho_solve(factor, codes.T @ targets, check_finite=False))
