"""What an output can be and what its loss asks: read from the layers that made it, and from `compile`."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from codeword import layers
from codeword.activations import StaircaseActivation
from codeword.backend import keras
from codeword.doctor.measuring.recording import Call
from codeword.losses import BinInsensitive, LevelCrossentropy, LevelSquaredError, Masked, OrdinalCrossentropy

INFINITY = math.inf
# Least and greatest value of each activation; the ends may be approached only.
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
_BINARY = frozenset({"binary_crossentropy", "binary_focal_crossentropy"})
_CATEGORICAL = frozenset({"categorical_crossentropy", "categorical_focal_crossentropy"})
_DISTANCES = frozenset(
    [
        "mean_squared_error",
        "mean_absolute_error",
        "huber",
        "log_cosh",
        "mean_absolute_percentage_error",
        "mean_squared_logarithmic_error",
    ]
)
_LEVEL_LOSSES = (BinInsensitive, LevelCrossentropy, LevelSquaredError, OrdinalCrossentropy)


@dataclass(frozen=True)
class LossFacts:
    """What a loss asks of an output.

    Attributes:
        name: Keras' name of it, "mean_squared_error"; of codeword's its class's; None for one's own.
        kind: "binary", "categorical", "sparse" (cross-entropies), "distance", "levels" or "own".
        from_logits: Whether it takes logits.
        label_smoothing: As given, 0 for none.
        reduction: How the cells' losses become one.
        ignore_class: The class number that costs nothing, or None.
        masked: Whether it is `codeword.losses.Masked`, and `missing` what stands for a missing entry in it.
    """

    name: str | None
    kind: str
    from_logits: bool = False
    label_smoothing: float = 0.0
    reduction: str = "sum_over_batch_size"
    ignore_class: int | None = None
    masked: bool = False
    missing: float | None = None

    @property
    def is_cross_entropy(self) -> bool:
        return self.kind in ("binary", "categorical", "sparse")


@dataclass(frozen=True)
class OutputFacts:
    """What one output can be.

    Attributes:
        name: Of the output, empty if there is only one.
        activation: Name of the function that made its values, "linear" for none; None if it is not known, or if they
            were rescaled afterwards.
        low, high: The ends of its range.
        layer: The layer with that activation, or None.
        loss: What its loss asks, or None without one.
    """

    name: str
    activation: str | None
    low: float
    high: float
    layer: Any
    loss: LossFacts | None

    @property
    def is_probability(self) -> bool:
        """Whether it cannot leave 0 to 1."""
        return self.low >= 0 and self.high <= 1

    @property
    def is_hard(self) -> bool:
        """Whether it gives single values only, such as levels."""
        return self.activation in ("staircase", "sign", "step", "hardmax") or (
            self.loss is not None and self.loss.kind == "levels"
        )


def output_facts(name: str, output: Any, values: np.ndarray, calls: list[Call], loss: Any) -> OutputFacts:
    """Finds out what made an output.

    Args:
        name: Of the output.
        output: The tensor that came out.
        values: The same as an array.
        calls: All calls of layers that led to it.
        loss: What `compile` was given for it, or None.
    """
    facts = None if loss is None else loss_facts(loss)
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
        return OutputFacts(name, activation, low, high, layer, facts)
    if _sums_to_one(values):
        return OutputFacts(name, "softmax", 0.0, 1.0, None, facts)
    return OutputFacts(name, None, -INFINITY, INFINITY, None, facts)


def activation_of(layer: Any) -> tuple[str | None, float, float]:
    """Gives the name and range of the function by which a layer makes its values; None where it is not known."""
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
        # ops.sigmoid on tensors is an operation "Sigmoid"; in a Lambda it is its function.
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
    """Gives Keras' or codeword's name of an activation function; None for one's own."""
    if function is None:
        return "linear"
    module = str(getattr(function, "__module__", ""))
    return getattr(function, "__name__", None) if module.startswith(("keras.", "codeword.")) else None


def loss_facts(loss: Any) -> LossFacts:
    """Finds out what a loss asks, from its name, function or object."""
    if isinstance(loss, Masked):
        inner = loss_facts(loss.loss)
        return replace(inner, masked=True, missing=loss.missing)
    if isinstance(loss, _LEVEL_LOSSES):
        return LossFacts(type(loss).__name__, "levels")
    if isinstance(loss, str):
        try:
            loss = keras.losses.get(loss)
        except ValueError:
            return LossFacts(None, "own")
    given = type(loss) if isinstance(loss, keras.losses.Loss) else loss
    if not str(getattr(given, "__module__", "")).startswith("keras."):
        return LossFacts(None, "own")
    name = snake_case(given.__name__)
    config = loss.get_config() if isinstance(loss, keras.losses.Loss) else {}
    kind = "own"
    if name in _BINARY:
        kind = "binary"
    elif name in _CATEGORICAL:
        kind = "categorical"
    elif name == "sparse_categorical_crossentropy":
        kind = "sparse"
    elif name in _DISTANCES:
        kind = "distance"
    smoothing, reduction = (
        float(config.get("label_smoothing") or 0),
        str(config.get("reduction", "sum_over_batch_size")),
    )
    return LossFacts(name, kind, bool(config.get("from_logits")), smoothing, reduction, config.get("ignore_class"))


def snake_case(name: str) -> str:
    """Writes OneHot as one_hot."""
    return "".join(
        f"_{letter.lower()}" if letter.isupper() and number else letter.lower() for number, letter in enumerate(name)
    )


def losses_of(model: Any, num_outputs: int, names: list[str]) -> list[Any]:
    """Gives the loss of each output as `compile` got it; None where there is none."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        return [loss.get(name) for name in names] if num_outputs > 1 or names[0] in loss else [*loss.values()][:1]
    if isinstance(loss, list | tuple):
        return [*loss, *[None] * num_outputs][:num_outputs]
    return [loss] * num_outputs


def _maker(tensor: Any, calls: list[Call]) -> Call | None:
    """Finds the call that made a tensor: of nested ones the innermost, which ended first."""
    for call in calls:
        made = any(one is tensor for one in call.outputs) and not any(one is tensor for one in call.inputs)
        if made and not hasattr(call.layer, "layers"):
            return call
    return None


def _before_cast(tensor: Any, calls: list[Call]) -> Any:
    """Gives the tensor of another dtype that a tensor was cast from, as Keras does under mixed precision."""
    for call in reversed(calls):
        for one in call.outputs:
            cast = keras.ops.is_tensor(one) and one.dtype != tensor.dtype and tuple(one.shape) == tuple(tensor.shape)
            if cast and bool(keras.ops.all(keras.ops.cast(one, tensor.dtype) == tensor)):
                return one
    return tensor


def _sums_to_one(values: np.ndarray) -> bool:
    if values.ndim < 2 or values.shape[-1] < 2 or values.size == 0 or values.dtype.kind != "f":
        return False
    wide = values.astype(np.float64)
    return bool(wide.min() >= 0 and np.abs(wide.sum(axis=-1) - 1).max() < 1e-3)
