"""Hard activations for any Keras layer: exact values forward, a surrogate slope backward.

    keras.layers.Dense(3, activation=activations.hardmax)
    keras.layers.Dense(64, activation=activations.staircase([0, 0.25, 0.5, 0.75]))

Every function keeps shape and dtype, compares in float32 or wider, returns NaN for NaN, and saturates at infinity.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword import surrogates
from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.exact_tensors import as_float_tensor, representable, widened
from codeword.settings import as_plain, integer, number, optional
from codeword.surrogates import SLOPE_SETTINGS

ops = keras.ops
register = keras.saving.register_keras_serializable(package="codeword")


@register
def sign(x: Any, slope: str = "tanh", width: float = 1.0) -> Any:
    """Return the sign of each number, -1 or +1.

    Zero counts as positive, so every output is exactly one bit.

    Gradient:
        `surrogates.slope_of(|x|, slope, width)`; for "tanh" `1 - tanh(x / width)^2`.

    Args:
        x: Float tensor of any shape and range.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of `x`. Numbers much farther from 0 get almost no gradient.

    Returns:
        Tensor of the same shape and dtype; every value is -1 or +1.

    Raises:
        ParameterError: If `slope` is unknown or `width` is not positive.

    Example:
        >>> sign(np.array([-0.2, 0.0, 3.0], "float32")).tolist()
        [-1.0, 1.0, 1.0]
    """
    return _stairs(x, np.array([-1.0, 1.0]), np.array([0.0]), slope, width)


@register
def step(x: Any, threshold: float = 0.0, slope: str = "tanh", width: float = 1.0) -> Any:
    """Return 1 where a number is above the threshold, and 0 elsewhere.

    Gradient:
        `surrogates.slope_of(|x - threshold|, slope, width)`; for "tanh" `1 - tanh((x - threshold) / width)^2`.

    Args:
        x: Float tensor of any shape and range.
        threshold: Finite float, in units of `x`.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of `x`. Numbers much farther from the threshold get almost no gradient.

    Returns:
        Tensor of the same shape and dtype; every value is 0 or 1.

    Raises:
        ParameterError: If `threshold` is not finite, `slope` is unknown or `width` is not positive.

    Example:
        >>> step(np.array([-0.2, 0.0, 3.0], "float32")).tolist()
        [0.0, 0.0, 1.0]
    """
    number().check("threshold", threshold)
    return _stairs(x, np.array([0.0, 1.0]), np.array([threshold], np.float64), slope, width, upper_on_edge=False)


@register
def hardmax(x: Any, axis: int = -1, temperature: float = 1.0) -> Any:
    """Return the one-hot of the maximum; the first of equal maxima wins.

    Gradient:
        The gradient of `softmax(x / temperature)` along `axis`.

    Args:
        x: Float tensor of rank 1 or more: scores, any range.
        axis: Axis of the choice.
        temperature: Positive float, in units of `x`.

    Returns:
        Tensor of the same shape and dtype: along `axis` one 1, the rest 0.

    Raises:
        ParameterError: If `axis` is not an integer or `temperature` is not positive.

    Example:
        >>> hardmax(np.array([[0.1, 0.7, 0.7]], "float32")).tolist()
        [[0.0, 1.0, 0.0]]

    References:
        Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, section 2.2, without the noise.
    """
    integer(None).check("axis", axis)
    surrogates.TEMPERATURE.check("temperature", temperature)
    return surrogates.choice(x, axis, "softmax", temperature)


@register
def threshold(x: Any, threshold: float = 0.0, slope: str = "tanh", width: float = 1.0) -> Any:
    """Return each number that is at or above the threshold, and 0 for the others.

    Gradient:
        1 at and above the threshold; below it `surrogates.slope_of(threshold - x, slope, width)`, so that a number that
        was cut off can recover.

    Args:
        x: Float tensor of any shape and range.
        threshold: Finite float, in units of `x`.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of `x`. Numbers much farther below the threshold get almost no gradient.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ParameterError: If `threshold` is not finite, `slope` is unknown or `width` is not positive.

    Example:
        >>> threshold(np.array([0.2, 0.5, 3.0], "float32"), 0.5).tolist()
        [0.0, 0.5, 3.0]
    """
    number().check("threshold", threshold)
    _check_slope(slope, width)
    x = as_float_tensor(x)
    wide = widened(x)
    hard = ops.where(wide >= threshold, x, ops.zeros_like(x))
    distance = ops.maximum(threshold - wide, 0)
    return surrogates.with_slope(hard, x, ops.cast(surrogates.slope_of(distance, slope, width), x.dtype))


def staircase(
    levels: int | Sequence[float],
    edges: str | Sequence[float] = "midpoint",
    slope: str = "straight_through",
    width: float | None = None,
) -> "StaircaseActivation":
    """Return an activation that puts every number on a level, or the nearest number that the dtype has.

    Gradient:
        1 from the first edge to the last; outside `surrogates.slope_of(distance, slope, width)`.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint" (the nearest level wins), "floor", or the edges themselves; see `Levels`.
        slope: "straight_through", "tanh" or "window". "straight_through" trains from any start. In docs/slopes.md the
            others had fewer wrong cells, but they do not train where the input starts far outside the levels.
        width: Positive float, in units of the input. With "tanh" and "window", numbers much farther outside the edges
            get almost no gradient. None: a twelfth of the range of the levels.

    Returns:
        A `StaircaseActivation`, a callable that Keras can save, for `activation=` of any layer.

    Raises:
        ParameterError: If the levels, edges, slope or width cannot work.

    Example:
        >>> staircase([0, 0.25, 0.5, 0.75], edges="floor")(np.array([-1, 0.2, 0.5, 9], "float32")).tolist()
        [0.0, 0.0, 0.5, 0.75]
    """
    return StaircaseActivation(levels, edges, slope, width)


@register
class StaircaseActivation:
    """The activation that `staircase` returns, with the same arguments: it puts every number on a level."""

    def __init__(
        self,
        levels: int | Sequence[float],
        edges: str | Sequence[float] = "midpoint",
        slope: str = "straight_through",
        width: float | None = None,
    ) -> None:
        self.levels = checked_levels(levels)
        self.edges = checked_edges(self.levels, edges)
        _check_slope(slope, width, may_be_none=True)
        self.slope = slope
        self.width = as_plain(width)

    @property
    def __name__(self) -> str:
        return "staircase"

    def __call__(self, x: Any) -> Any:
        width = (self.levels[-1] - self.levels[0]) / 12 if self.width is None else self.width
        return _stairs(x, np.array(self.levels), level_edges(self.levels, self.edges), self.slope, width)

    def get_config(self) -> dict[str, Any]:
        return {"levels": list(self.levels), "edges": self.edges, "slope": self.slope, "width": self.width}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StaircaseActivation":
        return cls(**config)


def _stairs(
    x: Any, levels: np.ndarray, edges: np.ndarray, slope: str, width: float, *, upper_on_edge: bool = True
) -> Any:
    _check_slope(slope, width)
    x = as_float_tensor(x)
    wide = widened(x)
    table = ops.convert_to_tensor(representable(levels, keras.backend.standardize_dtype(x.dtype)), x.dtype)
    thresholds = ops.convert_to_tensor(edges, wide.dtype)
    above = wide[..., None] >= thresholds if upper_on_edge else wide[..., None] > thresholds
    # Levels are looked up, never computed: a formula is one ulp off between eager and compiled TensorFlow.
    hard = ops.take(table, ops.sum(ops.cast(above, "int32"), axis=-1))
    distance = ops.maximum(ops.maximum(edges[0] - wide, wide - edges[-1]), 0)
    return surrogates.with_slope(hard, x, ops.cast(surrogates.slope_of(distance, slope, width), x.dtype))


def _check_slope(slope: str, width: float | None, *, may_be_none: bool = False) -> None:
    SLOPE_SETTINGS["slope"].check("slope", slope)
    (optional(SLOPE_SETTINGS["width"]) if may_be_none else SLOPE_SETTINGS["width"]).check("width", width)
