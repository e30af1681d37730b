"""Copy a functional or sequential model with some of its layers changed."""

from dataclasses import dataclass, field
from typing import Any

from codeword import layers
from codeword.backend import keras
from codeword.inference.model_copy import copied_layer


@dataclass
class Clone:
    """Copies functional graphs, nested models included, with some layers changed.

    Attributes:
        activation_of: New activations by the id of their layer.
        slopes: What replaces an operation or layer, by its name: a layer, an activation, or None to leave it out.
        bits_after: Name of the layer that signs follow, or None.
        centered: Whether normalization is put before every `SignBits`.
    """

    activation_of: dict[int, Any]
    slopes: dict[str, Any]
    bits_after: str | None
    centered: bool
    _copies: list[tuple[Any, Any]] = field(default_factory=list, init=False)

    def of(self, model: Any) -> Any:
        """Return a copy of a model, with new initial weights."""
        is_chain = isinstance(model, keras.Sequential)
        graph = keras.Model(model.inputs, model.outputs, name=model.name) if is_chain else model
        compiled = graph.compiled
        graph.compiled = False  # Keras would deserialize the loss, which fails for custom ones
        try:
            return keras.models.clone_model(graph, clone_function=self._layer, call_function=self._call)
        finally:
            graph.compiled = compiled

    def keep_weights(self) -> None:
        """Copy the weights that training would not bring back: adapted statistics and frozen layers."""
        for layer, copy in self._copies:
            if layer.weights and (not layer.trainable or isinstance(layer, keras.layers.Normalization)):
                copy.set_weights(layer.get_weights())
                if isinstance(layer, keras.layers.Normalization):
                    copy.finalize_state()

    def _layer(self, layer: Any) -> Any:
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            return self.of(layer)
        if not isinstance(layer, keras.layers.Layer):
            return layer
        activation = self.activation_of.get(id(layer))
        if activation is not None and not hasattr(layer, "activation"):
            return keras.layers.Activation(activation, name=layer.name)
        if activation is not None and "activation" not in vars(layer):  # the activation of an LSTM belongs to its cell
            given = {**layer.get_config(), "activation": keras.activations.serialize(activation)}
            return type(layer).from_config(given)
        copy = copied_layer(layer)
        if activation is not None:
            copy.activation = activation
        self._copies.append((layer, copy))
        return copy

    def _call(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        if isinstance(layer, keras.layers.Activation):
            keywords = {}  # it may replace a Lambda, which accepts a mask
        if id(layer) in self.activation_of and not isinstance(layer, keras.layers.Layer):
            return keras.layers.Activation(self.activation_of[id(layer)])(arguments[0])
        if layer.name in self.slopes:
            change = self.slopes[layer.name]
            if isinstance(change, keras.layers.Layer):
                return type(change).from_config(change.get_config())(arguments[0])
            if change is None:
                return arguments[0]
            layer.activation = change
        if self.centered and isinstance(layer, layers.SignBits):
            return layer(_centered(arguments[0], layer.name))
        result = layer(*arguments, **keywords)
        if layer.name == self.bits_after:
            result = layers.SignBits(name=f"{layer.name}_bits")(_centered(result, layer.name))
        return result


def _centered(values: Any, name: str) -> Any:
    """Keep the threshold of every bit in the middle of its values."""
    return keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name=f"{name}_centered")(values)
