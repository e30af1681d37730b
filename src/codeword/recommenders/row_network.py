"""A network with one hidden layer over sparse rows, and the gradient of its squared error where a row has entries.

The arithmetic is NumPy's and SciPy's and the gradient is derived by hand: the backends have no sparse product whose
cost follows the entries, and this way the numbers are the same on every backend. Tests compare the gradient with the
backends' own, taken through `losses.Masked`.

    hidden = sigmoid(input @ kernel_in + bias_in)              (rows, units)
    output = hidden @ (kernel_out + common_out).T              only where the row has entries
    cost   = ½ sum((output - target)²)

Both kernels have one row per column of the data, so a batch needs only the rows of the columns that occur in it.
`common_out` is what all columns share, so weight decay pulls a column towards the others instead of towards 0. The
output has no bias: the bias of each column is subtracted from the targets beforehand, and another one changed nothing.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

Float32Array = NDArray[np.float32]

DENSE_ABOVE = 0.06  # share of filled cells above which dense products are faster; benchmarks/ratings.py --part density


@dataclass
class RowNetwork:
    """float32 weights: kernels of shape (columns, units); `bias_in` and `common_out` of shape (units,)."""

    kernel_in: Float32Array
    bias_in: Float32Array
    kernel_out: Float32Array
    common_out: Float32Array

    @classmethod
    def random(cls, num_columns: int, units: int, generator: np.random.Generator) -> "RowNetwork":
        """Return Glorot uniform weights, like a new `keras.layers.Dense`, and biases of 0."""
        limit = np.sqrt(6 / (num_columns + units))
        kernels = generator.random((2, num_columns, units), np.float32)
        kernels -= np.float32(0.5)
        kernels *= np.float32(2 * limit)
        return cls(kernels[0], np.zeros(units, np.float32), kernels[1], np.zeros(units, np.float32))

    def shorten(self) -> None:
        """Round the kernels as `shortened` does, in place."""
        for kernel in (self.kernel_in, self.kernel_out):
            kernel[:] = shortened(kernel)

    def hidden(self, rows: Float32Array | scipy.sparse.csr_array) -> Float32Array:
        """Return the hidden layer's values, (rows, units)."""
        return sigmoid(_product(rows, self.kernel_in) + self.bias_in)

    def rows_of(self, columns: NDArray[np.intp]) -> "RowNetwork":
        """Return a copy of the part of the network that rows with entries in only these columns use."""
        return RowNetwork(self.kernel_in[columns], self.bias_in, self.kernel_out[columns], self.common_out)


def short(weights: Float32Array) -> NDArray[np.float16]:
    """Return the nearest numbers of half as many bytes; what is learned is far less certain."""
    most = np.finfo(np.float16).max
    with np.errstate(over="ignore"):
        in_half = weights.astype(np.float16)
    return np.clip(in_half, -most, most, out=in_half)


def shortened(weights: Float32Array) -> Float32Array:
    """Return weights rounded to what `short` holds, so that a file holds them exactly in half the bytes."""
    return short(weights).astype(np.float32)


def sigmoid(x: Float32Array) -> Float32Array:
    """Overwrite `x` with 1 / (1 + exp(-x)), by the hyperbolic tangent, which cannot overflow, and return it."""
    x *= np.float32(0.5)
    np.tanh(x, out=x)
    x += np.float32(1)
    x *= np.float32(0.5)
    return x


def gradient(
    network: RowNetwork, inputs: scipy.sparse.csr_array, targets: Float32Array, *, dense: bool | None = None
) -> tuple[RowNetwork, float]:
    """Return the gradient of the cost for a batch, in the shape of the network, and the sum of squared errors.

    Args:
        network: A network with the columns of `inputs`.
        inputs: CSR of shape (rows, columns): the input; 0 where noise dropped an entry.
        targets: float32, the targets of the outputs at the stored entries of `inputs`, in their order.
        dense: Whether to compute all rows x columns outputs. None: if the batch is dense enough for that to be faster.
    """
    if dense is None:
        dense = inputs.nnz > DENSE_ABOVE * inputs.shape[0] * inputs.shape[1]
    rows = inputs.toarray() if dense else inputs
    hidden = network.hidden(rows)  # (rows, units)
    kernel_out = network.kernel_out + network.common_out
    if dense:
        stored = np.repeat(np.arange(inputs.shape[0]), np.diff(inputs.indptr)), inputs.indices
        error = (hidden @ kernel_out.T)[stored] - targets
        errors = np.zeros(inputs.shape, np.float32)
        errors[stored] = error
    else:
        error = _outputs_at(inputs, hidden, kernel_out) - targets
        errors = scipy.sparse.csr_array((error, inputs.indices, inputs.indptr), shape=inputs.shape)
    to_hidden = _product(errors, kernel_out) * hidden * (1 - hidden)
    whole = RowNetwork(
        kernel_in=_product(rows.T, to_hidden),
        bias_in=to_hidden.sum(axis=0),
        kernel_out=_product(errors.T, hidden),
        common_out=errors.sum(axis=1) @ hidden,
    )
    return whole, float(error @ error)


def _product(left: Float32Array | scipy.sparse.csr_array, right: Float32Array) -> Float32Array:
    return left @ right


def _outputs_at(entries: scipy.sparse.csr_array, hidden: Float32Array, kernel: Float32Array) -> Float32Array:
    """Return `hidden @ kernel.T` at the stored entries only, in their order."""
    outputs = np.empty(entries.nnz, np.float32)
    for row, (start, end) in enumerate(zip(entries.indptr[:-1], entries.indptr[1:], strict=True)):
        # `take` without index checks copies twice as fast as kernel[indices].
        np.matmul(kernel.take(entries.indices[start:end], axis=0, mode="clip"), hidden[row], out=outputs[start:end])
    return outputs
