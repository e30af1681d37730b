"""Build an autoencoder: body, code path, code layer, body, head."""

from collections.abc import Sequence
from typing import Any

from codeword import layers
from codeword.autoencoders.heads import enter_network, head
from codeword.autoencoders.own_models import own_decoder, own_encoder
from codeword.backend import keras
from codeword.code_kinds import CodeKind
from codeword.data_kinds import DataKind
from codeword.layers.hard_layer import HardLayer
from codeword.objectives.objective import Networks


def build_autoencoder(
    data: DataKind,
    code: CodeKind,
    shape: tuple[int, ...],
    *,
    hidden: Sequence[int],
    noise: float,
    encoder: Any = None,
    decoder: Any = None,
    linear: bool = False,
) -> Networks:
    """Build the networks of an autoencoder with fresh weights; your own models keep copies of theirs.

    Args:
        data: Data kind.
        code: Code kind.
        shape: Shape of one row.
        hidden: Units of the dense layers before the code, and in reverse order after it.
        noise: Standard deviation of the noise before the code's thresholds in training.
        encoder: Your own Keras model or layer instead of the dense layers before the code.
        decoder: Your own Keras model or layer instead of the dense layers after the code.
        linear: Whether nothing stands before the projection to the code.

    Raises:
        ParameterError: If one of your own models does not fit.
    """
    rows = keras.Input(shape, name="row")
    features = encoder_features(rows, data, hidden=() if linear else hidden, encoder=encoder)
    scores = _before_code(features, code, noise=noise)
    layer: HardLayer = getattr(layers, code.layer)(**code.layer_arguments, dtype="float32", name="code")
    encoder_model = keras.Model(rows, layer(scores), name="encoder")

    codes = keras.Input(code.value_shape, name="code_values")
    if decoder is None:
        outputs = head(_dense_body(codes, tuple(reversed(hidden)), "decoder"), data, shape)
    else:
        outputs = own_decoder(decoder, keras.layers.Flatten(name="code_values_flat")(codes), data, shape)
    decoder_model = keras.Model(codes, outputs, name="decoder")

    return Networks(
        keras.Model(rows, decoder_model(encoder_model(rows)), name="autoencoder"),
        encoder_model,
        decoder_model,
        keras.Model(rows, [layer.symbols(scores), layer.margin(scores)], name="symbolizer"),
    )


def encoder_features(rows: Any, data: DataKind, *, hidden: Sequence[int], encoder: Any = None) -> Any:
    """Return the features of rows, a Keras tensor of shape `(batch, features)`; see `build_autoencoder`."""
    entered = enter_network(rows, data)
    features = _dense_body(entered, hidden, "encoder") if encoder is None else own_encoder(encoder, entered, data)
    return features if len(features.shape) == 2 else keras.layers.Flatten(name="features")(features)


def _dense_body(inputs: Any, hidden: Sequence[int], name: str) -> Any:
    """Flatten inputs and apply dense layers with GELU: `(batch, ...)` -> `(batch, features)`."""
    x = keras.layers.Flatten(name=f"{name}_flatten")(inputs)
    for number, units in enumerate(hidden, start=1):
        x = keras.layers.Dense(units, activation="gelu", kernel_initializer="he_normal", name=f"{name}_{number}")(x)
    return x


def _before_code(features: Any, kind: CodeKind, *, noise: float) -> Any:
    """Project features to unit-spread values, which the code layer compares with its thresholds.

    Batch normalization keeps every bit in use: without it a sign learns the same code for all rows. Noise in training
    drives the values away from the thresholds. `(batch, features)` -> `(batch, *value_shape)`, float32 also under mixed
    precision.
    """
    x = keras.layers.Dense(kind.width, use_bias=False, dtype="float32", name="code_projection")(features)
    # Momentum 0.9, not Keras' 0.99: the averages for inference then follow a network that still learns fast, so
    # validation in the first epochs is not far off (0.53 of the rows exact after two epochs instead of 0.34).
    x = keras.layers.BatchNormalization(
        momentum=0.9, center=False, scale=False, dtype="float32", name="code_normalization"
    )(x)
    if noise:
        x = layers.CodeNoise(noise, dtype="float32", name="code_noise")(x)
    if kind.value_shape != (kind.width,):
        x = keras.layers.Reshape(kind.value_shape, dtype="float32", name="code_scores")(x)
    return x
