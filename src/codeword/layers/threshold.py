"""A threshold that cuts off what is below and keeps the rest."""

from typing import Any

from codeword import activations, surrogates
from codeword.backend import keras


@keras.saving.register_keras_serializable(package="codeword")
class Threshold(keras.layers.Layer):
    """Keeps every input from `value` on, and gives 0 for what is below.

    Gradient:
        1 where an input is kept; below `surrogates.slope_of(value - input, slope, width)`, so that what was cut off
        finds its way back.

    Args:
        value: Finite float, in units of the input.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. How far below the threshold an input may lie and still learn.

    Call arguments:
        inputs: Float tensor of any shape and range.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ParameterError: If a setting cannot work.

    Example:
        >>> kept = Threshold(0.5)(np.array([[0.2, 0.5, 0.75]]))
        >>> keras.ops.convert_to_numpy(kept).tolist()
        [[0.0, 0.5, 0.75]]
    """

    def __init__(self, value: float = 0.0, *, slope: str = "tanh", width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        activations.check_threshold("value", value)
        surrogates.check_slope(slope, width)
        self.value = float(value)
        self.slope = slope
        self.width = float(width)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.threshold(inputs, self.value, self.slope, self.width)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "value": self.value, "slope": self.slope, "width": self.width}
