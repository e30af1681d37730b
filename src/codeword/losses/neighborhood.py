"""A loss that gives near rows similar codes."""

from typing import Any

from codeword.backend import keras
from codeword.exact_tensors import as_float_tensor, wide_dtype
from codeword.losses.code_similarity import TEMPERATURE, check_codes_shape, code_log_probabilities, without_diagonal
from codeword.settings import as_plain, check_settings, number

ops = keras.ops

SETTINGS = {"width": number(above=0), "temperature": TEMPERATURE}


@keras.saving.register_keras_serializable(package="codeword")
def neighborhood(y_true: Any, y_pred: Any, width: float = 1.0, temperature: float = 0.1) -> Any:
    """Return the cross-entropy between the neighborhoods of rows and those of their codes.

    Formula:
        `p_ij = softmax over j != i of -|x_i - x_j|^2 / width^2`
        `loss_i = -sum over j of p_ij log softmax over k != i (b_i . b_k / (num_bits temperature))_j`

    Args:
        y_true: The rows, finite numbers of shape `(batch, ...)`. Center them: distances are computed in float32, and
            should not be small compared with the numbers themselves.
        y_pred: Codes of shape `(batch, num_bits)`, signs such as the outputs of `layers.SignBits`.
        width: As in `Neighborhood`.
        temperature: As in `Neighborhood`.

    Returns:
        Tensor of shape `(batch,)`, >= 0.

    Raises:
        DataError: If the codes have another rank than 2.
    """
    codes = as_float_tensor(y_pred)
    check_codes_shape(codes)
    rows = ops.convert_to_tensor(y_true, dtype=wide_dtype(codes))
    rows = ops.reshape(rows, (ops.shape(rows)[0], -1)) / width
    lengths = ops.sum(ops.square(rows), axis=-1)
    squared = lengths[:, None] + lengths[None, :] - 2 * ops.matmul(rows, ops.transpose(rows))  # (batch, batch)
    squared = ops.maximum(squared, 0)
    # exp of log_softmax, because Keras' softmax warns about a single row.
    probabilities = ops.exp(ops.log_softmax(without_diagonal(-squared), axis=-1))
    return -ops.sum(ops.cast(probabilities, codes.dtype) * code_log_probabilities(codes, temperature), axis=-1)


@keras.saving.register_keras_serializable(package="codeword")
class Neighborhood(keras.losses.Loss):
    """Train codes to have the same neighbors as their rows, by `neighborhood`.

    Each row chooses among the other rows of its batch, with a higher probability for nearer ones; each code does so by
    the bits that it shares with the others. The loss is the cross-entropy between the two. Put rows and some of their
    nearest neighbors into a batch: rows that are all far apart have no neighborhoods to learn.

    Args:
        width: Positive float, in units of the distances of rows: how far a neighborhood reaches. About 0.3 of the
            distance to the tenth nearest neighbor works well.
        temperature: Positive float. A lower temperature separates near codes more finely.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If `width` or `temperature` is not positive.

    Example:
        >>> loss = Neighborhood(width=1.0, temperature=0.1)
        >>> rows = np.array([[0.0], [1.0], [5.0], [6.0]])
        >>> codes = np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])
        >>> round(float(loss(rows, codes)), 3), round(float(loss(rows[[0, 2, 1, 3]], codes)), 3)
        (0.0, 20.0)

    References:
        Hinton and Roweis, "Stochastic Neighbor Embedding", 2002. Here the places are corners of a cube, and near means
        many shared bits.
    """

    def __init__(
        self, width: float = 1.0, temperature: float = 0.1, *, name: str = "neighborhood", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.width = as_plain(width)
        self.temperature = as_plain(temperature)
        check_settings(self, SETTINGS)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return neighborhood(y_true, y_pred, self.width, self.temperature)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "temperature": self.temperature}
