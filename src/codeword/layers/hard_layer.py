"""Base class of the layers whose outputs are symbols of a code."""

from abc import abstractmethod
from typing import Any

from codeword.backend import keras

ops = keras.ops


class HardLayer(keras.layers.Layer):
    """Base class of layers that turn numbers into symbols: exact arithmetic, symbols, and the distance to a threshold.

    Under a mixed-precision policy the layer computes in float32, where no two levels collide, unless `dtype` says
    otherwise.

    Args:
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….
    """

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.get("dtype") is None and keras.config.dtype_policy().compute_dtype in ("bfloat16", "float16"):
            kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.supports_masking = True

    @abstractmethod
    def symbols(self, inputs: Any) -> Any:
        """Return the integer that each output stands for.

        Args:
            inputs: Float tensor, as the layer is called with.

        Returns:
            int32 tensor, of the shape of the inputs or without the axis of a choice.
        """

    @abstractmethod
    def margin(self, inputs: Any) -> Any:
        """Return the distance of each symbol to the nearest threshold.

        Args:
            inputs: Float tensor, as the layer is called with.

        Returns:
            Float tensor of the shape of `symbols`, >= 0, in units of the input.
        """

    def as_called(self, inputs: Any) -> Any:
        """Return inputs in the layer's dtype, as `call` receives them, so that symbols match outputs bit for bit."""
        return ops.cast(inputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
