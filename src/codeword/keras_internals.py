"""Every private Keras name in use: what it is for, and what happens if the installed Keras lacks it.

Keras may rename or remove these names in any release. No other module uses them: each calls a function of this one.
`missing()` lists what the installed Keras lacks, and `why_keras_trains` decides whether the compiled loop can run.
"""

import inspect
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras


class PrivateName(NamedTuple):
    """A private Keras name: who should have it, what it is for, and what happens if it is missing."""

    holder: Callable[[], Any]
    purpose: str
    fallback: str


def _model() -> Any:
    return keras.Sequential(name="probe")  # a name of its own, so that Keras does not count it


def _module(path: str) -> Any:
    return reduce(lambda module, name: getattr(module, name, None), path.split("."), keras.src)


KERAS_TRAINS = "Keras' own `fit` trains."

NAMES = {
    # Training
    "_symbolic_build": PrivateName(_model, "Create missing variables from the shapes of one batch.", KERAS_TRAINS),
    "_compile_loss": PrivateName(_model, "Know whether the loss still has to be built.", KERAS_TRAINS),
    "_compile_metrics": PrivateName(_model, "Know whether the metrics still have to be built.", KERAS_TRAINS),
    "_initial_epoch": PrivateName(_model, "Resume where `BackupAndRestore` stopped.", KERAS_TRAINS),
    "ArrayDataAdapter": PrivateName(
        lambda: _module("trainers.data_adapters.array_data_adapter"),
        "Shuffle rows in the order of the installed Keras.",
        KERAS_TRAINS,
    ),
    "jax_state_sync": PrivateName(
        _model, "Write weights into the model only when a callback asks for it.", "They are written after each call."
    ),
    "train_function": PrivateName(_model, "Notice a new `compile`, which resets it.", "Each `fit` compiles again."),
    # Layers
    "_flatten_layers": PrivateName(_model, "Find layers inside layers.", "The attributes of layers are searched."),
    "_call_has_training_arg": PrivateName(
        _model, "Know whether a model takes `training`.", "The signature of `call` is read."
    ),
    "_losses": PrivateName(_model, "Find and restore what `add_loss` added.", "`examine` ignores `add_loss`."),
    "_output_shape": PrivateName(
        lambda: keras.layers.Lambda(abs, output_shape=(1,), name="probe"),
        "Copy a `Lambda` layer.",
        "Keras infers the shape.",
    ),
    # Losses and metrics
    "_fn": PrivateName(
        lambda: keras.metrics.MeanMetricWrapper(abs, name="probe"),
        "Recognize the function that a metric wraps.",
        "`Masked` cannot refuse metrics that couple the entries of a row.",
    ),
    "_direction": PrivateName(
        lambda: keras.metrics.BinaryAccuracy(name="probe"),
        "Let callbacks know whether a larger value of a metric is better.",
        "Callbacks guess by the name of the metric.",
    ),
    "get_keras_mask": PrivateName(
        lambda: _module("backend"), "Read the mask of a tensor.", "The tensor's `_keras_mask` is read."
    ),
    "set_keras_mask": PrivateName(
        lambda: _module("backend"), "Set the mask of a tensor.", "The tensor's `_keras_mask` is set."
    ),
    # Random numbers
    "GLOBAL_SEED_GENERATOR": PrivateName(
        lambda: _module("random.seed_generator"),
        "Restore the global seed generator after `fit` and `examine`.",
        "They may change what the global generator draws next.",
    ),
    "python_random": PrivateName(
        lambda: _module("random.seed_generator"),
        "Draw the seeds of new layers and initializers from a stream of a thread's own.",
        "A fit seeds Python's global stream, and puts it back.",
    ),
    "_initial_seed": PrivateName(
        lambda: keras.random.SeedGenerator(0, name="probe"),
        "Let dropout on PyTorch draw from its layer's own generator.",
        "It draws from PyTorch's global stream.",
    ),
}

NEEDED_TO_TRAIN = [name for name, private in NAMES.items() if private.fallback == KERAS_TRAINS]


def missing() -> list[str]:
    """Return the private names in use that the installed Keras lacks."""
    return [name for name, private in NAMES.items() if not hasattr(private.holder(), name)]


