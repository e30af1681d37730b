"""One gradient, asked of whichever backend Keras runs."""

from collections.abc import Callable
from typing import Any

import numpy as np

from codeword.backend import keras

from .tensors import to_array, to_tensor


def gradient(function: Callable[[Any], Any], x: np.ndarray, weights: np.ndarray | float = 1.0) -> np.ndarray:
    """Gives the gradient of `sum(function(x) * weights)` by `x`; see `value_and_gradient`."""
    return value_and_gradient(function, x, weights)[1]


def value_and_gradient(
    function: Callable[[Any], Any], x: np.ndarray, weights: np.ndarray | float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Gives `function(x)` and the gradient of `sum(function(x) * weights)` by `x`.

    Args:
        function: From a tensor to a tensor.
        x: Array, float32, bfloat16 or float16.
        weights: Array of the result's shape; 1 for a function that gives one number.

    Returns:
        The value, and an array of the shape and dtype of `x`; zeros where the value does not depend on `x`.
    """
    at = to_tensor(x)
    if keras.backend.backend() == "jax":
        import jax

        def both(at: Any) -> Any:
            result, pull_back = jax.vjp(function, at)
            return result, pull_back(_like(weights, result))[0]

        result, slope = jax.jit(both)(at)  # compiled as a whole: ten times faster than step by step
        return to_array(result), to_array(slope)
    if keras.backend.backend() == "torch":
        import torch

        at = at.detach().clone().requires_grad_(True)
        result = function(at)
        if not result.requires_grad:
            return to_array(result), np.zeros_like(x)
        (slope,) = torch.autograd.grad(result, at, _like(weights, result), materialize_grads=True)
        return to_array(result), to_array(slope)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(at)
        result = function(at)
    none = tf.UnconnectedGradients.ZERO
    slope = tape.gradient(result, at, _like(weights, result), unconnected_gradients=none)
    return to_array(result), to_array(slope)


def slope_formula(distance: np.ndarray, slope: str, width: float) -> np.ndarray:
    """Gives the slopes of `surrogates.SLOPES`, in plain NumPy."""
    u = np.asarray(distance, np.float64) / width
    return {
        **dict.fromkeys(("straight_through", "drawn"), np.ones_like(u)),
        "window": (u <= 1).astype(np.float64),
        "tanh": 1 - np.tanh(u) ** 2,
    }[slope]


def softmax_gradient(x: np.ndarray, weights: np.ndarray, axis: int, temperature: float) -> np.ndarray:
    """Gives the gradient of `sum(softmax(x / temperature) * weights)` by `x`, in plain NumPy."""
    return _moved_shares(softmax(x, axis, temperature), weights, axis) / temperature


def reinmax_gradient(
    x: np.ndarray, weights: np.ndarray, drawn: np.ndarray, axis: int, temperature: float
) -> np.ndarray:
    """Gives ReinMax's gradient by scores `x` where `drawn` is the one-hot that came out, in plain NumPy."""
    middle = (np.asarray(drawn, np.float64) + softmax(x, axis, temperature)) / 2
    return 2 * _moved_shares(middle, weights, axis) - _moved_shares(softmax(x, axis), weights, axis) / 2


def softmax(x: np.ndarray, axis: int, temperature: float = 1.0) -> np.ndarray:
    scores = np.asarray(x, np.float64)
    shares = np.exp((scores - scores.max(axis=axis, keepdims=True)) / temperature)
    return shares / shares.sum(axis=axis, keepdims=True)


def _moved_shares(shares: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    return shares * (weights - (weights * shares).sum(axis=axis, keepdims=True))


def _like(weights: np.ndarray | float, result: Any) -> Any:
    wide = np.broadcast_to(np.asarray(weights, np.float32), tuple(result.shape))
    return keras.ops.cast(to_tensor(wide), result.dtype)
