"""The part of a batch of rows and partners that a decoder learns from."""

from typing import Any

from codeword.backend import keras
from codeword.layers.settings_layer import SettingsLayer
from codeword.settings import integer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class ForDecoder(SettingsLayer):
    """Return the codes of the first part of a batch, without a gradient.

    Where an encoder learns from similar rows, a batch holds the rows and then their partners. A decoder behind this
    layer learns to reconstruct the rows alone, and does not change the codes.

    Gradient:
        0.

    Args:
        parts: Number of equal parts of a batch: 2 for rows and one partner of each.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Tensor of shape `(batch, ...)`: the codes of the rows, then those of their partners.

    Returns:
        Tensor of shape `(batch // parts, ...)` and the same dtype.

    Raises:
        ParameterError: If `parts` is no integer above 1.

    Example:
        >>> keras.ops.convert_to_numpy(ForDecoder()(np.array([[1.0], [-1.0], [1.0], [1.0]]))).tolist()
        [[1.0], [-1.0]]
    """

    def __init__(self, parts: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep({"parts": integer(2)}, parts=parts)

    def call(self, inputs: Any) -> Any:
        return ops.stop_gradient(inputs[: ops.shape(inputs)[0] // self.parts])

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (None, *input_shape[1:])
