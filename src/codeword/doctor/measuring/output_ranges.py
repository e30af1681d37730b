"""What made an output, and in which range its values lie."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword import layers
from codeword.activations import StaircaseActivation
from codeword.backend import keras
from codeword.doctor.measuring.recording import Call

INFINITY = math.inf
# Lowest and highest value of each activation; some ends are only approached.
RANGES = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "sparsemax": (0.0, 1.0),
    "sparse_sigmoid": (0.0, 1.0),
    "step": (0.0, 1.0),
    "hardmax": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "hard_tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "sign": (-1.0, 1.0),
    "relu": (0.0, INFINITY),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, INFINITY),
    "squareplus": (0.0, INFINITY),
    "exponential": (0.0, INFINITY),
    "elu": (-1.0, INFINITY),
    "celu": (-1.0, INFINITY),
    "selu": (-1.7581, INFINITY),
    "silu": (-0.2785, INFINITY),
    "hard_silu": (-0.375, INFINITY),
    "mish": (-0.3088, INFINITY),
    "gelu": (-0.1700, INFINITY),
    "log_sigmoid": (-INFINITY, 0.0),
    "log_softmax": (-INFINITY, 0.0),
    "linear": (-INFINITY, INFINITY),
    "leaky_relu": (-INFINITY, INFINITY),
}
_ONLY_SHAPES = ("Reshape", "Flatten", "Permute", "Identity", "Dropout", "ActivityRegularization", "RepeatVector")


class Source(NamedTuple):
    """What made the values of an output.

    Attributes:
        activation: Name of the function that made them, "linear" for none; None if it is unknown or if the values
            were rescaled afterwards.
        low: Lower end of their range.
        high: Upper end of their range.
        layer: The layer with that activation, or None.
    """

    activation: str | None
    low: float
    high: float
    layer: Any


def source_of(output: Any, values: NDArray[Any], calls: Sequence[Call]) -> Source:
    """Find out what made an output.

    Args:
        output: The output tensor.
        values: The same values as an array.
        calls: All calls of layers that led to it.
    """
    scale, offset = 1.0, 0.0
    while (call := _maker(output, calls) or _maker(output := _before_cast(output, calls), calls)) is not None:
        layer = call.layer
        kind = type(layer).__name__
        if (kind in _ONLY_SHAPES or kind.startswith(("Cropping", "UpSampling", "ZeroPadding"))) and call.inputs:
            output = call.inputs[0]
            continue
        if kind == "Rescaling" and np.ndim(layer.scale) == np.ndim(layer.offset) == 0:
            scale, offset = scale * float(layer.scale), offset + scale * float(layer.offset)
            output = call.inputs[0]
            continue
        activation, low, high = activation_of(layer)
        if activation == "linear" and kind == "Activation" and call.inputs:
            calls = calls[: calls.index(call)]
            output = call.inputs[0]
            continue
        if activation is None and _sums_to_one(values):
            activation, low, high = "softmax", 0.0, 1.0
        if (scale, offset) != (1, 0):
            activation, (low, high) = None, sorted((low * scale + offset, high * scale + offset))
        return Source(activation, low, high, layer)
    if _sums_to_one(values):
        return Source("softmax", 0.0, 1.0, None)
    return Source(None, -INFINITY, INFINITY, None)


def activation_of(layer: Any) -> tuple[str | None, float, float]:
    """Return the name and range of the function that makes the values of a layer; the name is None if unknown."""
    kind = type(layer).__name__
    if isinstance(layer, layers.Staircase):
        return "staircase", float(layer.levels[0]), float(layer.levels[-1])
    if isinstance(layer, layers.ScalarQuantizer):
        return "staircase", float(layer.minimum), float(layer.maximum)
    if isinstance(layer, layers.SignBits | layers.Step | layers.Hardmax):
        name = {"SignBits": "sign", "Step": "step", "Hardmax": "hardmax"}[kind]
        return name, *RANGES[name]
    if kind == "ReLU":
        return (
            "relu",
            -INFINITY if layer.negative_slope else 0.0,
            INFINITY if layer.max_value is None else layer.max_value,
        )
    if kind in ("Softmax", "ELU", "LeakyReLU"):
        name = {"Softmax": "softmax", "ELU": "elu", "LeakyReLU": "leaky_relu"}[kind]
        return name, *RANGES[name]
    if kind == "Lambda" or not isinstance(layer, keras.layers.Layer):
        # ops.sigmoid on tensors is an operation "Sigmoid"; in a Lambda it is the function.
        known = activation_name(layer.function) if kind == "Lambda" else snake_case(kind)
        return (known, *RANGES[known]) if known in RANGES else (None, -INFINITY, INFINITY)
    if not hasattr(layer, "activation"):
        plain = kind.startswith(("Conv", "Depthwise", "Separable", "EinsumDense", "Embedding"))
        return ("linear", -INFINITY, INFINITY) if plain else (None, -INFINITY, INFINITY)
    function = layer.activation
    if isinstance(function, StaircaseActivation):
        return "staircase", float(function.levels[0]), float(function.levels[-1])
    known = activation_name(function)
    if known is None or known not in RANGES:
        return None, -INFINITY, INFINITY
    return known, *RANGES[known]


def activation_name(function: Any) -> str | None:
    """Return the name that Keras or codeword has for an activation function; None for a custom one."""
    if function is None:
        return "linear"
    module = str(getattr(function, "__module__", ""))
    return getattr(function, "__name__", None) if module.startswith(("keras.", "codeword.")) else None


def snake_case(name: str) -> str:
    """Return OneHot as one_hot."""
    return "".join(
        f"_{letter.lower()}" if letter.isupper() and number else letter.lower() for number, letter in enumerate(name)
    )


def _maker(tensor: Any, calls: Sequence[Call]) -> Call | None:
    """Return the call that made a tensor: among nested calls the innermost, which ended first."""
    for call in calls:
        made = any(one is tensor for one in call.outputs) and not any(one is tensor for one in call.inputs)
        if made and not hasattr(call.layer, "layers"):
            return call
    return None


def _before_cast(tensor: Any, calls: Sequence[Call]) -> Any:
    """Return the tensor of another dtype that a tensor was cast from, as Keras does under mixed precision."""
    for call in reversed(calls):
        for one in call.outputs:
            cast = keras.ops.is_tensor(one) and one.dtype != tensor.dtype and tuple(one.shape) == tuple(tensor.shape)
            if cast and bool(keras.ops.all(keras.ops.cast(one, tensor.dtype) == tensor)):
                return one
    return tensor


def _sums_to_one(values: NDArray[Any]) -> bool:
    if values.ndim < 2 or values.shape[-1] < 2 or values.size == 0 or values.dtype.kind != "f":
        return False
    wide = values.astype(np.float64)
    return bool(wide.min() >= 0 and np.abs(wide.sum(axis=-1) - 1).max() < 1e-3)
