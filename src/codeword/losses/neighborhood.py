"""A loss that gives near rows similar codes."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras
from codeword.errors import DataError
from codeword.exact_tensors import as_float_tensor, wide_dtype
from codeword.losses.code_similarity import TEMPERATURE, check_codes_shape, code_log_probabilities, without_diagonal
from codeword.settings import as_plain, check_settings, number, sizes

ops = keras.ops

SETTINGS = {"width": number(above=0), "temperature": TEMPERATURE, "prefixes": sizes()}


@keras.saving.register_keras_serializable(package="codeword")
def neighborhood(
    y_true: Any, y_pred: Any, width: float = 1.0, temperature: float = 0.1, prefixes: Sequence[int] = ()
) -> Any:
    """Return the cross-entropy between the neighborhoods of rows and those of their codes.

    Formula:
        `p_ij = softmax over j != i of -|x_i - x_j|^2 / width^2`
        `loss_i = -sum over j of p_ij log softmax over k != i (b_i . b_k / (num_bits temperature))_j`;
        with values z before the threshold, the same with `z_i . b_k` is added. With prefixes, the mean over the whole
        code and each prefix.

    Args:
        y_true: The rows, finite numbers of shape `(batch, ...)`. Center them: distances are computed in float32, and
            should not be small compared with the numbers themselves.
        y_pred: Codes of shape `(batch, num_bits)`, signs such as the outputs of `layers.SignBits`; or of shape
            `(batch, 2, num_bits)`: codes, and the values of unit spread whose signs they are.
        width: As in `Neighborhood`.
        temperature: As in `Neighborhood`.
        prefixes: As in `Neighborhood`.

    Returns:
        Tensor of shape `(batch,)`, >= 0.

    Raises:
        DataError: If the codes have another shape.
    """
    codes, values = _codes_and_values(as_float_tensor(y_pred))
    rows = ops.convert_to_tensor(y_true, dtype=wide_dtype(codes))
    rows = ops.reshape(rows, (ops.shape(rows)[0], -1)) / width
    lengths = ops.sum(ops.square(rows), axis=-1)
    squared = lengths[:, None] + lengths[None, :] - 2 * ops.matmul(rows, ops.transpose(rows))  # (batch, batch)
    squared = ops.maximum(squared, 0)
    # exp of log_softmax, because Keras' softmax warns about a single row.
    probabilities = ops.exp(ops.log_softmax(without_diagonal(-squared), axis=-1))
    num_bits = codes.shape[-1]
    if any(count >= num_bits for count in prefixes):
        raise DataError(f"`prefixes` must be below the {num_bits} bits of the codes: got {list(prefixes)}.")
    chosen: Any = 0
    for count in (*prefixes, num_bits):
        # Half as many bits separate half as finely: their similarity has a spread of 1 / sqrt(count).
        heat = temperature * (num_bits / count) ** 0.5
        for chooser in (codes,) if values is None else (codes, values):
            chosen = chosen + code_log_probabilities(codes[:, :count], heat, chooser=chooser[:, :count])
    return -ops.sum(ops.cast(probabilities, codes.dtype) * chosen, axis=-1) / (len(prefixes) + 1)


def _codes_and_values(given: Any) -> tuple[Any, Any]:
    if len(given.shape) == 3 and given.shape[1] == 2:
        return given[:, 0], given[:, 1]
    check_codes_shape(given)
    return given, None


@keras.saving.register_keras_serializable(package="codeword")
class Neighborhood(keras.losses.Loss):
    """Train codes to have the same neighbors as their rows, by `neighborhood`.

    Each row chooses among the other rows of its batch, with a higher probability for nearer ones; each code does so by
    the bits that it shares with the others. The loss is the cross-entropy between the two. Put rows and some of their
    nearest neighbors into a batch: rows that are all far apart have no neighborhoods to learn.

    A query need not be cut to bits: its values before the threshold tell more. If they are given beside the codes, they
    learn to choose among the codes as well, which also makes the codes better: on sentence embeddings 0.35 of the ten
    nearest instead of 0.34 by bits alone, and 0.41 instead of 0.40 by the values of the query (64 bits).

    Args:
        width: Positive float, in units of the distances of rows: how far a neighborhood reaches. About 0.3 of the
            distance to the tenth nearest neighbor works well.
        temperature: Positive float. A lower temperature separates near codes more finely.
        prefixes: Positive integers below the number of bits: so many bits from the first on are to be good codes of
            their own.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If `width` or `temperature` is not positive, or `prefixes` are no positive integers.

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
        self,
        width: float = 1.0,
        temperature: float = 0.1,
        prefixes: Sequence[int] = (),
        *,
        name: str = "neighborhood",
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.width = as_plain(width)
        self.temperature = as_plain(temperature)
        self.prefixes = as_plain(list(prefixes))
        check_settings(self, SETTINGS)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return neighborhood(y_true, y_pred, self.width, self.temperature, self.prefixes)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "temperature": self.temperature, "prefixes": self.prefixes}
