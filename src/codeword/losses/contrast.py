"""Losses that bring codes together which belong together, and keep the others apart."""

from numbers import Real
from typing import Any

from codeword.backend import keras
from codeword.errors import DataError, ParameterError

ops = keras.ops


def code_log_chances(codes: Any, temperature: float) -> Any:
    """Gives for each code the log of the chance by which it would choose each other code of the batch.

        log softmax over j != i of  b_i . b_j / (num_bits temperature)

    Args:
        codes: Float tensor of shape `(batch, num_bits)`, signs.
        temperature: Positive.

    Returns:
        Tensor of shape `(batch, batch)`; about -1e9 on the diagonal.
    """
    scale = 1.0 / (codes.shape[-1] * temperature)
    return ops.log_softmax(without_diagonal(ops.matmul(codes, ops.transpose(codes)) * scale), axis=-1)


@keras.saving.register_keras_serializable(package="codeword")
class Contrast(keras.losses.Loss):
    """Makes codes similar that have the same number, and different those that have not.

    Each code chooses among the others of its batch, the more similar ones more likely; the loss is minus the log of the
    chance that it chooses one of its own number. Give several rows of each number into a batch: a row and a varied copy
    of it, a row and one of its nearest rows, or rows of one label. Bits become used and balanced by themselves,
    because only then can codes be different.

    Formula:
        `loss_i = -mean over partners j of log softmax over k != i (b_i . b_k / (num_bits temperature))_j`

    Args:
        temperature: Positive. Low (.1), only the most similar others count, and near rows are told apart finely; high
            (.5), whole groups of rows come together under few codes.

    Call arguments:
        y_true: Whole numbers below 2**24, which Keras' float32 targets hold, shape `(batch,)` or `(batch, 1)`: which
            rows belong together. A row whose number no other row has costs nothing.
        y_pred: Codes of shape `(batch, num_bits)`, signs as `layers.SignBits` gives them.

    Raises:
        ParameterError: If `temperature` is not positive.

    Example:
        >>> loss = Contrast(temperature=.4)
        >>> codes = np.array([[1., 1.], [1., 1.], [-1., -1.], [-1., -1.]])
        >>> round(float(loss(np.array([0, 0, 1, 1]), codes)), 3), round(float(loss(np.array([0, 1, 0, 1]), codes)), 3)
        (0.013, 5.013)

    Source:
        Chen et al., "A Simple Framework for Contrastive Learning", 2020 (NT-Xent); Khosla et al., "Supervised
        Contrastive Learning", 2020, eq. (2). Differs: on signs, so the product needs no normalization.
    """

    def __init__(self, temperature: float = 0.5, *, name: str = "contrast", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self.temperature = checked_temperature(temperature)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        check_codes_shape(y_pred)
        if len(y_true.shape) > 2 or (len(y_true.shape) == 2 and y_true.shape[1] != 1):
            raise DataError(
                f"`y_true` must be one whole number a row, shape (batch,). Received: shape {tuple(y_true.shape)}. "
                "Rows of one number belong together."
            )
        numbers = ops.reshape(y_true, (-1, 1))
        together = ops.cast(ops.equal(numbers, ops.transpose(numbers)), y_pred.dtype)
        partners = together * (1 - ops.eye(ops.shape(y_pred)[0], dtype=y_pred.dtype))
        cost = -ops.sum(partners * code_log_chances(y_pred, self.temperature), axis=-1)
        return cost / ops.maximum(ops.sum(partners, axis=-1), 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "temperature": self.temperature}


def checked_temperature(temperature: Any) -> float:
    """Refuses a temperature that is not a positive number."""
    if isinstance(temperature, bool) or not isinstance(temperature, Real) or not 0 < float(temperature) < float("inf"):
        raise ParameterError(f"`temperature` must be a positive number. Received: {temperature!r}. Try 0.5.")
    return float(temperature)


def check_codes_shape(codes: Any) -> None:
    """Refuses predictions that are not one code a row."""
    if len(codes.shape) != 2:
        raise DataError(
            f"`y_pred` must be codes of shape (batch, num_bits). Received: shape {tuple(codes.shape)}. Flatten them."
        )


def without_diagonal(logits: Any) -> Any:
    """Makes it impossible to choose oneself."""
    size = ops.shape(logits)[0]
    # exp of it is 0; float16 holds no more.
    never = -3e4 if keras.backend.standardize_dtype(logits.dtype) == "float16" else -1e9
    return ops.where(ops.cast(ops.eye(size), "bool"), ops.cast(never, logits.dtype), logits)
