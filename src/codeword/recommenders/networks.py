"""The network of a rating autoencoder as Keras models."""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from codeword.backend import keras


def keras_models(weights: Mapping[str, NDArray[Any]], *, input_length: float) -> tuple[Any, Any, Any]:
    """Return the whole network, its encoder and its decoder as functional Keras models with copies of the weights.

    The encoder takes rows of shape `(columns,)`, 0 where nothing was rated, and scales each to one length by Keras'
    own layers. The models take dense rows, so they suit inspection, transfer learning and small data.
    """
    num_columns, units = weights["kernel_in"].shape
    row = keras.Input((num_columns,), name="row")
    unit = keras.layers.UnitNormalization(name="row_of_length_1")(row)
    scaled = keras.layers.Rescaling(input_length, name="row_of_one_length")(unit)
    hidden = keras.layers.Dense(units, "sigmoid", name="hidden")
    encoder = keras.Model(row, hidden(scaled), name="encoder")
    hidden.set_weights([weights["kernel_in"], weights["bias_in"]])
    code = keras.Input((units,), name="code")
    own = keras.layers.Dense(num_columns, use_bias=False, name="own")
    common = keras.layers.Dense(1, use_bias=False, name="common")
    decoder = keras.Model(code, keras.layers.Add(name="residual")([own(code), common(code)]), name="decoder")
    own.set_weights([weights["kernel_out"].T])
    common.set_weights([weights["common_out"][:, None]])
    return keras.Model(row, decoder(encoder(row)), name="model"), encoder, decoder
