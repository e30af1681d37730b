"""A loss that brings the codes of a group together and keeps the other codes apart."""

from typing import Any

from codeword.backend import keras
from codeword.errors import DataError
from codeword.exact_tensors import as_float_tensor
from codeword.losses.code_similarity import TEMPERATURE, check_codes_shape, code_log_probabilities
from codeword.settings import as_plain

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
def contrast(y_true: Any, y_pred: Any, temperature: float = 0.5) -> Any:
    """Return minus the mean log probability with which each code chooses the other codes of its group.

    Formula:
        `loss_i = -mean over partners j of log softmax over k != i (b_i . b_k / (num_bits temperature))_j`

    Args:
        y_true: Group numbers, integers below 2**24 (the largest that float32 targets hold exactly), shape `(batch,)` or
            `(batch, 1)`.
        y_pred: Codes of shape `(batch, num_bits)`, signs such as the outputs of `layers.SignBits`.
        temperature: As in `Contrast`.

    Returns:
        Tensor of shape `(batch,)`, >= 0; 0 for a row without a partner in the batch.

    Raises:
        DataError: If the shapes do not fit.
    """
    y_true, codes = ops.convert_to_tensor(y_true), as_float_tensor(y_pred)
    check_codes_shape(codes)
    if len(y_true.shape) > 2 or (len(y_true.shape) == 2 and y_true.shape[1] != 1):
        raise DataError(
            f"`y_true` must have one group number per row, shape (batch,): got shape {tuple(y_true.shape)}. "
            "Rows of one group have the same number."
        )
    groups = ops.reshape(y_true, (-1, 1))
    together = ops.cast(ops.equal(groups, ops.transpose(groups)), codes.dtype)
    partners = together * (1 - ops.eye(ops.shape(codes)[0], dtype=codes.dtype))  # (batch, batch)
    cost = -ops.sum(partners * code_log_probabilities(codes, temperature), axis=-1)
    return cost / ops.maximum(ops.sum(partners, axis=-1), 1)


@keras.saving.register_keras_serializable(package="codeword")
class Contrast(keras.losses.Loss):
    """Make codes of one group similar, and codes of different groups different, by `contrast`.

    Each code chooses among the other codes of its batch, with a higher probability for more similar ones. The loss is
    minus the log of the probability that it chooses a code of its own group. Put several rows of each group into a
    batch: a row and an augmented copy, a row and one of its nearest neighbors, or rows of one label. The loss also
    makes the bits used and balanced, because only then can codes differ.

    Args:
        temperature: Positive float. A low temperature (0.1) compares a code with the most similar ones only, and
            separates near rows finely. A high one (0.5) brings whole groups of rows together under few codes.
        **kwargs: `name`, `reduction` and `dtype` of `keras.losses.Loss`.

    Raises:
        ParameterError: If `temperature` is not positive.

    Example:
        >>> loss = Contrast(temperature=0.4)
        >>> codes = np.array([[1.0, 1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, -1.0]])
        >>> round(float(loss(np.array([0, 0, 1, 1]), codes)), 3), round(float(loss(np.array([0, 1, 0, 1]), codes)), 3)
        (0.013, 5.013)

    References:
        Chen et al., "A Simple Framework for Contrastive Learning", 2020 (NT-Xent); Khosla et al., "Supervised
        Contrastive Learning", 2020, eq. (2). Here on signs, so that the product needs no normalization.
    """

    def __init__(self, temperature: float = 0.5, *, name: str = "contrast", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        TEMPERATURE.check("temperature", temperature)
        self.temperature = as_plain(temperature)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return contrast(y_true, y_pred, self.temperature)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}
