"""The half of a batch of pairs that a decoder learns on."""

from typing import Any

from codeword.backend import keras

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class ForDecoder(keras.layers.Layer):
    """Gives the codes of a batch's first half, without a gradient to them: what a decoder may learn on."""

    def call(self, inputs: Any) -> Any:
        return ops.stop_gradient(inputs[: ops.shape(inputs)[0] // 2])

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (None, *input_shape[1:])
