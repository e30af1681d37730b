"""A staircase for outputs that take few values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword import random_numbers, surrogates
from codeword.activations import StaircaseActivation, bin_index, widened
from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.layers.hard_layer import HardLayer

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class Staircase(HardLayer):
    """Puts every number on one of the levels.

    Gradient:
        "drawn" and "straight_through": 1 everywhere, so that an output outside the levels finds its way back. The
        others: 1 from the first edge to the last, outside `surrogates.slope_of(distance, slope, width)`.

    With "drawn" the level is drawn in training: noise is added to the input, uniform and as wide as a mean step, so
    that it goes up or down by the odds of how near the edges are. In inference nothing is drawn.

    Args:
        levels: Strictly ascending numbers, not necessarily equally spaced; or their count, for 0, 1, 2, ….
        edges: Where one level ends and the next begins: "midpoint" (the nearest level wins), "floor" ([0, .25) is 0),
            or the `len(levels) - 1` edges themselves. A value on an edge belongs to the upper level.
        slope: "drawn", "straight_through", "window" or "tanh".
        width: Positive float, in units of the input. How far outside the edges an input may lie and still learn under
            "window" and "tanh".
        seed: Of the random numbers of "drawn"; None: from Keras' global seed.

    Call arguments:
        inputs: Float tensor of any shape and range.

    Returns:
        Tensor of the same shape and dtype; every value is a level, or the nearest to it that the dtype has.

    Raises:
        ParameterError: If the levels are unsorted, repeated or fewer than two, an edge lies outside its two levels, or
            two levels are the same number in the layer's dtype.

    Source:
        Gupta et al., "Deep Learning with Limited Numerical Precision", 2015 (stochastic rounding).

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
        slope: str = "drawn",
        width: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.levels = checked_levels(levels)
        self.edges = checked_edges(self.levels, edges)
        surrogates.check_slope(slope, width, ("drawn", *surrogates.SLOPES))
        self.slope = slope
        self.width = float(width)
        self.seed = seed
        if slope == "drawn":
            self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = self.as_called(inputs)
        drawn = self.slope == "drawn"
        slope = "straight_through" if drawn else self.slope
        if drawn and training:
            # With slope 1 the gradient does not depend on where the noise brought the input.
            x = x + ops.cast(self._noise(x), x.dtype)
        return StaircaseActivation(self.levels, self.edges, slope, self.width)(x)

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
        settings = {"levels": list(self.levels), "edges": self.edges, "slope": self.slope, "width": self.width}
        return {**super().get_config(), **settings, "seed": self.seed}

    def _noise(self, x: Any) -> Any:
        step = (self.levels[-1] - self.levels[0]) / (len(self.levels) - 1)
        return step * (random_numbers.uniform(x, self.seed_generator) - 0.5)

    def _edges(self) -> np.ndarray:
        return level_edges(self.levels, self.edges)
