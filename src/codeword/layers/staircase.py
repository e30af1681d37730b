"""A staircase for outputs that take few values."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword import random_numbers
from codeword.activations import StaircaseActivation
from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.exact_tensors import bin_index, widened
from codeword.layers.hard_layer import HardLayer
from codeword.settings import TRAINING, one_of, optional
from codeword.surrogates import SLOPE_SETTINGS, SLOPES

ops = keras.ops

SETTINGS = {
    "slope": one_of(*SLOPES, "drawn"),
    "width": optional(SLOPE_SETTINGS["width"]),
    "seed": optional(TRAINING["seed"]),
}


@keras.saving.register_keras_serializable(package="codeword")
class Staircase(HardLayer):
    """Return the level on which each input lies.

    With `slope="drawn"` the level is drawn in training: uniform noise as wide as the mean distance of two levels is
    added to the input, so that it goes up or down with probabilities that depend on how near the edges are. In
    inference nothing is drawn. The activation `activations.staircase` has the same defaults, but cannot draw.

    Gradient:
        "straight_through" and "drawn": 1 everywhere. "tanh" and "window": 1 from the first edge to the last, outside
        `surrogates.slope_of(distance, slope, width)`.

    Args:
        levels: Strictly ascending numbers, not necessarily equally spaced; or their count, for 0, 1, 2, ….
        edges: Where one level ends and the next begins: "midpoint" (the nearest level wins), "floor" ([0, 0.25) is 0),
            or the `len(levels) - 1` edges themselves. A value on an edge belongs to the upper level.
        slope: "straight_through", "drawn", "tanh" or "window". In docs/slopes.md "drawn" had the fewest wrong cells,
            then "tanh" and "window", which do not train where the input starts far outside the levels.
        width: Positive float, in units of the input. With "tanh" and "window", inputs much farther outside the edges
            get almost no gradient. None: a twelfth of the range of the levels.
        seed: Of "drawn": integer from 0 to 2**32 - 1. None: derived from Keras' global seed.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of any shape and range.
        training: Whether "drawn" draws.

    Returns:
        Tensor of the same shape and dtype; every value is a level, or the nearest number that the dtype has.

    Raises:
        ParameterError: If the levels are unsorted, repeated or fewer than two, an edge lies outside its two levels, or
            two levels are the same number in the layer's dtype.

    Example:
        >>> stairs = Staircase([0, 0.25, 0.5, 0.75], edges="floor")
        >>> keras.ops.convert_to_numpy(stairs(np.array([[-1.0, 0.2, 0.5, 9.0]]))).tolist()
        [[0.0, 0.0, 0.5, 0.75]]

    References:
        Gupta et al., "Deep Learning with Limited Numerical Precision", 2015 (stochastic rounding, "drawn").
    """

    def __init__(
        self,
        levels: int | Sequence[float],
        *,
        edges: str | Sequence[float] = "midpoint",
        slope: str = "straight_through",
        width: float | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.levels = checked_levels(levels)
        self.edges = checked_edges(self.levels, edges)
        self.keep(SETTINGS, slope=slope, width=width, seed=seed)
        if slope == "drawn":
            self.seed_generator = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        x = self.as_called(inputs)
        drawn = self.slope == "drawn"
        slope = "straight_through" if drawn else self.slope
        if drawn and training:
            # With slope 1 the gradient does not depend on where the noise moved the input.
            mean_distance = (self.levels[-1] - self.levels[0]) / (len(self.levels) - 1)
            noise = mean_distance * (random_numbers.uniform(x, self.seed_generator) - 0.5)
            x = x + ops.cast(noise, x.dtype)
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
        return {**super().get_config(), "levels": list(self.levels), "edges": self.edges}

    def _edges(self) -> np.ndarray:
        return level_edges(self.levels, self.edges)
