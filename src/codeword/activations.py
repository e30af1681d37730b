"""Hard activations for any Keras layer: exact values forward, a surrogate slope backward.

    keras.layers.Dense(3, activation=activations.hardmax)
    keras.layers.Dense(64, activation=activations.staircase([0, .25, .5, .75]))

Every function keeps shape and dtype, compares in float32 or wider, gives NaN for NaN, and saturates at infinity.
"""

from collections.abc import Sequence
from typing import Any

import ml_dtypes
import numpy as np

from codeword import surrogates
from codeword.backend import keras
from codeword.data_kinds.level_edges import checked_edges, checked_levels, level_edges
from codeword.errors import ParameterError

ops = keras.ops
register = keras.saving.register_keras_serializable(package="codeword")


@register
def sign(x: Any, slope: str = "tanh", width: float = 1.0) -> Any:
    """Turns every number into its sign, -1 or +1; zero counts as positive, so that each is exactly one bit.

    Gradient:
        `surrogates.slope_of(|x|, slope, width)`.

    Args:
        x: Float tensor of any shape.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of `x`: how far from zero an input may lie and still learn.

    Returns:
        Tensor like `x`; every value is -1 or +1.

    Example:
        >>> sign(np.array([-0.2, 0.0, 3.0], "float32")).tolist()
        [-1.0, 1.0, 1.0]
    """
    return _stairs(x, np.array([-1.0, 1.0]), np.array([0.0]), slope, width)


@register
def step(x: Any, threshold: float = 0.0, slope: str = "tanh", width: float = 1.0) -> Any:
    """Gives 1 where `x` is above the threshold, else 0.

    Gradient:
        `surrogates.slope_of(|x - threshold|, slope, width)`.

    Args:
        x: Float tensor of any shape.
        threshold: Float, in units of `x`.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of `x`.

    Returns:
        Tensor like `x`; every value is 0 or 1.

    Example:
        >>> step(np.array([-0.2, 0.0, 3.0], "float32")).tolist()
        [0.0, 0.0, 1.0]
    """
    check_threshold("threshold", threshold)
    return _stairs(x, np.array([0.0, 1.0]), np.array([threshold], np.float64), slope, width, upper_on_edge=False)


@register
def hardmax(x: Any, axis: int = -1, temperature: float = 1.0) -> Any:
    """Gives the one-hot of the maximum; among equals the first wins.

    Gradient:
        That of `softmax(x / temperature)` along `axis`.

    Args:
        x: Float tensor of any rank above 0: scores, any range.
        axis: Axis of the choice.
        temperature: Positive float, in units of `x`, for the softmax.

    Returns:
        Tensor like `x`: along `axis` one 1, the rest 0.

    Example:
        >>> hardmax(np.array([[0.1, 0.7, 0.7]], "float32")).tolist()
        [[0.0, 1.0, 0.0]]

    Source:
        Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, section 2.2, without the noise.
    """
    check_temperature("temperature", temperature)
    return choice(x, axis, "softmax", temperature)


@register
def threshold(x: Any, value: float = 0.0, slope: str = "tanh", width: float = 1.0) -> Any:
    """Keeps every number from `value` on, and gives 0 for what is below.

    Gradient:
        1 where `x` is kept; below `surrogates.slope_of(value - x, slope, width)`, so that what was cut off finds back.

    Args:
        x: Float tensor of any shape.
        value: Float, in units of `x`.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of `x`.

    Returns:
        Tensor like `x`.

    Example:
        >>> threshold(np.array([0.2, 0.5, 3.0], "float32"), 0.5).tolist()
        [0.0, 0.5, 3.0]
    """
    surrogates.check_slope(slope, width)
    check_threshold("value", value)
    x = _as_float_tensor(x)
    wide = widened(x)
    hard = ops.where(wide >= value, x, ops.zeros_like(x))
    distance = ops.maximum(value - wide, 0)
    return surrogates.with_slope(hard, x, ops.cast(surrogates.slope_of(distance, slope, width), x.dtype))


