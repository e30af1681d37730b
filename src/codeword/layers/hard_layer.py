"""What all discrete layers share: exact arithmetic under mixed precision, and how near a threshold a value lies."""

from abc import abstractmethod
from typing import Any

from codeword.backend import keras

ops = keras.ops


class HardLayer(keras.layers.Layer):
    """A layer whose outputs are symbols of a code.

    Under a mixed-precision policy it computes in float32, where no two steps collide, unless `dtype` says otherwise.
    """

    def __init__(self, **kwargs: Any) -> None:
        if kwargs.get("dtype") is None and keras.config.dtype_policy().compute_dtype in ("bfloat16", "float16"):
            kwargs["dtype"] = "float32"
        super().__init__(**kwargs)
        self.supports_masking = True

    @abstractmethod
    def symbols(self, inputs: Any) -> Any:
        """Gives the integer that each output stands for, int32."""

    @abstractmethod
    def margin(self, inputs: Any) -> Any:
        """Gives each symbol's distance to the nearest threshold, in units of the input, >= 0."""

    def as_called(self, inputs: Any) -> Any:
        """Gives inputs in the layer's dtype, as outputs are made from, so that symbols fit them bit for bit."""
        return ops.cast(inputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape
