"""`codeword.fit`: what `keras.Model.fit` does, faster."""

import os
from functools import partial
from typing import Any

from codeword.backend import keras
from codeword.errors import ParameterError
from codeword.training.keras_loop import many_steps_a_call
from codeword.training.user_data import as_rows, epoch_lengths, is_array, plain, split_rows, weighted

DEVICE_SHARE = 0.5  # of what is free there
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
    """Trains a compiled Keras model as `model.fit` does, with the same results, in less time.

    On JAX the data lies on the device, integers as they are, and one compiled call makes as many of the model's own
    training steps as fit into a fifth of a second. Callbacks hear of batches after every call, the progress bar too;
    one that does something after each batch is told of each. One with `looks_at_model = False` may be told of an epoch
    while the next one runs. What is compiled is kept until the next `model.compile`. On TensorFlow Keras makes up to 32
    steps a call; on PyTorch this is `model.fit`.

    Where JAX cannot compile the loop `model.fit` trains, and a line says why: data that comes as a generator or
    data set, a number of steps an epoch, `run_eagerly=True`, a distribution, a model with a `fit` or
    `make_train_function` of its own.

    Args:
        model: Compiled Keras model.
        x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle, class_weight,
            sample_weight, initial_epoch, steps_per_epoch, validation_steps, validation_batch_size, validation_freq:
            As for `keras.Model.fit`. Frames and scipy.sparse matrices may stand for arrays, `y` included.
        max_bytes: What the data may take on the device. Larger data is read from its arrays, memory-mapped ones
            perhaps, in pieces of at most half of it. None: half of what is free there.

    Returns:
        `keras.callbacks.History`.

    Raises:
        DataError: If arrays differ in their numbers of rows, or have none.
        ParameterError: If a setting cannot work.

    Example:
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
        >>> model.compile("adam", loss="mse")
        >>> history = fit(model, np.ones((8, 4)), np.ones((8, 1)), epochs=3, verbose=0)
        >>> len(history.history["loss"])
        3
    """
    if not getattr(model, "compiled", False):
        raise ParameterError(
            f"`model` must be compiled, for it needs a loss. Received: {model!r}, which is not. "
            'Call model.compile("adam", loss=…) first.'
        )
    if batch_size is not None and batch_size < 1:
        raise ParameterError(f"`batch_size` must be at least 1. Received: {batch_size!r}.")
    counted = steps_per_epoch is not None or validation_steps is not None
    reason = _why_keras_trains(model, (x, y, sample_weight), validation_data, counted=counted)
    size = batch_size or KERAS_BATCH_SIZE
    if reason is None:
        from codeword.training.jax_loop import train
        from codeword.training.user_batches import RowBatches

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
            verbose=verbose,
        )
    if verbose and keras.backend.backend() == "jax":
        print(f"codeword.fit: {reason}, so that Keras' own fit trains this model.")
    lengths = [] if counted else epoch_lengths(x, validation_data, validation_split, size, validation_batch_size)
    with many_steps_a_call(model, callbacks, lengths):
        return model.fit(
            plain(x),
            plain(y, dense=True),
            batch_size,
            epochs,
            verbose,
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
    """Gives the reason why the loop cannot be compiled; None if it can."""
    if keras.backend.backend() != "jax":
        return "only JAX compiles the loop"
    parts = keras.tree.flatten((data, validation_data))
    strange = [type(part).__name__ for part in parts if part is not None and not is_array(part)]
    if data[0] is None or strange:
        return f"the data comes as {strange[0] if strange else None}, not as arrays of numbers"
    if validation_data is not None and not isinstance(validation_data, tuple | list):
        return "the validation data is no tuple of arrays"
    if counted:
        return "the number of steps is set"
    if model.run_eagerly or not model.jit_compile:
        return "the model is not to be compiled"
    if any(getattr(tensor, "sparse", False) for tensor in keras.tree.flatten(getattr(model, "inputs", None) or ())):
        return "the model takes sparse tensors"
    if keras.distribution.distribution() is not None:
        return "the model is distributed"
    if keras.config.is_nnx_enabled() or keras.config.max_epochs() or keras.config.max_steps_per_epoch():
        return "Keras' configuration asks for it"
    for name in ("fit", "evaluate", "make_train_function", "make_test_function"):
        if getattr(type(model), name) is not getattr(keras.Model, name):
            return f"the model has a method `{name}` of its own"
    return None


def _is_due(frequency: int | list[int], epoch: int) -> bool:
    """Whether validation follows an epoch, numbered from 0."""
    return (epoch + 1) % frequency == 0 if isinstance(frequency, int) else epoch + 1 in frequency


def _free_bytes() -> float:
    """Gives the bytes free on the device; of the machine's memory, where that is the device, a quarter."""
    import jax

    figures = jax.devices()[0].memory_stats() or {}
    if "bytes_limit" in figures:
        return float(figures["bytes_limit"] - figures["bytes_in_use"])
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 4
    except (AttributeError, ValueError, OSError):  # Windows
        return 4 * 2.0**30