def staircase(
    levels: int | Sequence[float],
    edges: str | Sequence[float] = "midpoint",
    slope: str = "straight_through",
    width: float = 1.0,
) -> "StaircaseActivation":
    """Makes an activation that puts every number on a level.

    Args:
        levels: Strictly ascending numbers, or their count for 0, 1, 2, ….
        edges: "midpoint" (the nearest level wins), "floor", or the edges themselves; see `Levels`.
        slope: "tanh", "window" or "straight_through".
        width: Positive float, in units of the input: how far outside the edges an input may lie and still learn.

    Returns:
        A callable that Keras can save, for `activation=` of any layer.

    Raises:
        ParameterError: If the levels, edges, slope or width cannot work.

    Example:
        >>> staircase([0, .25, .5, .75], edges="floor")(np.array([-1, .2, .5, 9], "float32")).tolist()
        [0.0, 0.0, 0.5, 0.75]
    """
    return StaircaseActivation(levels, edges, slope, width)


@register
class StaircaseActivation:
    """What `staircase` makes: `levels`, `edges`, `slope` and `width`, and a call.

    Gradient:
        1 from the first edge to the last; outside `surrogates.slope_of(distance, slope, width)`.
    """

    def __init__(
        self,
        levels: int | Sequence[float],
        edges: str | Sequence[float] = "midpoint",
        slope: str = "straight_through",
        width: float = 1.0,
    ) -> None:
        self.levels = checked_levels(levels)
        self.edges = checked_edges(self.levels, edges)
        self.slope = slope
        self.width = width
        surrogates.check_slope(slope, width)

    @property
    def __name__(self) -> str:
        return "staircase"

    def __call__(self, x: Any) -> Any:
        return _stairs(x, np.array(self.levels), level_edges(self.levels, self.edges), self.slope, self.width)

    def get_config(self) -> dict[str, Any]:
        return {"levels": list(self.levels), "edges": self.edges, "slope": self.slope, "width": self.width}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "StaircaseActivation":
        return cls(**config)


def check_temperature(name: str, value: float) -> None:
    """Refuses a temperature that is not positive, or that float32 does not have."""
    smallest, largest = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.integer | np.floating)
        or not smallest <= value <= largest
    ):
        raise ParameterError(
            f"`{name}` must be a positive number, in units of the scores, from 1.2e-38 to 3.4e38. Received: {value!r}."
        )


