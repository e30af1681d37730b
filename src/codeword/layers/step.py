"""A step: yes or no, from one threshold."""

from typing import Any

from codeword import activations
from codeword.backend import keras
from codeword.exact_tensors import widened
from codeword.layers.hard_layer import HardLayer
from codeword.settings import number
from codeword.surrogates import SLOPE_SETTINGS

ops = keras.ops

SETTINGS = {"threshold": number(), **SLOPE_SETTINGS}


@keras.saving.register_keras_serializable(package="codeword")
class Step(HardLayer):
    """Return 1 where an input is above the threshold, and 0 elsewhere.

    Behind a sigmoid, a threshold of 0.5 asks for more than even odds: `Dense(3, activation="sigmoid")`, `Step(0.5)`.

    Gradient:
        `surrogates.slope_of(|input - threshold|, slope, width)`; for "tanh" `1 - tanh((input - threshold) / width)^2`.

    Args:
        threshold: Finite float, in units of the input.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. Inputs much farther from the threshold get almost no gradient.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of any shape and range.

    Returns:
        Tensor of the same shape and dtype; every value is 0.0 or 1.0.

    Raises:
        ParameterError: If `threshold` is not finite, `slope` is unknown or `width` is not positive.

    Example:
        >>> keras.ops.convert_to_numpy(Step(0.5)(np.array([[0.2, 0.5, 0.7]]))).tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, threshold: float = 0.0, *, slope: str = "tanh", width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep(SETTINGS, threshold=threshold, slope=slope, width=width)

    def call(self, inputs: Any) -> Any:
        return activations.step(self.as_called(inputs), self.threshold, self.slope, self.width)

    def symbols(self, inputs: Any) -> Any:
        return ops.cast(widened(self.as_called(inputs)) > self.threshold, "int32")

    def margin(self, inputs: Any) -> Any:
        return ops.abs(widened(self.as_called(inputs)) - self.threshold)
