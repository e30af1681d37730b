"""Puts an autoencoder together: body, code path, code layer, body, head."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from codeword.autoencoders.code_path import before_code, code_layer
from codeword.autoencoders.dense_body import dense_body
from codeword.autoencoders.heads import enter_network, head
from codeword.backend import keras
from codeword.code_kinds import CodeKind
from codeword.data_kinds import DataKind
from codeword.errors import ParameterError
from codeword.layers import ForDecoder

ops = keras.ops
ROWS, CODES = "rows", "codes"  # what the similarity model gives


class Networks(NamedTuple):
    """One autoencoder, seen as four Keras models that share all weights."""

    model: Any  # row -> head's output
    encoder: Any  # row -> code values
    decoder: Any  # code values -> head's output
    symbolizer: Any  # row -> [symbols, margin]


def build_autoencoder(
    data: DataKind,
    code: CodeKind,
    shape: tuple[int, ...],
    *,
    hidden: Sequence[int],
    noise: float,
    encoder: Any = None,
    decoder: Any = None,
) -> Networks:
    """Builds the networks of an autoencoder with fresh weights (own models keep copies of theirs).

    Args:
        data, code: The kinds.
        shape: Shape of one row.
        hidden: Units of the dense layers before the code, in reverse behind it.
        noise: Standard deviation before the code's thresholds in training.
        encoder, decoder: Own Keras models instead.

    Raises:
        ParameterError: If an own model does not fit.
    """
    rows = keras.Input(shape, name="row")
    entered = enter_network(rows, data)
    features = dense_body(entered, hidden, name="encoder") if encoder is None else _own(encoder, "encoder", entered)
    if len(features.shape) != 2:
        features = keras.layers.Flatten(name="features")(features)
    scores = before_code(features, code, noise=noise)
    layer = code_layer(code)
    encoder_model = keras.Model(rows, layer(scores), name="encoder")

    codes = keras.Input(code.value_shape, name="code_values")
    if decoder is None:
        body = dense_body(codes, tuple(reversed(hidden)), name="decoder")
    else:
        body = _own(decoder, "decoder", keras.layers.Flatten(name="code_values_flat")(codes))
    decoder_model = keras.Model(codes, head(body, data, shape, own=decoder is not None), name="decoder")

    return Networks(
        keras.Model(rows, decoder_model(encoder_model(rows)), name="autoencoder"),
        encoder_model,
        decoder_model,
        keras.Model(rows, [layer.symbols(scores), layer.margin(scores)], name="symbolizer"),
    )


def similarity_model(encoder: Any, decoder: Any, augment: Any = None) -> Any:
    """Builds the network in which codes learn to be alike: pairs of rows to their codes, and what is decoded from them.

    A batch is rows, then a partner of each. The decoder learns on the codes of the rows alone, partners are rows
    elsewhere; and the codes do not learn from it.

    Args:
        encoder, decoder: Of the autoencoder; the weights are shared.
        augment: Keras layer or model that varies rows in training, as they enter the network; copied. None: none.

    Returns:
        Keras model with the outputs `ROWS` and `CODES`.

    Raises:
        ParameterError: If `augment` does not give rows of the same shape.
    """
    rows = keras.Input(encoder.input_shape[1:], name="row_to_vary")
    codes = encoder(rows if augment is None else _varied(augment, rows))
    return keras.Model(rows, {ROWS: decoder(ForDecoder(name="for_decoder")(codes)), CODES: codes}, name="similarity")


def _varied(augment: Any, rows: Any) -> Any:
    """Applies a copy of a user's layer."""
    if not isinstance(augment, keras.layers.Layer):
        raise ParameterError(
            f'`augment` must be "images", or a Keras layer or model from rows to rows. Received: {augment!r}. Give one.'
        )
    try:
        copy = type(augment).from_config(augment.get_config())
        varied = copy(rows)
        if augment.built:
            copy.set_weights(augment.get_weights())
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ParameterError(
            f"`augment` must take rows of shape {tuple(rows.shape[1:])}. Received: {augment!r}, which does not "
            f"({error}). Put a Reshape before and behind it, as layers for images want channels."
        ) from error
    if tuple(varied.shape) != tuple(rows.shape):
        raise ParameterError(
            f"`augment` must give rows of shape {tuple(rows.shape[1:])} again. Received: {tuple(varied.shape[1:])}. "
            "Reshape them."
        )
    return varied


def _own(model: Any, name: str, inputs: Any) -> Any:
    """Copies a user's model and applies it."""
    if not isinstance(model, keras.Model) or not model.built or len(model.inputs or []) != 1:
        raise ParameterError(
            f"`{name}` must be a built functional or Sequential Keras model with one input. Received: {model!r}. "
            "Begin it with keras.Input(shape)."
        )
    expected, received = tuple(inputs.shape[1:]), tuple(model.inputs[0].shape[1:])
    if received == (*expected, 1):
        inputs = keras.layers.Reshape(received, name=f"{name}_channel")(inputs)
    elif received != expected:
        raise ParameterError(
            f"`{name}` must take rows of shape {expected}. Received: a model that takes {received}. "
            f"Begin it with keras.Input({expected})."
        )
    try:
        copy = keras.models.clone_model(model)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ParameterError(
            f"`{name}` must be a model that Keras can copy. Received: {model!r} ({error}). Write a Lambda as a layer "
            "class of its own."
        ) from error
    copy.set_weights(model.get_weights())
    return copy(inputs)
