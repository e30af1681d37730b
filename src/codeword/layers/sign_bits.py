"""Signs in the middle of a network."""

from typing import Any

from codeword import activations
from codeword.backend import keras
from codeword.exact_tensors import widened
from codeword.layers.hard_layer import HardLayer
from codeword.surrogates import SLOPE_SETTINGS

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class SignBits(HardLayer):
    """Return the sign of each input, -1 or +1.

    Zero counts as positive, so every output is exactly one bit. Directly behind a Dense layer it tends to give all rows
    the same code: put `BatchNormalization(center=False, scale=False)` before it.

    Gradient:
        `surrogates.slope_of(|input|, slope, width)`; for "tanh" `1 - tanh(input / width)^2`.

    Args:
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. Inputs much farther from 0 get almost no gradient.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of shape `(..., num_bits)`, any range.

    Returns:
        Tensor of the same shape and dtype; every value is -1.0 or +1.0.

    Raises:
        ParameterError: If `slope` is unknown or `width` is not positive.

    Example:
        >>> keras.ops.convert_to_numpy(SignBits()(np.array([[-0.2, 0.0, 3.0]]))).tolist()
        [[-1.0, 1.0, 1.0]]

    References:
        Hubara et al., "Binarized Neural Networks", 2016, eq. (4), for "window"; there the width is 1.
    """

    def __init__(self, *, slope: str = "tanh", width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep(SLOPE_SETTINGS, slope=slope, width=width)

    def call(self, inputs: Any) -> Any:
        return activations.sign(self.as_called(inputs), self.slope, self.width)

    def symbols(self, inputs: Any) -> Any:
        return ops.cast(self.as_called(inputs) >= 0, "int32")

    def margin(self, inputs: Any) -> Any:
        return ops.abs(widened(self.as_called(inputs)))
