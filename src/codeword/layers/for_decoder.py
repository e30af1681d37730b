"""The half of a batch of pairs that a decoder learns from."""

from typing import Any

from codeword.backend import keras

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class ForDecoder(keras.layers.Layer):
    """Return the codes of the first half of a batch, without a gradient.

    Where an encoder learns from pairs of rows, a batch holds the rows and then their partners. A decoder behind this
    layer learns to reconstruct the rows alone, and does not change the codes.

    Gradient:
        0.

    Call arguments:
        inputs: Tensor of shape `(batch, ...)`: the codes of the rows, then those of their partners.

    Returns:
        Tensor of shape `(batch // 2, ...)` and the same dtype.

    Example:
        >>> keras.ops.convert_to_numpy(ForDecoder()(np.array([[1.0], [-1.0], [1.0], [1.0]]))).tolist()
        [[1.0], [-1.0]]
    """

    def call(self, inputs: Any) -> Any:
        return ops.stop_gradient(inputs[: ops.shape(inputs)[0] // 2])

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (None, *input_shape[1:])
