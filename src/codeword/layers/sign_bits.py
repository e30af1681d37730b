"""Signs in the middle of a network."""

from typing import Any

from codeword import activations, surrogates
from codeword.backend import keras
from codeword.layers.hard_layer import HardLayer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class SignBits(HardLayer):
    """Turns every number into its sign, -1 or +1.

    Zero counts as positive, so that each output is exactly one bit. Alone behind a Dense layer it tends to give all
    rows the same code; put `BatchNormalization(center=False, scale=False)` before it.

    Gradient:
        `surrogates.slope_of(|input|, slope, width)`; for "tanh" `1 - tanh(input / width)^2`.

    Args:
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. How far from zero an input may lie and still learn.

    Call arguments:
        inputs: Float tensor of shape `(..., num_bits)`, any range.

    Returns:
        Tensor of the same shape and dtype; every value is -1.0 or +1.0.

    Raises:
        ParameterError: If `slope` is unknown or `width` is not positive.

    Example:
        >>> bits = SignBits()(np.array([[-0.2, 0.0, 3.0]]))
        >>> keras.ops.convert_to_numpy(bits).tolist()
        [[-1.0, 1.0, 1.0]]

    Source:
        Hubara et al., "Binarized Neural Networks", 2016, eq. (4), for "window". Differs: the width is a parameter,
        there it is 1.
    """

    def __init__(self, *, slope: str = "tanh", width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        surrogates.check_slope(slope, width)
        self.slope = slope
        self.width = float(width)

    def call(self, inputs: Any) -> Any:
        return activations.sign(self.as_called(inputs), self.slope, self.width)

    def symbols(self, inputs: Any) -> Any:
        return ops.cast(self.as_called(inputs) >= 0, "int32")

    def margin(self, inputs: Any) -> Any:
        return ops.abs(activations.widened(self.as_called(inputs)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "slope": self.slope, "width": self.width}
