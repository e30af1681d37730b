"""The code layer of floats, which rounds nothing."""

from typing import Any

from codeword.backend import keras
from codeword.layers.hard_layer import HardLayer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class NoCode(HardLayer):
    """Passes floats through: the code layer of `Floats`, without symbols to be near to."""

    def call(self, inputs: Any) -> Any:
        return inputs

    def symbols(self, inputs: Any) -> Any:
        return inputs

    def margin(self, inputs: Any) -> Any:
        return ops.full_like(inputs, float("inf"))
