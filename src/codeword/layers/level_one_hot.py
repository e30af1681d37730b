"""Levels as categories at the input of a network."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_levels, level_edges
from codeword.exact_tensors import bin_index

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class LevelOneHot(keras.layers.Layer):
    """Return the one-hot of each value's nearest level.

    With this input a network sees four gray levels as four categories, which helps far more than the choice of the
    loss.

    Gradient:
        0: the layer is meant for the input of a network.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Tensor of any shape: values of the levels.

    Returns:
        Float tensor of shape `(*inputs.shape, len(levels))`: along the last axis one 1, the rest 0.

    Raises:
        ParameterError: If the levels are unsorted, repeated or fewer than two.

    Example:
        >>> keras.ops.convert_to_numpy(LevelOneHot([0, 0.5, 1])(np.array([[0.5]]))).tolist()
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