def why_keras_trains(model: Any) -> str | None:
    """Return which names the compiled loop would need that this model lacks; None if it has them all."""
    holders = [(name, NAMES[name].holder) for name in NEEDED_TO_TRAIN]
    lacking = [f"`{name}`" for name, holder in holders if not hasattr(model if holder is _model else holder(), name)]
    return f"the installed Keras has no {' and no '.join(lacking)}" if lacking else None


# Training


def build(model: Any, first_batch: Callable[[], Any]) -> None:
    """Create the variables of a compiled model, its loss, metrics and optimizer that are missing.

    `first_batch`, which returns the shapes of a batch, is called only if it is needed: it moves random streams.
    """
    parts = (*flat_layers(model), model._compile_metrics, model._compile_loss)
    built = all(part.built for part in parts if part is not None)
    model._symbolic_build(data_batch=None if built else first_batch())


class RowOrder:
    """Draw the order of rows as `keras.Model.fit` of the installed Keras does.

    Keras 3.15 shuffles by NumPy's global stream; Keras 3.16 by the number of the epoch.
    """

    def __init__(self, num_rows: int, batch_size: int, shuffle: bool | str) -> None:
        rows = np.arange(num_rows, dtype=np.int32)
        # All rows in one batch have the same order as in many, in less time.
        size = batch_size if shuffle == "batch" else num_rows
        adapter = keras.src.trainers.data_adapters.array_data_adapter.ArrayDataAdapter
        self._adapter = adapter(rows, batch_size=size, shuffle=shuffle)

    def first_rows(self) -> NDArray[np.int32]:
        """Draw the first rows, as Keras does to learn the shapes of a batch before the first epoch."""
        return next(self._parts())

    def epoch(self) -> NDArray[np.int32]:
        """Draw the row numbers of the next epoch."""
        self._adapter.on_epoch_end()  # also before the first epoch, as Keras does
        return np.concatenate(list(self._parts()))

    def _parts(self) -> Iterator[NDArray[np.int32]]:
        return (keras.utils.unpack_x_y_sample_weight(batch)[0] for batch in self._adapter.get_numpy_iterator())


def initial_epoch(model: Any) -> int | None:
    """Return the epoch at which `BackupAndRestore` resumes a training; None if there is none."""
    return getattr(model, "_initial_epoch", None)


@contextmanager
def state_on_demand(model: Any, write: Callable[[], None]) -> Iterator[bool]:
    """Let callbacks that ask for the model write the state of the training into its variables first.

    `keras.callbacks.Callback.model` calls `model.jax_state_sync()`. Within this context it calls `write` before. If
    False is yielded that does not work, and the caller must write the state before every callback.
    """
    if not hasattr(model, "jax_state_sync"):
        yield False
        return
    keras_writes = model.jax_state_sync

    def write_both() -> None:
        write()
        keras_writes()

    # Past `Layer.__setattr__`, which would look for variables in it.
    vars(model)["jax_state_sync"] = write_both
    try:
        yield True
    finally:
        vars(model).pop("jax_state_sync", None)


def kept_until_compiled(model: Any) -> dict[Any, Any]:
    """Return a dictionary that stays with a model until it is compiled again, and is freed with it.

    `compile` resets `train_function`. Nothing else about that function is relied upon.
    """
    make = getattr(model, "make_train_function", None)
    if make is None or not hasattr(model, "train_function"):
        return {}
    make()
    kept = vars(model).get("_codeword_kept")
    if kept is None or kept.train_function is not model.train_function:
        # Opaque to Keras, which walks over a model's attributes.
        kept = vars(model)["_codeword_kept"] = SimpleNamespace(train_function=model.train_function, things={})
    return kept.things


# Layers


def flat_layers(model: Any) -> list[Any]:
    """Return a model and all layers inside it, those inside layers too, each once."""
    return list(model._flatten_layers()) if hasattr(model, "_flatten_layers") else list(_found(model, {}).values())


def inner_layers(layer: Any) -> list[Any]:
    """Return the layers directly inside a layer; none for an operation that is not a layer."""
    if hasattr(layer, "_flatten_layers"):
        return list(layer._flatten_layers(include_self=False, recursive=False))
    return [one for one in _found(layer, {}).values() if one is not layer]


