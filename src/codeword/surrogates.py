"""Hard value forward, chosen slope backward.

A step has slope 0 wherever it has one, so nothing before it would learn. A surrogate keeps the step's exact value and
lets the gradient pass as if its slope were another:

    value:     hard
    gradient:  slope

Two forms, both exact to the last bit on every backend, in float32, bfloat16 and float16, eager and compiled. The
common ones are not: `hard + soft - stop_gradient(soft)` left 14-23 % of one-hot rows of ten off by one ulp, and
`soft + stop_gradient(hard - soft)` all of them in bfloat16 under `jax.jit`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.errors import ParameterError

ops = keras.ops

SLOPES = ("straight_through", "window", "tanh")


def with_slope(hard: Any, x: Any, slope: Any) -> Any:
    """Gives `hard`, with `slope` as its derivative by `x`.

    NaN in `x` stays NaN; infinity in `x` gives `hard` and no gradient.

    Args:
        hard: Float tensor, the exact values.
        x: Float tensor of the same shape and dtype.
        slope: Float tensor of the same shape and dtype.

    Returns:
        Tensor that equals `hard` bit for bit.
    """
    # Said outright: XLA turns 0 * NaN of the window slope into 0.
    exact = ops.where(ops.isnan(x), x, hard)
    finite = ops.where(ops.isinf(x), ops.zeros_like(x), x)
    return ops.stop_gradient(exact) + ops.stop_gradient(slope) * (finite - ops.stop_gradient(finite))


def straight_through(hard: Any, soft: Any) -> Any:
    """Gives `hard`, with the gradient of `soft`.

    Args:
        hard: Float tensor, the exact values.
        soft: Float tensor of the same shape and dtype, finite, differentiable.

    Returns:
        Tensor that equals `hard` bit for bit.
    """
    return ops.stop_gradient(hard) + (soft - ops.stop_gradient(soft))


def slope_of(distance: Any, slope: str, width: float) -> Any:
    """Gives the surrogate slope at a distance from the steps.

    ====================  ==========================================
    `slope`               value at distance d >= 0, with u = d / width
    ====================  ==========================================
    "straight_through"    1
    "window"              1 where u <= 1, else 0
    "tanh"                1 - tanh(u)^2
    ====================  ==========================================

    All are 1 on the step itself. The derivative of a logistic function of u is that of tanh at half of u, so it needs
    no name of its own. A function of many steps, such as a staircase, has distance 0 from its first to its last edge:
    there it rises by one in one on average, and outside it saturates.

    Args:
        distance: Float tensor, >= 0, in units of the input.
        slope: One of the names above.
        width: Positive float, in units of the input.

    Returns:
        Tensor like `distance`, from 0 to 1.

    Source:
        Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013 (straight_through);
        Hubara et al., "Binarized Neural Networks", 2016, eq. (4) (window).
    """
    if slope == "straight_through":
        return ops.ones_like(distance)
    u = distance / width
    if slope == "window":
        return ops.cast(u <= 1, distance.dtype)
    return 1 - ops.square(ops.tanh(u))


def check_slope(slope: str, width: float, slopes: Sequence[str] = SLOPES) -> None:
    """Refuses a slope that is not among `slopes`, and a width that is not positive."""
    if slope not in slopes:
        raise ParameterError(f"`slope` must be one of {', '.join(slopes)}. Received: {slope!r}.")
    if (
        isinstance(width, bool)
        or not isinstance(width, int | float | np.integer | np.floating)
        or not 0 < width < float("inf")
    ):
        raise ParameterError(f"`width` must be a positive number, in units of the input. Received: {width!r}.")
