"""The networks in Keras, on the backend that KERAS_BACKEND names, by Keras' `fit` or codeword's."""

from typing import Any

from clock import Clock
from networks import RATE, Network, Rows, first_weights

import codeword as cw
from codeword.backend import keras

STEPS_PER_EXECUTION = 32
FEW_EPOCHS = 20
MIDDLES = {
    "signs": cw.layers.SignBits,
    "larq signs": lambda: keras.layers.Activation(larq_sign),
    "tanh": lambda: keras.layers.Activation("tanh"),
    "scalars": lambda: cw.layers.ScalarQuantizer(256, minimum=-1.0, maximum=1.0),
    "FSQ's scalars": lambda: cw.layers.ScalarQuantizer((8, 5, 5, 5), minimum=-1.0, maximum=1.0),
    "stairs": lambda: cw.layers.Staircase((-0.75, -0.25, 0.25, 0.75), slope="drawn"),
    "choice": cw.layers.Hardmax,
    "residual codebooks": lambda: cw.layers.ResidualQuantizer(8, size=256),
}


def fused_fit(model: Any, *arguments: Any, **settings: Any) -> Any:
    return cw.fit(model, *arguments, **settings)


def keras_fit(model: Any, *arguments: Any, **settings: Any) -> Any:
    return model.fit(*arguments, **settings)


FITS = {"codeword": fused_fit, "keras": keras_fit}


def make(
    network: Network,
    rows: Rows,
    *,
    by: str = "keras",
    middle: str = "signs",
    grouped: bool = False,
    xla: bool = False,
) -> Any:
    model = built(network, middle)
    compiled(model, network, grouped=grouped, xla=xla)
    settings = {"batch_size": network.batch, "verbose": 0}

    def train(epochs: int) -> tuple[list[float], float | None]:
        # The first of a few long epochs is not counted: it brings the data to the device. Of many short ones it does
        # not matter, and a callback would: codeword.fit then tells it of each before it goes on.
        clock = Clock() if epochs < FEW_EPOCHS else None
        callbacks = [] if clock is None else [clock]
        epochs += len(callbacks)
        losses = FITS[by](model, rows, rows, epochs=epochs, callbacks=callbacks, **settings).history["loss"]
        return losses[:2], None if clock is None else clock.seconds

    return train


def built(network: Network, middle: str = "signs", first: tuple[Any, ...] = ()) -> Any:
    """Builds a network; `first` are layers before it."""
    dense = keras.layers.Dense
    if network.middle is None:
        inner = [dense(network.hidden, "sigmoid"), dense(network.columns)]
    else:
        inner = [dense(network.hidden, "relu"), dense(network.middle), MIDDLES[middle]()]
        inner += [dense(network.hidden, "relu"), dense(network.columns, "sigmoid")]
    model = keras.Sequential([keras.Input((network.columns,)), *first, *inner])
    model_weights = iter(first_weights(network))
    for variable in model.trainable_variables:
        variable.assign(next(model_weights))
    return model


def compiled(model: Any, network: Network, *, loss: Any = None, grouped: bool = False, xla: bool = False) -> None:
    loss = loss or ("mse" if network.middle is not None else cw.losses.Masked("mse", missing=0))
    settings: dict[str, Any] = {"jit_compile": True} if xla else {}
    model.compile(
        keras.optimizers.Adam(RATE), loss=loss, steps_per_execution=STEPS_PER_EXECUTION if grouped else 1, **settings
    )


def larq_sign(x: Any) -> Any:
    """Does what larq's `ste_sign` does in TensorFlow: slope 1 where |x| <= 1, else 0."""
    import tensorflow as tf

    @tf.custom_gradient
    def signs(x: Any) -> Any:
        def slope(upstream: Any) -> Any:
            return tf.where(tf.abs(x) <= 1, upstream, tf.zeros_like(upstream))

        return tf.where(x >= 0, tf.ones_like(x), -tf.ones_like(x)), slope

    return signs(x)