def _found(thing: Any, found: dict[int, Any]) -> dict[int, Any]:
    """Collect the layers within a layer's attributes, or within the items of a container."""
    if isinstance(thing, keras.layers.Layer):
        if id(thing) not in found:
            found[id(thing)] = thing
            for part in vars(thing).values():
                _found(part, found)
    elif isinstance(thing, dict | list | tuple | set):
        for part in thing.values() if isinstance(thing, dict) else thing:
            _found(part, found)
    return found


def takes_training(model: Any) -> bool:
    """Return whether a model's `call` takes the argument `training`."""
    known = getattr(model, "_call_has_training_arg", None)
    return "training" in inspect.signature(type(model).call).parameters if known is None else bool(known)


def added_losses(layer: Any) -> list[Any]:
    """Return the list of what `add_loss` added to a layer; the layer's own list, to read or to restore."""
    return getattr(layer, "_losses", [])


def declared_shape(layer: Any) -> Any:
    """Return the `output_shape` that a `Lambda` layer was given."""
    return getattr(layer, "_output_shape", None)


# Losses and metrics


def function_of(part: Any) -> Any:
    """Return the function that a Keras loss or metric wraps; None if it wraps none."""
    return getattr(part, "_fn", None) or getattr(part, "fn", None)


def take_direction(metric: Any, wrapped: Any) -> None:
    """Let callbacks call a metric better in the same direction as the one that it wraps."""
    if hasattr(wrapped, "_direction"):
        metric._direction = wrapped._direction


def mask_of(tensor: Any) -> Any:
    """Return the mask that Keras' layers and losses gave to a tensor; None if there is none."""
    read = getattr(keras.src.backend, "get_keras_mask", None)
    return getattr(tensor, "_keras_mask", None) if read is None else read(tensor)


def set_mask(tensor: Any, mask: Any) -> None:
    """Set the mask of a tensor, which Keras' losses and metrics read."""
    write = getattr(keras.src.backend, "set_keras_mask", None)
    if write is None:
        tensor._keras_mask = mask
    else:
        write(tensor, mask)


# Random numbers


def global_seed_generator() -> Any:
    """Return the seed generator behind `keras.random`; None if there is none yet."""
    name = getattr(keras.src.random.seed_generator, "GLOBAL_SEED_GENERATOR", None)
    return None if name is None else keras.src.backend.common.global_state.get_global_attribute(name)


def set_global_seed_generator(generator: Any) -> None:
    """Put back the seed generator behind `keras.random`."""
    name = getattr(keras.src.random.seed_generator, "GLOBAL_SEED_GENERATOR", None)
    if name is not None:
        keras.src.backend.common.global_state.set_global_attribute(name, generator)


class _Seeds(threading.local):
    """Where Keras draws the seeds of new layers: the module `random`, or a stream of a thread's own."""

    source: Any = random

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)


_SEEDS = _Seeds()


def stream_of_seeds() -> Any:
    """Return the stream from which Keras draws seeds in this thread, with the methods of the module `random`."""
    return _SEEDS.source


@contextmanager
def seeds_from(stream: random.Random) -> Iterator[None]:
    """Let Keras draw the seeds of new layers and initializers in this thread from a stream.

    Python's, NumPy's and the backend's global streams are neither read nor changed, so that other threads may use
    them. The thread's generator behind `keras.random` is a new one meanwhile.
    """
    keras_draws, generator, before = keras.src.random.seed_generator, global_seed_generator(), _SEEDS.source
    own, state = hasattr(keras_draws, "python_random"), random.getstate()
    try:
        set_global_seed_generator(None)
        if own:
            keras_draws.python_random, _SEEDS.source = _SEEDS, stream
        else:
            random.setstate(stream.getstate())
        yield
    finally:
        _SEEDS.source = before
        set_global_seed_generator(generator)
        if not own:
            random.setstate(state)


def draw_from_own_generators(layer: Any) -> None:
    """Let the layers inside a layer draw from their own seed generators on every backend.

    PyTorch's fast dropout draws from its global stream where the seed generator was given no seed.
    """
    for part in flat_layers(layer):
        for generator in vars(part).values():
            if isinstance(generator, keras.random.SeedGenerator) and getattr(generator, "_initial_seed", 0) is None:
                generator._initial_seed = int(keras.ops.convert_to_numpy(generator.state)[0])