def check_threshold(name: str, value: float) -> None:
    """Refuses a threshold that is no finite number."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float | np.integer | np.floating)
        or not -np.inf < value < np.inf
    ):
        raise ParameterError(f"`{name}` must be a finite number, in units of the input. Received: {value!r}.")


def choice(x: Any, axis: int, slope: str, temperature: Any, *, noise: Any = None) -> Any:
    """Gives the one-hot of the maximum of scores, or of scores and noise, with the gradient of a softmax.

    Args:
        x: Float tensor of any rank above 0: scores, any range.
        axis: Axis of the choice.
        slope: "softmax" (with noise it is Gumbel-softmax) or "reinmax".
        temperature: Positive number, or tensor of one.
        noise: Tensor like `x`, added to the scores before the choice; None for none.

    Returns:
        Tensor like `x`: along `axis` one 1, the rest 0; NaN throughout where a score is NaN.
    """
    x = _as_float_tensor(x)
    wide = widened(x)
    scores = ops.where(ops.isinf(wide), _finite_limit(x.dtype) * ops.sign(wide), wide)
    noise = 0 if noise is None else ops.cast(noise, wide.dtype)
    temperature = ops.cast(temperature, wide.dtype)
    noisy = scores + noise
    # Of the negative axes `one_hot` takes only -1 on PyTorch and TensorFlow.
    axis = axis + len(x.shape) if axis < 0 else axis
    # By `wide`, because infinity wins over the largest number.
    hard = ops.one_hot(index_of_maximum(wide + noise, axis), x.shape[axis], axis=axis, dtype=wide.dtype)
    hard = ops.where(ops.any(ops.isnan(wide), axis=axis, keepdims=True), np.nan, hard)
    soft = _reinmax(hard, scores, temperature, axis) if slope == "reinmax" else _softmax(noisy, temperature, axis)
    return ops.cast(surrogates.straight_through(hard, soft), x.dtype)


def bin_index(x: Any, edges: np.ndarray) -> Any:
    """Counts the edges at or below each value: the number of its bin, int32, from 0 to `len(edges)`."""
    x = widened(x)
    above = x[..., None] >= ops.convert_to_tensor(edges, x.dtype)
    return ops.sum(ops.cast(above, "int32"), axis=-1)


def index_of_maximum(x: Any, axis: int) -> Any:
    """Gives the index of the maximum along an axis, int32; among equals the first wins."""
    x = widened(x)
    # Keras' `argmax` puts -0 below 0 on JAX and TensorFlow.
    return ops.cast(ops.argmax(ops.where(ops.equal(x, 0), ops.zeros_like(x), x), axis=axis), "int32")


def widened(x: Any) -> Any:
    """Gives numbers as a float tensor of at least float32, the dtype in which thresholds are compared."""
    x = _as_float_tensor(x)
    half = keras.backend.standardize_dtype(x.dtype) in ("bfloat16", "float16")
    return ops.cast(x, "float32") if half else x


def representable(values: np.ndarray, dtype: str) -> np.ndarray:
    """Rounds values to the nearest that `dtype` has.

    Raises:
        ParameterError: If two of them then are the same number, or one is infinite.
    """
    with np.errstate(over="ignore"):  # what becomes infinite is refused below
        rounded = np.asarray(values, np.float64).astype(np.dtype(getattr(ml_dtypes, dtype, dtype)))
    if len(np.unique(rounded.astype(np.float64))) < len(np.unique(values)) or not np.isfinite(rounded).all():
        raise ParameterError(
            f"Different values must stay different in {dtype}. Received: {len(np.unique(values))} values of which "
            f'{len(np.unique(rounded.astype(np.float64)))} remain. Give this layer dtype="float32", or fewer values.'
        )
    return rounded


def _stairs(
    x: Any, levels: np.ndarray, edges: np.ndarray, slope: str, width: float, *, upper_on_edge: bool = True
) -> Any:
    surrogates.check_slope(slope, width)
    x = _as_float_tensor(x)
    wide = widened(x)
    table = ops.convert_to_tensor(representable(levels, keras.backend.standardize_dtype(x.dtype)), x.dtype)
    thresholds = ops.convert_to_tensor(edges, wide.dtype)
    above = wide[..., None] >= thresholds if upper_on_edge else wide[..., None] > thresholds
    # Levels are gathered, never computed: a formula is one ulp off between eager and compiled TensorFlow.
    hard = ops.take(table, ops.sum(ops.cast(above, "int32"), axis=-1))
    distance = ops.maximum(ops.maximum(edges[0] - wide, wide - edges[-1]), 0)
    return surrogates.with_slope(hard, x, ops.cast(surrogates.slope_of(distance, slope, width), x.dtype))


def _softmax(scores: Any, temperature: Any, axis: int) -> Any:
    # Taking the maximum off before dividing keeps small temperatures from overflowing. By its index, because Keras' own
    # `max` refuses an empty batch.
    first = ops.expand_dims(index_of_maximum(scores, axis), axis)
    maximum = ops.stop_gradient(ops.take_along_axis(scores, first, axis=axis))
    return ops.softmax((scores - maximum) / temperature, axis=axis)


def _reinmax(hard: Any, scores: Any, temperature: Any, axis: int) -> Any:
    """Gives a soft value whose gradient by the scores is second-order exact for a sampled choice.

    Its gradient is that of `2 softmax(m) - softmax(scores) / 2`, where m moves with the scores and has the shares
    `(hard + softmax(scores / temperature)) / 2`.

    Source:
        Liu et al., "Bridging Discrete and Backpropagation: Straight-Through and Beyond", 2023, algorithm 2.
    """
    middle = ops.stop_gradient((hard + _softmax(scores, temperature, axis)) / 2)
    # The smallest normal number instead of 0, whose logarithm would be infinite.
    moving = surrogates.straight_through(ops.log(ops.maximum(middle, 1e-37)), scores)
    return 2 * ops.softmax(moving, axis=axis) - _softmax(scores, 1.0, axis) / 2


def _as_float_tensor(x: Any) -> Any:
    x = x if keras.backend.is_keras_tensor(x) else ops.convert_to_tensor(x)
    return x if keras.backend.is_float_dtype(x.dtype) else ops.cast(x, keras.config.floatx())


def _finite_limit(dtype: Any) -> float:
    name = keras.backend.standardize_dtype(dtype)
    return float(ml_dtypes.finfo(getattr(ml_dtypes, name, name)).max)
