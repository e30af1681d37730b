"""The estimators' recipe: a learning rate that rises and falls, early stopping, and seeded random numbers."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from codeword.backend import check_not_forked, keras
from codeword.callbacks.progress import with_progress
from codeword.errors import DivergedError
from codeword.keras_internals import seeds_from, why_keras_trains
from codeword.training.batches import Batches
from codeword.training.keras_loop import as_data_set, many_steps_per_call, say_why

WARMUP_SHARE = 0.03  # of all steps


def fit(
    model: Any,
    batches: Batches,
    *,
    loss: Any,
    metrics: Any = (),
    validation: Batches | None = None,
    loss_weights: dict[str, float] | None = None,
    epochs: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    patience: int | None = None,
    callbacks: Sequence[Any] = (),
    verbose: bool | int = 0,
) -> dict[str, list[float]]:
    """Compile a model and train it with AdamW; return loss and metrics by name, one number per epoch.

    The learning rate rises briefly to `learning_rate`, then falls to 0 along half a cosine. Biases and codebooks do not
    decay. With `validation` the weights of the epoch with the lowest validation loss are kept, and training ends after
    `patience` epochs without improvement (None: never before `epochs`). A loss of NaN or infinity raises
    `DivergedError`.
    """
    num_steps = epochs * len(batches)
    warmup = int(WARMUP_SHARE * num_steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else learning_rate,
        num_steps - warmup,
        warmup_target=learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "codebooks"])
    model.compile(optimizer, loss=loss, loss_weights=loss_weights, metrics=metrics)
    callbacks = [*callbacks, keras.callbacks.TerminateOnNaN()]
    if validation is not None:
        best = keras.callbacks.EarlyStopping("val_loss", patience=patience or epochs, restore_best_weights=True)
        callbacks.append(best)
    history = _train(model, batches, validation, epochs, callbacks, verbose).history
    losses = history["loss"]
    if not np.isfinite(losses[-1]):
        raise DivergedError(
            f"The loss must stay finite: got {losses[-1]} in epoch {len(losses)} at learning_rate={learning_rate}. "
            "Lower the learning rate. Under a float16 policy, use mixed_float16 or mixed_bfloat16."
        )
    return {name: [float(value) for value in values] for name, values in history.items()}


def _train(
    model: Any, batches: Batches, validation: Batches | None, epochs: int, callbacks: Any, verbose: bool | int
) -> Any:
    """Train by the fastest loop of the backend, and return Keras' `History`."""
    callbacks = with_progress(callbacks, verbose)
    shuffle = True
    if keras.backend.backend() == "jax" and keras.distribution.distribution() is None:
        reason = why_keras_trains(model)
        if reason is None:
            from codeword.training.jax_loop import train

            return train(model, batches, validation=validation, epochs=epochs, callbacks=callbacks)
        shuffle = False  # the batches are shuffled already
        if verbose:
            say_why(reason)
    held_out = None if validation is None else as_data_set(validation)
    with many_steps_per_call(model, callbacks, [len(part) for part in (batches, validation) if part is not None]):
        given = {"epochs": epochs, "callbacks": callbacks, "verbose": 0, "shuffle": False}
        return model.fit(as_data_set(batches, shuffle=shuffle), validation_data=held_out, **given)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Derive the seeds of all layers that this thread makes inside from `seed`, whatever other threads do.

    The streams of the process stay as they are: Python's, NumPy's, and those of Keras and its backends.
    """
    check_not_forked()
    with seeds_from(random.Random(seed)):
        yield
