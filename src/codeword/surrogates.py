"""Surrogate gradients: the exact value of a hard function forward, the slope of a soft one backward.

The true derivative of a step is 0 wherever it exists, so nothing before a step would learn. A surrogate leaves the
value exactly hard and replaces the derivative.

`with_slope` and `straight_through` are exact to the last bit on every backend, in float32, bfloat16 and float16, eager
and compiled. The common forms are not: `hard + soft - stop_gradient(soft)` left 14-23 % of one-hot rows of ten off by
one ulp, and `soft + stop_gradient(hard - soft)` all of them in bfloat16 under `jax.jit`.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.exact_tensors import as_float_tensor, finite_limit, index_of_maximum, widened
from codeword.settings import number, one_of

ops = keras.ops


def with_slope(hard: Any, x: Any, slope: Any) -> Any:
    """Return hard values with a given derivative.

    NaN in `x` stays NaN. Infinity in `x` returns `hard` and has no gradient.

    Formula:
        value `hard`, derivative by `x` `slope`; all float tensors of the same shape and dtype
    """
    # Explicitly, because XLA turns 0 * NaN of the window slope into 0.
    exact = ops.where(ops.isnan(x), x, hard)
    finite = ops.where(ops.isinf(x), ops.zeros_like(x), x)
    return ops.stop_gradient(exact) + ops.stop_gradient(slope) * (finite - ops.stop_gradient(finite))


def straight_through(hard: Any, soft: Any) -> Any:
    """Return hard values with the gradient of soft ones.

    Formula:
        value `hard`, gradient that of `soft`: finite, differentiable, of the same shape and dtype
    """
    return ops.stop_gradient(hard) + (soft - ops.stop_gradient(soft))


def constant(u: Any) -> Any:
    """Return the slope 1 everywhere, as if the hard function were the identity.

    References:
        Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons", 2013.
    """
    return ops.ones_like(u)


def window(u: Any) -> Any:
    """Return the slope 1 within one width of the steps, and 0 farther away.

    References:
        Hubara et al., "Binarized Neural Networks", 2016, eq. (4).
    """
    return ops.cast(u <= 1, u.dtype)


def tanh(u: Any) -> Any:
    """Return the derivative of tanh, which falls smoothly from 1 at the steps to 0.

    The derivative of a logistic function is the same with half the width, so it has no name of its own.
    """
    return 1 - ops.square(ops.tanh(u))


SLOPES: dict[str, Callable[[Any], Any]] = {"straight_through": constant, "window": window, "tanh": tanh}
"""The slopes of signs, steps, staircases and rounding, as functions of u = distance / width; all are 1 at u = 0."""

SLOPE_SETTINGS = {"slope": one_of(*SLOPES), "width": number(above=0)}
"""The settings that these functions share."""


def slope_of(distance: Any, slope: str, width: float) -> Any:
    """Return the surrogate slope at a distance from the steps.

    A function of many steps, such as a staircase, has distance 0 from its first to its last edge: there it rises by one
    in one on average. Outside it saturates.

    Distances >= 0 and the positive width are in units of the input; `slope` is a key of `SLOPES`.
    """
    return SLOPES[slope](distance / width)


def softmax(hard: Any, scores: Any, noisy: Any, temperature: Any, axis: int) -> Any:
    """Return the softmax of the noisy scores: with Gumbel noise this is Gumbel-softmax.

    Formula:
        value `hard`, gradient that of `softmax(noisy / temperature)`

    References:
        Jang et al., "Categorical Reparameterization with Gumbel-Softmax", 2017, section 2.2.
    """
    # Subtracting the maximum before dividing keeps small temperatures from overflowing. The maximum is taken by its
    # index, because Keras' `max` refuses an empty batch.
    first = ops.expand_dims(index_of_maximum(noisy, axis), axis)
    maximum = ops.stop_gradient(ops.take_along_axis(noisy, first, axis=axis))
    scaled = (noisy - maximum) / temperature
    # exp(-104) is 0 in float32, so with one score above -104 the gradient is 0. TensorFlow's softmax gives
    # 1 - 6e-8 there on some processors, which a tiny temperature would blow up to infinity.
    decided = ops.sum(ops.cast(scaled > -104, "int32"), axis=axis, keepdims=True) == 1
    return ops.softmax(ops.where(decided, ops.stop_gradient(scaled), scaled), axis=axis)


def reinmax(hard: Any, scores: Any, noisy: Any, temperature: Any, axis: int) -> Any:
    """Return a soft value whose gradient is exact to second order for a choice drawn by the softmax of the scores.

    Formula:
        value `hard`, gradient that of `2 softmax(m) - softmax(scores) / 2`, where m moves with the scores and
        `softmax(m) = (hard + softmax(scores / temperature)) / 2`

    References:
        Liu et al., "Bridging Discrete and Backpropagation: Straight-Through and Beyond", 2023, algorithm 2.
    """
    middle = ops.stop_gradient((hard + softmax(hard, scores, scores, temperature, axis)) / 2)
    # The smallest normal number replaces 0, whose logarithm would be infinite.
    moving = straight_through(ops.log(ops.maximum(middle, 1e-37)), scores)
    return 2 * ops.softmax(moving, axis=axis) - softmax(hard, scores, scores, 1.0, axis) / 2


CHOICE_SLOPES: dict[str, Callable[..., Any]] = {"softmax": softmax, "gumbel": softmax, "reinmax": reinmax}
"""The slopes of a choice. "gumbel" and "reinmax" are for choices that are drawn."""

TEMPERATURE = number(float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max))
"""A temperature that float32 can represent, in units of the scores."""


def choice(x: Any, axis: int, slope: str, temperature: Any, *, noise: Any = None) -> Any:
    """Return the one-hot of the maximum of scores, or of scores plus noise, with the gradient of a softmax.

    The temperature is a positive number, or a tensor of one; `slope` is a key of `CHOICE_SLOPES`. The result is NaN
    throughout where a score is NaN.
    """
    x = as_float_tensor(x)
    wide = widened(x)
    scores = ops.where(ops.isinf(wide), finite_limit(x.dtype) * ops.sign(wide), wide)
    noise = 0 if noise is None else ops.cast(noise, wide.dtype)
    temperature = ops.cast(temperature, wide.dtype)
    # `one_hot` accepts no negative axis but -1 on PyTorch and TensorFlow.
    axis = axis + len(x.shape) if axis < 0 else axis
    # Of `wide`, not of `scores`, because infinity must win over the largest number.
    hard = ops.one_hot(index_of_maximum(wide + noise, axis), x.shape[axis], axis=axis, dtype=wide.dtype)
    # A softmax with NaN is NaN throughout, and so is what `straight_through` makes of it.
    soft = CHOICE_SLOPES[slope](hard, scores, scores + noise, temperature, axis)
    return ops.cast(straight_through(hard, soft), x.dtype)
