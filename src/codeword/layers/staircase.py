"""A staircase for outputs that take few values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword.activations import StaircaseActivation, bin_index, widened
from codeword.backend import keras
from codeword.layers.hard_layer import HardLayer
from codeword.levels import level_edges

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class Staircase(HardLayer):
    """Puts every number on one of the levels.

    Gradient:
        1 from the first edge to the last; outside `surrogates.slope_of(distance, slope, width)`. The default,
        "straight_through", is 1 everywhere, so that an output outside the levels finds its way back.

    Args:
        levels: Strictly ascending numbers, not necessarily equally spaced; or their count, for 0, 1, 2, ….
        edges: Where one level ends and the next begins: "midpoint" (the nearest level wins), "floor" ([0, .25) is 0),
            or the `len(levels) - 1` edges themselves. A value on an edge belongs to the upper level.
        slope: "straight_through", "window", "tanh" or "sigmoid".
        width: Positive float, in units of the input. How far outside the edges an input may lie and still learn.

    Call arguments:
        inputs: Float tensor of any shape and range.

    Returns:
        Tensor of the same shape and dtype; every value is a level, or the nearest to it that the dtype has.

    Raises:
        ParameterError: If the levels are unsorted, repeated or fewer than two, an edge lies outside its two levels, or
            two levels are the same number in the layer's dtype.

    Example:
        >>> stairs = Staircase([0, .25, .5, .75], edges="floor")
        >>> keras.ops.convert_to_numpy(stairs(np.array([[-1., .2, .5, 9.]]))).tolist()
        [[0.0, 0.0, 0.5, 0.75]]
    """

    def __init__(
        self,
        levels: int | Sequence[float],
        *,
        edges: str | Sequence[float] = "midpoint",
        slope: str = "straight_through",
        width: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.activation = StaircaseActivation(levels, edges, slope, width)

    def call(self, inputs: Any) -> Any:
        return self.activation(self.as_called(inputs))

    def symbols(self, inputs: Any) -> Any:
        return bin_index(self.as_called(inputs), self._edges())

    def margin(self, inputs: Any) -> Any:
        x = widened(self.as_called(inputs))
        edges = ops.convert_to_tensor(self._edges(), x.dtype)
        index = bin_index(x, self._edges())
        below = ops.take(edges, ops.maximum(index - 1, 0))
        above = ops.take(edges, ops.minimum(index, len(self._edges()) - 1))
        return ops.minimum(ops.abs(x - below), ops.abs(x - above))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.activation.get_config()}

    def _edges(self) -> np.ndarray:
        return level_edges(self.activation.levels, self.activation.edges)
