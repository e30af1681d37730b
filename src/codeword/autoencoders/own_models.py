"""Take a user's own encoder or decoder: copy it, check what it takes and returns, and complete its output."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.activations import StaircaseActivation
from codeword.autoencoders.heads import completed, head
from codeword.backend import keras
from codeword.data_kinds import DataKind
from codeword.data_kinds.heads import completion, endings
from codeword.errors import ParameterError
from codeword.inference.compiled_inference import compiled_inference
from codeword.inference.model_copy import copied_model
from codeword.inference.output_source import INFINITY, ONLY_SHAPES, Source, source_of
from codeword.inference.recording import Call, call_model, recorded, to_array
from codeword.keras_internals import draw_from_own_generators, flat_layers

_ROWS = 16
_FEW_VALUES = 64  # so many of an unknown activation may lie in one range by chance
_LEAST_SCALE = 1 / 16  # of a rescaling of values that have unit size already
_ERROR_LENGTH = 200


def own_encoder(model: Any, inputs: Any, kind: DataKind) -> Any:
    """Apply a copy of a user's encoder to rows as they enter the network, and return its output.

    Raises:
        ParameterError: If it does not take such rows, does not return one tensor, or returns another one for the same
            row in another place.
    """
    num_levels = len(kind.entry_levels)
    hint = f"Levels enter as one-hot, on a last axis of {num_levels}. " if num_levels else ""
    body, entered = _body(model, "encoder", inputs, hint)
    return body(entered)


def own_decoder(model: Any, codes: Any, kind: DataKind, shape: tuple[int, ...]) -> Any:
    """Apply a copy of a user's decoder to codes `(batch, width)`, and return the output of the head.

    If the decoder returns a value for each one that the head returns, the output is completed to the head's: logits
    get the head's activation, an activation that the head has stays, and probabilities become the logits that the
    loss takes. Other outputs are features, and a projection to the head follows.

    Raises:
        ParameterError: If it does not take such codes, does not return one tensor, or ends in another activation.
    """
    body, entered = _body(model, "decoder", codes)
    features, output_shape = body(entered), kind.output_shape(shape)
    given = tuple(features.shape[1:])
    if None in given or prod(given) != prod(output_shape):
        return head(features, kind, shape)
    signs = np.random.default_rng(0).choice(np.array([-1, 1], np.float32), (_ROWS, *body.input_shape[1:]))
    source, second = _ending(body, signs)
    following = None if second else completion(kind, source.activation, source.low, source.high)
    if source.activation == "staircase" and following == "linear" and not _same_levels(source.layer, kind):
        following = None
    if following is not None:
        return completed(features, kind, shape, following)
    if _without_ones(given) != _without_ones(output_shape):
        return head(features, kind, shape)  # features that are as many by chance
    raise ParameterError(
        f"`decoder` must end in {endings(kind)} for {kind}: got {_named(source, second)}. Change its last activation."
    )


def check_rescaling(encoder: Any, kind: DataKind) -> None:
    """Refuse an encoder that begins with x / 255, if values of unit size enter it.

    Raises:
        ParameterError: If a functional or Sequential model begins so.
    """
    first = _first_layer(encoder)
    if type(first).__name__ == "Rescaling" and np.max(np.abs(first.scale)) < _LEAST_SCALE:
        raise ParameterError(
            f"`encoder` must take values of unit size, as {kind} enters the network: got a model that begins with "
            f"Rescaling({np.max(first.scale):.4g}). Leave out that layer."
        )


def _body(model: Any, name: str, inputs: Any, hint: str = "") -> tuple[Any, Any]:
    """Return a copy of a model as a functional model with one output, and the inputs in the shape that it takes."""
    if not isinstance(model, keras.layers.Layer):
        raise ParameterError(f"`{name}` must be a Keras model or layer: got {_short(repr(model))}.")
    declared = getattr(model, "inputs", None) or []
    if len(declared) > 1:
        raise ParameterError(f"`{name}` must have one input: got {len(declared)}.")
    expected = tuple(inputs.shape[1:])
    taken = tuple(declared[0].shape[1:]) if declared else expected
    if declared and "float" not in declared[0].dtype:
        raise ParameterError(f"`{name}` must take floats: got a model that takes {declared[0].dtype}.")
    if taken != expected:
        one_axis = name == "decoder" and None not in taken and prod(taken) == prod(expected)
        if not one_axis and _without_ones(taken) != _without_ones(expected) and taken != (prod(expected),):
            raise ParameterError(
                f"`{name}` must take rows of shape {expected}: got a model that takes {taken}. "
                f"{hint}Start it with keras.Input({expected})."
            )
        inputs = keras.layers.Reshape(taken, name=f"{name}_shape")(inputs)
    given = keras.Input(taken)
    copy, outputs = _copied(model, name, given)
    if len(outputs) != 1:
        names = getattr(copy, "output_names", None)
        shown = f" ({', '.join(names)})" if names else ""
        hint = f"Pass keras.Model({name}.inputs, {name}.outputs[0])" if declared else "Return one from `call`"
        raise ParameterError(f"`{name}` must return one tensor: got {len(outputs)}{shown}. {hint}.")
    body = keras.Model(given, outputs[0], name=f"own_{name}")
    if not _is_plain(copy):
        _check_own_classes(model, body, name)
    return body, inputs


def _check_own_classes(model: Any, body: Any, name: str) -> None:
    """Refuse a model whose output depends on a row's place, or whose copy computes something else.

    Keras forgets arguments that a constructor was given by position if they have defaults.
    """
    row = np.random.default_rng(0).random(body.input_shape[1:], np.float32)
    rows = np.repeat(row[None], 4, axis=0)
    found = to_array(compiled_inference(body)(rows))
    if not _equal(found[1:], found[:1]):
        raise ParameterError(
            f"`{name}` must return the same output for the same row: got different ones within a batch. Leave out a "
            "layer that samples, and return its mean."
        )
    if model.weights and not _equal(found, to_array(keras.tree.flatten(call_model(model, rows))[0])):
        raise ParameterError(
            f"`{name}` must be a model that Keras can copy: the copy of {_short(repr(model))} returns other values. "
            "Define `get_config` in its class, or pass arguments to its constructor by name."
        )


def _copied(model: Any, name: str, given: Any) -> tuple[Any, Sequence[Any]]:
    """Return a copy of a model with its weights, and its outputs for a symbolic input."""
    try:
        copy = copied_model(model)
    except Exception as error:  # the model may be custom code that raises anything
        raise ParameterError(
            f"`{name}` must be a model that Keras can copy: got {_short(repr(model))} ({_short(error)}). "
            "Define `get_config` in its class."
        ) from error
    try:
        outputs = keras.tree.flatten(copy(given))
    except Exception as error:
        raise ParameterError(
            f"`{name}` must take rows of shape {tuple(given.shape[1:])}: {_short(repr(model))} failed "
            f"({_short(error)})."
        ) from error
    if not model.weights and copy.weights and not _is_plain(copy):
        raise ParameterError(
            f"`{name}` must be built if its class is your own: got {_short(repr(model))}. Call it once on some rows."
        )
    if model.weights:
        try:
            copy.set_weights(model.get_weights())
        except ValueError as error:
            raise ParameterError(
                f"`{name}` must have weights for rows of shape {tuple(given.shape[1:])}: got weights of other shapes "
                f"({_short(error)})."
            ) from error
    draw_from_own_generators(copy)
    return copy, outputs


def _ending(body: Any, rows: NDArray[np.float32]) -> tuple[Source, str | None]:
    """Return what makes a model's output, and the activation before it if there are two in a row."""
    with recorded(body) as calls:
        output = call_model(body, keras.ops.convert_to_tensor(rows))
    values = to_array(keras.ops.cast(output, "float32"))
    source = source_of(output, values, calls)
    if source.activation is None and (source.low, source.high) == (-INFINITY, INFINITY) and values.size >= _FEW_VALUES:
        low, high = float(values.min()), float(values.max())
        if low >= 0:
            return source._replace(low=0.0, high=1.0 if high <= 1 else INFINITY), None
    return source, _before(source, calls)


