"""Stacks of dense layers."""

from collections.abc import Sequence
from typing import Any

from codeword.backend import keras


def dense_body(inputs: Any, hidden: Sequence[int], *, name: str) -> Any:
    """Flatten `inputs` and apply dense layers with GELU.

    Args:
        inputs: Keras tensor of shape `(batch, ...)`.
        hidden: Units of each layer; may be empty.
        name: Prefix of the names of the layers, which the model file uses.

    Returns:
        Keras tensor of shape `(batch, features)`.
    """
    x = keras.layers.Flatten(name=f"{name}_flatten")(inputs)
    for number, units in enumerate(hidden, start=1):
        x = keras.layers.Dense(units, activation="gelu", kernel_initializer="he_normal", name=f"{name}_{number}")(x)
    return x
