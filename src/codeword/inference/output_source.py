"""What made an output, and in which range its values lie."""

import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword import layers
from codeword.activations import StaircaseActivation
from codeword.backend import keras
from codeword.inference.recording import Call

INFINITY = math.inf
# Activations by their lowest and highest value; some ends are only approached.
_BY_RANGE = {
    (0.0, 1.0): "sigmoid hard_sigmoid softmax sparsemax sparse_sigmoid step hardmax",
    (-1.0, 1.0): "tanh hard_tanh softsign sign",
    (0.0, INFINITY): "relu softplus squareplus exponential",
    (0.0, 6.0): "relu6",
    (-1.0, INFINITY): "elu celu",
    (-1.7581, INFINITY): "selu",
    (-0.2785, INFINITY): "silu",
    (-0.375, INFINITY): "hard_silu",
    (-0.3088, INFINITY): "mish",
    (-0.1700, INFINITY): "gelu",
    (-INFINITY, 0.0): "log_sigmoid log_softmax",
    (-INFINITY, INFINITY): "linear leaky_relu",
}
_RANGES = {name: ends for ends, names in _BY_RANGE.items() for name in names.split()}
_OF_LAYERS = {
    layers.SignBits: "sign",
    layers.Step: "step",
    layers.Hardmax: "hardmax",
    keras.layers.Softmax: "softmax",
    keras.layers.ELU: "elu",
    keras.layers.LeakyReLU: "leaky_relu",
}
ONLY_SHAPES = ("Reshape", "Flatten", "Permute", "Identity", "Dropout", "ActivityRegularization", "RepeatVector")


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
    """Find out what made an output tensor with these values, from all calls of layers that led to it."""
    scale, offset = 1.0, 0.0
    while (call := _maker(output, calls) or _maker(output := _before_cast(output, calls), calls)) is not None:
        layer = call.layer
        kind = type(layer).__name__
        if (kind in ONLY_SHAPES or kind.startswith(("Cropping", "UpSampling", "ZeroPadding"))) and call.inputs:
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
    if isinstance(layer, layers.ScalarQuantizer):
        return "staircase", float(layer.minimum), float(layer.maximum)
    stairs = layer if isinstance(layer, layers.Staircase) else getattr(layer, "activation", None)
    if stairs is layer or isinstance(stairs, StaircaseActivation):
        return "staircase", float(stairs.levels[0]), float(stairs.levels[-1])
    if kind == "ReLU":
        highest = INFINITY if layer.max_value is None else layer.max_value
        return "relu", -INFINITY if layer.negative_slope else 0.0, highest
    if type(layer) in _OF_LAYERS:
        known: str | None = _OF_LAYERS[type(layer)]
    elif kind == "Lambda":
        known = activation_name(layer.function)
    elif not isinstance(layer, keras.layers.Layer):  # ops.sigmoid on tensors is an operation "Sigmoid"
        known = snake_case(kind)
    elif hasattr(layer, "activation"):
        known = activation_name(layer.activation)
    else:
        known = "linear" if kind.startswith(("Conv", "Depthwise", "Separable", "EinsumDense", "Embedding")) else None
    return (known, *_RANGES[known]) if known in _RANGES else (None, -INFINITY, INFINITY)


def activation_name(function: Any) -> str | None:
    """Return the name that Keras or codeword has for an activation function; None for a custom one."""
    if function is None:
        return "linear"
    module = str(getattr(function, "__module__", ""))
    return getattr(function, "__name__", None) if module.startswith(("keras.", "codeword.")) else None


def snake_case(name: str) -> str:
    """Return OneHot as one_hot."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


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
