"""The output head, loss and metric that a data kind asks for."""

from typing import Any

from codeword import losses
from codeword.activations import staircase
from codeword.backend import keras
from codeword.data_kinds import Binary, DataKind, Levels
from codeword.layers import LevelOneHot
from codeword.metrics import ExactMatch


def enter_network(inputs: Any, kind: DataKind) -> Any:
    """Turns `kind.to_network` values into the body's input: levels become one-hot, one axis more; others stay."""
    return LevelOneHot(kind.values, name="one_hot")(inputs) if isinstance(kind, Levels) else inputs


def head(features: Any, kind: DataKind, shape: tuple[int, ...], *, own: bool = False) -> Any:
    """Projects features to the head's output, float32 also under mixed precision.

    Args:
        features: Keras tensor: `(batch, features)`.
        kind: The data kind.
        shape: Shape of one row.
        own: Whether a user's decoder gave the features: of the output's shape they are the output.

    Returns:
        Keras tensor of shape `(batch, *shape)`, with one more axis where the head gives several numbers a cell.
    """
    output_shape = kind.output_shape(shape)
    if not own or tuple(features.shape[1:]) != output_shape:
        num_outputs = 1
        for size in output_shape:
            num_outputs *= size
        flat = keras.layers.Flatten(name="head_flatten")(features)
        flat = keras.layers.Dense(num_outputs, dtype="float32", name="head")(flat)
        features = keras.layers.Reshape(output_shape, dtype="float32", name="head_shape")(flat)
    return keras.layers.Activation(_activation(kind), dtype="float32", name="output")(features)


def loss_of(kind: DataKind) -> Any:
    """Makes the Keras loss between `kind.to_network` values and the head's output."""
    call = kind.loss_call
    module = {"keras.losses": keras.losses, "codeword.losses": losses}[call.module]
    return getattr(module, call.name)(**call.arguments)


def metrics_of(kind: DataKind) -> list[Any]:
    """Makes the metrics that `fit` shows beside the loss: share of exact cells and rows, where values are few."""
    if isinstance(kind, Levels):
        outputs = {"crossentropy": "logits", "ordinal": "ordinal_logits"}.get(kind.loss, "values")
        edges = "midpoint" if kind.loss == "staircase" else kind.edges
        return [ExactMatch(by=by, levels=kind.values, edges=edges, outputs=outputs) for by in ("cell", "row")]
    if isinstance(kind, Binary):
        return [ExactMatch(by=by, levels=2, outputs="binary_logits") for by in ("cell", "row")]
    return []


def _activation(kind: DataKind) -> Any:
    if kind.activation == "staircase":
        assert isinstance(kind, Levels), "only levels have stairs"
        return staircase(kind.values, kind.edges, slope="straight_through")
    return kind.activation
