"""Build the output head, loss and metrics that a data kind needs."""

from math import prod
from typing import Any

import numpy as np

from codeword import losses
from codeword.activations import staircase
from codeword.backend import keras
from codeword.data_kinds import DataKind
from codeword.layers import LevelOneHot, Staircase
from codeword.metrics import ExactMatch

ops = keras.ops

OWN_OUTPUT = "own_output"  # name of the layer at which a decoder's own activation was kept
_LEAST_PROBABILITY = 1e-7  # Keras' own cross-entropies clip there, too


def enter_network(inputs: Any, kind: DataKind) -> Any:
    """Turn `kind.to_network` values into the input of the body: levels become one-hot on one more axis."""
    return LevelOneHot(kind.entry_levels, name="one_hot")(inputs) if kind.entry_levels else inputs


def head(features: Any, kind: DataKind, shape: tuple[int, ...]) -> Any:
    """Project features to the output of the head, float32 also under mixed precision.

    Args:
        features: Keras tensor of shape `(batch, ...)`.
        kind: Data kind.
        shape: Shape of one row.

    Returns:
        Keras tensor of shape `(batch, *shape)`, with one more axis if the head has several numbers per cell.
    """
    flat = keras.layers.Flatten(name="head_flatten")(features)
    flat = keras.layers.Dense(prod(kind.output_shape(shape)), dtype="float32", name="head")(flat)
    return completed(flat, kind, shape, kind.activation)


def completed(output: Any, kind: DataKind, shape: tuple[int, ...], following: str) -> Any:
    """Turn an output with as many values as the head's into the head's, by what `data_kinds.heads.completion` says."""
    output_shape = kind.output_shape(shape)
    if tuple(output.shape[1:]) != output_shape:
        output = keras.layers.Reshape(output_shape, dtype="float32", name="head_shape")(output)
    if following == kind.activation:
        return keras.layers.Activation(_activation(kind), dtype="float32", name="output")(output)
    output = keras.layers.Activation("linear", dtype="float32", name=OWN_OUTPUT)(output)
    if following == "linear":
        return output
    output = ops.clip(output, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return ops.log(output) if following == "log" else ops.log(output) - ops.log(1 - output)


def _activation(kind: DataKind) -> Any:
    if kind.activation_arguments:
        return staircase(**kind.activation_arguments, slope="straight_through")
    return kind.activation


def head_of_values(numbers: Any, kind: DataKind) -> Any:
    """Return the output of the head that stands for numbers: the nearest values of the kind.

    Args:
        numbers: Keras tensor of shape `(batch, *shape)`, approximate `kind.to_network` values.
        kind: Data kind.

    Returns:
        Keras tensor of shape `(batch, *kind.output_shape(shape))`.
    """
    if kind.entry_levels:
        return _head_of_levels(numbers, kind)
    if not kind.is_probability:
        return numbers
    if kind.activation == "sigmoid":
        return keras.layers.ReLU(max_value=1.0, dtype="float32", name="output")(numbers)
    shares = keras.ops.clip(numbers, 1e-6, 1 - 1e-6)
    return keras.ops.log(shares) - keras.ops.log(1 - shares)


def _head_of_levels(numbers: Any, kind: DataKind) -> Any:
    levels = np.array(kind.entry_levels)
    if kind.num_outputs == 1:
        # A level is in its own bin, wherever the edges are.
        return Staircase(kind.entry_levels, name="output", dtype="float32")(numbers)
    # Logits whose spread is that of errors of a quarter of a step.
    sharpness = (4 / np.diff(levels).min()) ** 2
    if kind.num_outputs == len(levels):  # one per level: the nearest has the largest
        scale, offset = levels, -(levels**2) / 2
    else:  # one per edge
        scale, offset = np.ones(len(levels) - 1), -(levels[1:] + levels[:-1]) / 2
    several = keras.ops.repeat(keras.ops.expand_dims(numbers, -1), len(scale), axis=-1)
    logits = keras.layers.Rescaling((sharpness * scale).tolist(), (sharpness * offset).tolist(), dtype="float32")
    return logits(several)


def loss_of(kind: DataKind) -> Any:
    """Make the Keras loss between `kind.to_network` values and the output of the head."""
    call = kind.loss_call
    module = {"keras.losses": keras.losses, "codeword.losses": losses}[call.module]
    return getattr(module, call.name)(**call.arguments)


def metrics_of(kind: DataKind) -> list[Any]:
    """Make the metrics that `fit` shows beside the loss: the shares of exact cells and of exact rows."""
    return [ExactMatch(by=by, **kind.exact_match) for by in ("cell", "row")] if kind.exact_match else []
