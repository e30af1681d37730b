"""A threshold that cuts off what is below and keeps the rest."""

from typing import Any, Self

from codeword import activations
from codeword.backend import keras
from codeword.layers.settings_layer import SettingsLayer
from codeword.settings import number
from codeword.surrogates import SLOPE_SETTINGS

SETTINGS = {"threshold": number(), **SLOPE_SETTINGS}


@keras.saving.register_keras_serializable(package="codeword")
class Threshold(SettingsLayer):
    """Return each input that is at or above the threshold, and 0 for the others.

    Gradient:
        1 at and above the threshold; below it `surrogates.slope_of(threshold - input, slope, width)`, so that an input
        that was cut off can recover.

    Args:
        threshold: Finite float, in units of the input.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input. Inputs much farther below the threshold get almost no gradient.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of any shape and range.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ParameterError: If `threshold` is not finite, `slope` is unknown or `width` is not positive.

    Example:
        >>> keras.ops.convert_to_numpy(Threshold(0.5)(np.array([[0.2, 0.5, 0.75]]))).tolist()
        [[0.0, 0.5, 0.75]]
    """

    def __init__(self, threshold: float = 0.0, *, slope: str = "tanh", width: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep(SETTINGS, threshold=threshold, slope=slope, width=width)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return activations.threshold(inputs, self.threshold, self.slope, self.width)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        # Files of before called it "value".
        return cls(**{"threshold" if name == "value" else name: setting for name, setting in config.items()})
