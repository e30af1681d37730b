"""Levels as categories at the input of a network."""

from collections.abc import Sequence
from typing import Any

from codeword.activations import bin_index
from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_levels, level_edges

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class LevelOneHot(keras.layers.Layer):
    """Turns every value into the one-hot of its nearest level.

    Fed so, a network sees four greys as four categories, which is worth far more than the choice of the loss.

    Gradient:
        0: meant for the input of a network.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….

    Call arguments:
        inputs: Tensor of any shape: values of the levels.

    Returns:
        Float tensor with one more axis, the last, of `len(levels)`: one 1, the rest 0.

    Example:
        >>> one_hot = LevelOneHot([0, .5, 1])(np.array([[.5]]))
        >>> keras.ops.convert_to_numpy(one_hot).tolist()
        [[[0.0, 1.0, 0.0]]]
    """

    def __init__(self, levels: int | Sequence[float], **kwargs: Any) -> None:
        # No autocast: in bfloat16 neighboring levels could become one.
        super().__init__(**{"autocast": False, **kwargs})
        self.levels = checked_levels(levels)

    def call(self, inputs: Any) -> Any:
        nearest = bin_index(inputs, level_edges(self.levels, "midpoint"))
        return ops.one_hot(nearest, len(self.levels), dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, len(self.levels))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "levels": list(self.levels)}
