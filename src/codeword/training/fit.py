"""`codeword.fit`: `keras.Model.fit` with the same results, but faster."""

import os
from functools import partial
from typing import Any

from codeword.backend import check_not_forked, keras
from codeword.callbacks.progress import with_progress
from codeword.errors import ParameterError
from codeword.keras_internals import why_keras_trains
from codeword.settings import integer, optional
from codeword.training.keras_loop import many_steps_per_call, say_why
from codeword.training.user_data import (
    RowBatches,
    as_rows,
    dense,
    epoch_lengths,
    is_array,
    split_rows,
    weighted,
    without_frames,
)

DEVICE_SHARE = 0.5  # of the free memory there
KERAS_BATCH_SIZE = 32


def fit(
    model: Any,
    x: Any = None,
    y: Any = None,
    batch_size: int | None = None,
    epochs: int = 1,
    verbose: Any = "auto",
    callbacks: Any = None,
    validation_split: float = 0.0,
    validation_data: Any = None,
    shuffle: bool | str = True,
    class_weight: dict[int, float] | None = None,
    sample_weight: Any = None,
    initial_epoch: int = 0,
    steps_per_epoch: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
    validation_freq: int | list[int] = 1,
    *,
    max_bytes: float | None = None,
) -> Any:
    """Train a compiled Keras model like `model.fit`, with the same results, in less time.

    On JAX the data lies on the device, with integers kept as integers, and one compiled call runs as many of the
    model's own training steps as fit into a fifth of a second. Callbacks hear of batches after every call. A callback
    that acts after batches hears of every batch. One with the attribute `looks_at_model = False` may hear of an epoch
    while the next one runs. What is compiled is kept until the next `model.compile`. On TensorFlow, Keras runs up to
    32 steps per call. On PyTorch this is `model.fit`.

    Where JAX cannot compile the loop, `model.fit` trains and one line on stderr gives the reason: data from a generator
    or data set, `steps_per_epoch` or `validation_steps`, `run_eagerly=True`, a distribution, a model with its own `fit`
    or `make_train_function`, or a Keras release without an internal name that the loop needs.

    Args:
        model: Compiled Keras model.
        x: As for `keras.Model.fit`, or a data frame. May be a scipy.sparse matrix.
        y: As for `keras.Model.fit`, or a data frame. May be a scipy.sparse matrix.
        batch_size: As for `keras.Model.fit`.
        epochs: As for `keras.Model.fit`.
        verbose: 0 or False for silence; 1, True or "auto" for one progress bar over all epochs; 2 for one line per
            epoch. All of it goes to stderr.
        callbacks: As for `keras.Model.fit`.
        validation_split: As for `keras.Model.fit`.
        validation_data: As for `keras.Model.fit`. Its arrays may be data frames.
        shuffle: As for `keras.Model.fit`.
        class_weight: As for `keras.Model.fit`.
        sample_weight: As for `keras.Model.fit`.
        initial_epoch: As for `keras.Model.fit`.
        steps_per_epoch: As for `keras.Model.fit`.
        validation_steps: As for `keras.Model.fit`.
        validation_batch_size: As for `keras.Model.fit`.
        validation_freq: As for `keras.Model.fit`.
        max_bytes: Number of bytes that the data may take on the device. Larger data is read from its arrays, which may
            be memory maps, in pieces of at most half this size. Default: half of the free memory there.

    Returns:
        `keras.callbacks.History`.

    Raises:
        DataError: If arrays differ in their numbers of rows, or have none.
        ParameterError: If a setting is not allowed.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("adam", loss="mse")
        >>> history = fit(model, np.ones((8, 4)), np.ones((8, 1)), epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
    """
    check_not_forked()
    if not getattr(model, "compiled", False):
        raise ParameterError(
            f"`model` must be compiled: got {model!r}, which is not. "
            'Call `model.compile("adam", loss="mse")` or similar first.'
        )
    optional(integer(1)).check("batch_size", batch_size)
    x, y, sample_weight, validation_data = without_frames((x, y, sample_weight, validation_data))
    callbacks = with_progress(callbacks, verbose)
    counted = steps_per_epoch is not None or validation_steps is not None
    reason = _why_keras_trains(model, (x, y, sample_weight), validation_data, counted=counted)
    size = batch_size or KERAS_BATCH_SIZE
    if reason is None:
        from codeword.training.jax_loop import train

        rows, held_out = split_rows(as_rows((x, y, sample_weight)), validation_split, validation_data)
        most_bytes = _free_bytes() * DEVICE_SHARE if max_bytes is None else max_bytes
        batches = RowBatches(*weighted(rows, class_weight), batch_size=size, shuffle=shuffle, most_bytes=most_bytes)
        validation = None
        if held_out is not None:
            size = validation_batch_size or size
            validation = RowBatches(*weighted(held_out), batch_size=size, shuffle=False, most_bytes=most_bytes)
        return train(
            model,
            batches,
            validation=validation,
            validation_due=partial(_is_due, validation_freq),
            epochs=epochs,
            initial_epoch=initial_epoch,
            callbacks=callbacks,
        )
    if verbose and keras.backend.backend() == "jax":
        say_why(reason)
    lengths = [] if counted else epoch_lengths(x, validation_data, validation_split, size, validation_batch_size)
    with many_steps_per_call(model, callbacks, lengths):
        return model.fit(
            x,
            dense(y),
            batch_size,
            epochs,
            0,
            callbacks,
            validation_split,
            validation_data,
            shuffle,
            class_weight,
            sample_weight,
            initial_epoch,
            steps_per_epoch,
            validation_steps,
            validation_batch_size,
            validation_freq,
        )


def _why_keras_trains(model: Any, data: Any, validation_data: Any, *, counted: bool) -> str | None:
    """Return the reason why the loop cannot be compiled; None if it can."""
    if keras.backend.backend() != "jax":
        return "only JAX compiles the loop"
    parts = keras.tree.flatten((data, validation_data))
    others = [type(part).__name__ for part in parts if part is not None and not is_array(part)]
    if data[0] is None or others:
        return f"the data comes as {others[0] if others else None}, not as arrays of numbers"
    if validation_data is not None and not isinstance(validation_data, tuple | list):
        return "the validation data is not a tuple of arrays"
    if counted:
        return "the number of steps is set"
    if model.run_eagerly or not model.jit_compile:
        return "the model is set not to be compiled"
    if any(getattr(tensor, "sparse", False) for tensor in keras.tree.flatten(getattr(model, "inputs", None) or ())):
        return "the model takes sparse tensors"
    if keras.distribution.distribution() is not None:
        return "the model is distributed"
    if keras.config.is_nnx_enabled() or keras.config.max_epochs() or keras.config.max_steps_per_epoch():
        return "the configuration of Keras asks for it"
    for name in ("fit", "evaluate", "make_train_function", "make_test_function"):
        if getattr(type(model), name, None) is not getattr(keras.Model, name, None):
            return f"the model has its own method `{name}`"
    return why_keras_trains(model)


def _is_due(frequency: int | list[int], epoch: int) -> bool:
    """Return whether validation follows an epoch, numbered from 0."""
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency


def _free_bytes() -> float:
    """Return the number of free bytes on the device; a quarter of the machine's memory if it does not report them."""
    import jax

    figures = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in figures:
        return float(figures["bytes_limit"] - figures["bytes_in_use"])
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4
    except (AttributeError, ValueError, OSError):  # Windows
        return 4 * 2.0**30
