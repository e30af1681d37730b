"""The progress that `verbose` asks for, on stderr; Keras' own bars would write escape characters to stdout."""

from typing import Any

from codeword.backend import keras
from codeword.callbacks.epoch_bar import EpochBar
from codeword.callbacks.epoch_lines import EpochLines


def with_progress(callbacks: Any, verbose: bool | int | str) -> Any:
    """Return callbacks and one that shows progress.

    Args:
        callbacks: Callbacks as `keras.Model.fit` takes them. A `CallbackList` is returned unchanged, as Keras does.
        verbose: 0 or False: nothing; 1, True or "auto": `EpochBar`; 2 or more: `EpochLines`.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        return callbacks
    callbacks = keras.tree.flatten(callbacks) if callbacks else []
    if verbose == "auto" or verbose == 1:
        return [*callbacks, EpochBar()]
    return [*callbacks, EpochLines()] if verbose else callbacks