def _before(source: Source, calls: list[Call]) -> str | None:
    """Return the activation on which the last one was put, without a layer with weights between them."""
    if source.layer is None or getattr(source.layer, "weights", None) or source.activation == "linear":
        return None
    last = max((number for number, call in enumerate(calls) if call.layer is source.layer), default=0)
    if not calls or not calls[last].inputs:
        return None
    given = calls[last].inputs[0]
    inner = source_of(given, to_array(keras.ops.cast(given, "float32")), calls[:last])
    return None if inner.activation in (None, "linear", "leaky_relu") else inner.activation


def _named(source: Source, second: str | None) -> str:
    if second:
        return f"two activations in a row, {second} and {source.activation or 'another'}"
    title = source.activation or "an activation"
    return f"{title}, with values from {source.low:g} to {source.high:g}"


def _same_levels(layer: Any, kind: DataKind) -> bool:
    stairs = layer.activation if isinstance(getattr(layer, "activation", None), StaircaseActivation) else layer
    return tuple(getattr(stairs, "levels", ())) == tuple(kind.entry_levels)


def _first_layer(model: Any) -> Any:
    """Return the first layer of a functional or Sequential model that computes something; None if it is unknown."""
    for layer in getattr(model, "layers", None) or []:
        if hasattr(layer, "layers"):
            return _first_layer(layer)
        if type(layer).__name__ not in ("InputLayer", *ONLY_SHAPES):
            return layer
    return None


def _is_plain(model: Any) -> bool:
    """Return whether all layers are Keras' or codeword's, which can be copied and keep to inference mode."""
    return all(
        type(layer).__module__.startswith(("keras.", "codeword.")) and not isinstance(layer, keras.layers.Lambda)
        for layer in flat_layers(model)
    )


def _equal(values: NDArray[Any], others: NDArray[Any]) -> bool:
    wide = values.astype(np.float64)
    tolerance = 1e-3 * float(np.abs(wide).max(initial=0))
    return np.allclose(wide, others.astype(np.float64), rtol=1e-3, atol=tolerance, equal_nan=True)


def _without_ones(shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
    return tuple(size for size in shape if size != 1)


def _short(text: Any) -> str:
    """Return a text in one line, cut to a readable length."""
    line = " ".join(str(text).split())
    return line if len(line) <= _ERROR_LENGTH else f"{line[:_ERROR_LENGTH]}…"
