"""The code layer of plain floats, which rounds nothing."""

from typing import Any

from codeword.backend import keras
from codeword.layers.hard_layer import HardLayer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class NoCode(HardLayer):
    """Return the inputs unchanged: the code layer of `Floats`.

    The symbols are the inputs themselves, and their margin is infinite, because there is no threshold.

    Example:
        >>> keras.ops.convert_to_numpy(NoCode()(np.array([[-0.5, 2.0]]))).tolist()
        [[-0.5, 2.0]]
    """

    def call(self, inputs: Any) -> Any:
        return inputs

    def symbols(self, inputs: Any) -> Any:
        return inputs

    def margin(self, inputs: Any) -> Any:
        return ops.full_like(inputs, float("inf"))
