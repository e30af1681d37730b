"""Copies of Keras models and layers that a user made, with fresh weights."""

import inspect
from typing import Any

from codeword.backend import keras
from codeword.keras_internals import declared_shape


def copied_model(model: Any) -> Any:
    """Return a copy of a model or layer: functional, Sequential, or of a class that Keras can configure again.

    Keras calls a subclassed model by its `get_config`, which it writes itself where the constructor takes plain values.
    """
    if not isinstance(model, keras.Sequential) and not getattr(model, "inputs", None):
        return _configured_again(model)
    compiled = model.compiled
    model.compiled = False  # Keras would deserialize the loss, which fails for custom ones
    try:
        return keras.models.clone_model(model, clone_function=copied_layer, recursive=True)
    finally:
        model.compiled = compiled


def copied_layer(layer: Any) -> Any:
    """Return a copy of a layer that calls the same functions; an operation that is no layer is returned itself."""
    if not isinstance(layer, keras.layers.Layer):
        return layer
    if isinstance(layer, keras.layers.Lambda):  # Keras refuses to read a function back from its configuration
        shape = declared_shape(layer)
        return keras.layers.Lambda(layer.function, shape, layer.mask, layer.arguments, name=layer.name)
    activation = vars(layer).get("activation")
    if activation is None or str(getattr(activation, "__module__", "")).startswith(("keras.", "codeword.")):
        return _configured_again(layer)
    layer.activation = keras.activations.linear  # nor would Keras read this function back
    try:
        copy = _configured_again(layer)
    finally:
        layer.activation = activation
    copy.activation = activation
    return copy


def _configured_again(layer: Any) -> Any:
    """Return a layer of the same class and configuration, without the settings that its constructor does not take.

    Keras adds these settings to the configuration that it writes itself, although many classes take only their own.
    """
    config, parameters = layer.get_config(), inspect.signature(type(layer).__init__).parameters.values()
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        unknown = {"name", "trainable", "dtype"} - {parameter.name for parameter in parameters}
        config = {name: value for name, value in config.items() if name not in unknown}
    return type(layer).from_config(config)
