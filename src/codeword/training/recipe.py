"""Training with a falling learning rate, early stopping and a seed of its own."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from codeword.backend import keras
from codeword.errors import DivergedError
from codeword.training.batches import Batches, KerasBatches
from codeword.training.keras_loop import many_steps_a_call

WARMUP_SHARE = 0.03  # of all steps


def fit(
    model: Any,
    batches: Batches,
    *,
    loss: Any,
    metrics: Any = (),
    validation: Batches | None = None,
    epochs: int,
    learning_rate: float,
    weight_decay: float = 0.0,
    patience: int | None = None,
    callbacks: Sequence[Any] = (),
    verbose: int = 0,
) -> dict[str, list[float]]:
    """Trains with AdamW, its rate rising for a moment, then falling to 0 along a half cosine.

    Args:
        model: Keras model; compiled here.
        batches: Inputs and targets.
        loss, metrics: As for `compile`: one, or by name of the model's output.
        validation: Inputs and targets held out. With them the weights of the epoch with the least validation loss are
            kept, and training ends after `patience` epochs without a better one (None: never before `epochs`).
        epochs: Most passes over the data.
        learning_rate: The highest rate.
        weight_decay: Share of every weight that a step at rate 1 would take away.
        callbacks: Keras callbacks.
        verbose: 0, 1 (a bar an epoch) or 2 (a line an epoch).

    Raises:
        DivergedError: If the loss becomes NaN or infinite.

    Returns:
        Loss and metrics by name, one number an epoch.
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
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    model.compile(optimizer, loss=loss, metrics=metrics)
    callbacks = [*callbacks, keras.callbacks.TerminateOnNaN()]
    if validation is not None:
        best = keras.callbacks.EarlyStopping("val_loss", patience=patience or epochs, restore_best_weights=True)
        callbacks.append(best)
    history = _trained(model, batches, validation, epochs=epochs, callbacks=callbacks, verbose=verbose)
    losses = history.history["loss"]
    if not np.isfinite(losses[-1]):
        raise DivergedError(
            f"The loss must stay finite. Received: {losses[-1]} in epoch {len(losses)}, at learning_rate="
            f"{learning_rate}. Lower it; under a float16 policy take mixed_float16 or mixed_bfloat16."
        )
    return {name: [float(value) for value in values] for name, values in history.history.items()}


def _trained(
    model: Any, batches: Batches, validation: Batches | None, *, callbacks: Sequence[Any], **settings: Any
) -> Any:
    """Trains on whichever backend; gives Keras' `History`."""
    if keras.backend.backend() == "jax" and keras.distribution.distribution() is None:
        from codeword.training.jax_loop import train

        return train(model, batches, validation=validation, callbacks=callbacks, **settings)
    held_out = None if validation is None else KerasBatches(validation)
    with many_steps_a_call(model, callbacks, [len(part) for part in (batches, validation) if part is not None]):
        return model.fit(KerasBatches(batches), validation_data=held_out, callbacks=callbacks, **settings)


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
