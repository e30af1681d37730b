"""A loss that keeps near rows near, by the codes that they get."""

from numbers import Real
from typing import Any

from codeword.backend import keras
from codeword.errors import ParameterError
from codeword.losses.contrast import check_codes_shape, checked_temperature, code_log_chances, without_diagonal

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class Neighborhood(keras.losses.Loss):
    """Gives codes the neighbors that their rows have.

    Each row chooses among the others of its batch, the nearer ones more likely; each code does so by the bits that it
    shares. The loss is the cross-entropy between the two. Give rows and some of their nearest rows into a batch: among
    rows that are all far apart there is nothing to tell.

    Formula:
        `p_ij = softmax over j != i of -|x_i - x_j|^2 / width^2`
        `loss_i = -sum over j of p_ij log softmax over k != i (b_i . b_k / (num_bits temperature))_j`

    Args:
        width: Positive, in units of the rows' distances: how far a neighborhood reaches. About .3 of the distance to
            the tenth nearest row.
        temperature: Positive; the lower, the finer near codes are told apart.

    Call arguments:
        y_true: The rows, finite numbers of shape `(batch, ...)`, centered: distances are taken in float32, so they must
            not be small beside the numbers themselves.
        y_pred: Codes of shape `(batch, num_bits)`, signs as `layers.SignBits` gives them.

    Raises:
        ParameterError: If `width` or `temperature` is not positive.

    Example:
        >>> loss = Neighborhood(width=1.0, temperature=.1)
        >>> rows, codes = np.array([[0.], [1.], [5.], [6.]]), np.array([[1., 1.], [1., 1.], [-1., -1.], [-1., -1.]])
        >>> round(float(loss(rows, codes)), 3), round(float(loss(rows[[0, 2, 1, 3]], codes)), 3)
        (0.0, 20.0)

    Source:
        Hinton and Roweis, "Stochastic Neighbor Embedding", 2002. Differs: the places are corners of a cube, and near
        means many bits shared.
    """

    def __init__(
        self, width: float = 1.0, temperature: float = 0.1, *, name: str = "neighborhood", **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.width = _checked_width(width)
        self.temperature = checked_temperature(temperature)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        check_codes_shape(y_pred)
        rows = ops.reshape(y_true, (ops.shape(y_true)[0], -1)) / self.width
        lengths = ops.sum(ops.square(rows), axis=-1)
        squared = lengths[:, None] + lengths[None, :] - 2 * ops.matmul(rows, ops.transpose(rows))
        squared = ops.maximum(squared, 0)
        chances = ops.exp(ops.log_softmax(without_diagonal(-squared), axis=-1))  # softmax warns of a single row
        return -ops.sum(ops.cast(chances, y_pred.dtype) * code_log_chances(y_pred, self.temperature), axis=-1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "temperature": self.temperature}


def _checked_width(width: Any) -> float:
    if isinstance(width, bool) or not isinstance(width, Real) or not 0 < float(width) < float("inf"):
        raise ParameterError(
            f"`width` must be a positive number, in units of distances. Received: {width!r}. Try .3 of the distance to "
            "the tenth nearest row."
        )
    return float(width)
