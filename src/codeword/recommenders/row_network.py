"""A network of one hidden layer over sparse rows, and the gradient of its squared error where a row has entries.

All arithmetic is NumPy's and SciPy's, the gradient worked out by hand: the backend has no sparse product that costs
what the entries cost, and the numbers are the same whichever backend is in use. Tests hold the gradient against the
backends' own, taken through `losses.Masked`.

    hidden = sigmoid(input @ kernel_in + bias_in)              (rows, units)
    output = hidden @ (kernel_out + common_out).T              only where the row has entries
    cost   = ½ sum((output - target)²)

Both kernels have one row a column of the data, so that a batch needs only the rows of the columns that occur in it.
`common_out` is what all columns share; weight decay then pulls a column to the others instead of to 0. The output has
no bias: what a column owes to itself alone is taken off the targets before, and one more changed nothing.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Floats = NDArray[np.float32]

DENSE_ABOVE = 0.06  # share of filled cells from which dense products are faster; benchmarks/ratings.py --part density


@dataclass
class RowNetwork:
    """The weights, float32: kernels of shape (columns, units); `bias_in` and `common_out` of shape (units,)."""

    kernel_in: Floats
    bias_in: Floats
    kernel_out: Floats
    common_out: Floats

    @classmethod
    def random(cls, num_columns: int, units: int, generator: np.random.Generator) -> "RowNetwork":
        """Gives Glorot's uniform weights, as `keras.layers.Dense` begins with; biases 0."""
        limit = np.sqrt(6 / (num_columns + units))
        kernels = generator.random((2, num_columns, units), np.float32)
        kernels -= np.float32(0.5)
        kernels *= np.float32(2 * limit)
        return cls(kernels[0], np.zeros(units, np.float32), kernels[1], np.zeros(units, np.float32))

    def hidden(self, rows: scipy.sparse.csr_array) -> Floats:
        """Gives the hidden layer's values: (rows, units)."""
        return sigmoid(_product(rows, self.kernel_in) + self.bias_in)

    def rows_of(self, columns: NDArray[np.intp]) -> "RowNetwork":
        """Gives the part of the network that rows with entries in these columns alone use: copies."""
        return RowNetwork(self.kernel_in[columns], self.bias_in, self.kernel_out[columns], self.common_out)

    def copy(self) -> "RowNetwork":
        """Gives a network of the same weights that shares none of them."""
        return RowNetwork(self.kernel_in.copy(), self.bias_in.copy(), self.kernel_out.copy(), self.common_out.copy())


def sigmoid(x: Floats) -> Floats:
    """Gives 1 / (1 + exp(-x)), by the hyperbolic tangent, which cannot overflow; overwrites `x`."""
    x *= np.float32(0.5)
    np.tanh(x, out=x)
    x += np.float32(1)
    x *= np.float32(0.5)
    return x


def gradient(
    network: RowNetwork, inputs: scipy.sparse.csr_array, targets: Floats, *, dense: bool | None = None
) -> tuple[RowNetwork, float]:
    """Gives the cost's gradient for a batch.

    Args:
        network: Its columns are those of `inputs`.
        inputs: CSR of shape (rows, columns): what enters; 0 where noise dropped an entry.
        targets: float32, what the outputs at the stored entries of `inputs` should be, in their order.
        dense: Whether to compute all rows x columns outputs; None: where the batch is filled so far that it is faster.

    Returns:
        The gradient, in the shape of the network, and the sum of squared errors.
    """
    if dense is None:
        dense = inputs.nnz > DENSE_ABOVE * inputs.shape[0] * inputs.shape[1]
    entering = inputs.toarray() if dense else inputs
    hidden = sigmoid(_product(entering, network.kernel_in) + network.bias_in)  # (rows, units)
    kernel_out = network.kernel_out + network.common_out
    if dense:
        stored = _row_of_entries(inputs), inputs.indices
        error = (hidden @ kernel_out.T)[stored] - targets
        errors = np.zeros(inputs.shape, np.float32)
        errors[stored] = error
    else:
        error = _outputs_at(inputs, hidden, kernel_out) - targets
        errors = scipy.sparse.csr_array((error, inputs.indices, inputs.indptr), shape=inputs.shape)
    to_hidden = _product(errors, kernel_out) * hidden * (1 - hidden)
    whole = RowNetwork(
        kernel_in=_product(entering.T, to_hidden),
        bias_in=to_hidden.sum(axis=0),
        kernel_out=_product(errors.T, hidden),
        common_out=errors.sum(axis=1) @ hidden,
    )
    return whole, float(error @ error)


def _product(left: Floats | scipy.sparse.csr_array, right: Floats) -> Floats:
    return left @ right


def _row_of_entries(matrix: scipy.sparse.csr_array) -> NDArray[np.intp]:
    return np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))


def _outputs_at(entries: scipy.sparse.csr_array, hidden: Floats, kernel: Floats) -> Floats:
    """Gives `hidden @ kernel.T` at the stored entries alone, in their order."""
    outputs = np.empty(entries.nnz, np.float32)
    for row, (start, end) in enumerate(zip(entries.indptr[:-1], entries.indptr[1:], strict=True)):
        # `take` that need not check its indices copies twice as fast as kernel[indices].
        np.matmul(kernel.take(entries.indices[start:end], axis=0, mode="clip"), hidden[row], out=outputs[start:end])
    return outputs
