"""A step: yes or no, from one threshold."""

from typing import Any

from codeword import activations, surrogates
from codeword.backend import keras
from codeword.layers.hard_layer import HardLayer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class Step(HardLayer):
    """Gives 1 where an input is above the threshold, else 0.

    Behind a sigmoid a threshold of .5 asks for more than even odds: `Dense(3, activation="sigmoid")`, `Step(0.5)`.

    Gradient:
        `surrogates.slope_of(|input - threshold|, slope, width)`.

    Args:
        threshold: Finite float, in units of the input.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. How far from the threshold an input may lie and still learn.

    Call arguments:
        inputs: Float tensor of any shape and range.

    Returns:
        Tensor of the same shape and dtype; every value is 0.0 or 1.0.

    Raises:
        ParameterError: If a setting cannot work.

    Example:
        >>> above = Step(0.5)(np.array([[0.2, 0.5, 0.7]]))
        >>> keras.ops.convert_to_numpy(above).tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, threshold: float = 0.0, *, slope: str = "tanh", width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        activations.check_threshold("threshold", threshold)
        surrogates.check_slope(slope, width)
        self.threshold = float(threshold)
        self.slope = slope
        self.width = float(width)

    def call(self, inputs: Any) -> Any:
        return activations.step(self.as_called(inputs), self.threshold, self.slope, self.width)

    def symbols(self, inputs: Any) -> Any:
        return ops.cast(activations.widened(self.as_called(inputs)) > self.threshold, "int32")

    def margin(self, inputs: Any) -> Any:
        return ops.abs(activations.widened(self.as_called(inputs)) - self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "threshold": self.threshold, "slope": self.slope, "width": self.width}
