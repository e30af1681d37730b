"""Base class of the layers whose outputs are symbols of a code."""

from abc import abstractmethod
from typing import Any

from codeword.backend import keras
from codeword.layers.settings_layer import SettingsLayer, without_half_precision

ops = keras.ops


class HardLayer(SettingsLayer):
    """Base class of layers that turn numbers into symbols: exact arithmetic, symbols, and the distance to a threshold.

    Under a mixed-precision policy the layer computes in float32, where no two levels collide, unless `dtype` says
    otherwise.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**without_half_precision(kwargs))
        self.supports_masking = True

    @abstractmethod
    def symbols(self, inputs: Any) -> Any:
        """Return the integer that each output stands for: int32, for a choice without its axis."""

    @abstractmethod
    def margin(self, inputs: Any) -> Any:
        """Return the distance of each symbol to the nearest threshold: floats >= 0, in units of the input."""

    def as_called(self, inputs: Any) -> Any:
        """Return inputs in the layer's dtype, as `call` receives them, so that symbols match outputs bit for bit."""
        return ops.cast(inputs, self.compute_dtype)
