"""Training with a falling learning rate, early stopping and a seed of its own."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras


def fit(
    model: Any,
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    loss: Any,
    metrics: Sequence[Any] = (),
    validation_data: tuple[NDArray[Any], NDArray[Any]] | None = None,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    patience: int | None = None,
    callbacks: Sequence[Any] = (),
    verbose: int = 0,
) -> dict[str, list[float]]:
    """Trains with Adam, its rate falling to 0 along a half cosine over all epochs.

    Args:
        model: Keras model; compiled here.
        x, y: Inputs and targets, `n` rows each.
        loss, metrics: As for `compile`.
        validation_data: Pair like `x, y`. With it the weights of the epoch with the least validation loss are kept,
            and training ends after `patience` epochs without a better one (None: never before `epochs`).
        epochs, batch_size: As for Keras' `fit`.
        learning_rate: Adam's rate at the start.
        callbacks: Keras callbacks.
        verbose: 0, 1 (a bar an epoch) or 2 (a line an epoch).

    Returns:
        Loss and metrics by name, one number an epoch.
    """
    num_steps = epochs * -(-len(x) // batch_size)
    schedule = keras.optimizers.schedules.CosineDecay(learning_rate, num_steps)
    model.compile(keras.optimizers.Adam(schedule), loss=loss, metrics=list(metrics))
    callbacks = list(callbacks)
    if validation_data is not None:
        best = keras.callbacks.EarlyStopping("val_loss", patience=patience or epochs, restore_best_weights=True)
        callbacks.append(best)
    history = model.fit(
        x,
        y,
        validation_data=validation_data,
        epochs=epochs,
        batch_size=batch_size,
        callbacks=callbacks,
        verbose=verbose,
    )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Makes all random numbers inside follow from `seed`, and leaves the user's NumPy and Python streams untouched."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    keras.utils.set_random_seed(seed)
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)
