"""The network of a rating autoencoder as Keras models."""

from typing import Any

from numpy.typing import NDArray

from codeword.backend import keras


def keras_models(
    kernel_in: NDArray[Any], bias_in: NDArray[Any], kernel_out: NDArray[Any], *, row_length: float
) -> tuple[Any, Any, Any]:
    """Gives the whole network, its encoder and its decoder as functional Keras models with copies of the weights.

    The encoder takes rows of shape `(columns,)`, 0 where nothing was rated; it brings each to one length by Keras' own
    layers. The models take dense rows, so they are for looking, transfer and small data.
    """
    num_columns, units = kernel_in.shape
    row = keras.Input((num_columns,), name="row")
    unit = keras.layers.UnitNormalization(name="row_of_length_1")(row)
    scaled = keras.layers.Rescaling(row_length, name="row_of_one_length")(unit)
    hidden = keras.layers.Dense(units, "sigmoid", name="hidden")
    encoder = keras.Model(row, hidden(scaled), name="encoder")
    hidden.set_weights([kernel_in, bias_in])
    code = keras.Input((units,), name="code")
    output = keras.layers.Dense(num_columns, use_bias=False, name="residual")
    decoder = keras.Model(code, output(code), name="decoder")
    output.set_weights([kernel_out.T])
    return keras.Model(row, decoder(encoder(row)), name="model"), encoder, decoder
