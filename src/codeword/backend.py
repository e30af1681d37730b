"""Choose an installed Keras backend before Keras is imported.

Without a setting Keras takes "tensorflow", and fails if only JAX or PyTorch is installed. Modules that need Keras use
`from codeword.backend import keras`, so the choice always comes first and a missing backend always has the same error.
"""

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

from codeword.errors import ForkedProcessError, MissingExtraError

if TYPE_CHECKING:
    import keras as keras

PREFERENCE = ("jax", "torch", "tensorflow")

_COMPUTED_IN: list[int] = []  # the process in which Keras has computed


def choose_backend() -> str | None:
    """Set `KERAS_BACKEND` to the first installed backend, unless the user has chosen one.

    Nothing is set if the variable is set (an empty value counts as not set, as in Keras) or Keras is already imported.
    `keras.json` is ignored: Keras writes "tensorflow" into it on its own, so it does not show what the user wants.

    Returns:
        The backend that Keras uses or will use; None if none is installed.
    """
    if not os.environ.get("KERAS_BACKEND") and "keras" not in sys.modules:
        installed = next((name for name in PREFERENCE if _is_installed(name)), None)
        if installed is None:
            return None
        os.environ["KERAS_BACKEND"] = installed
    return os.environ.get("KERAS_BACKEND") or sys.modules["keras"].backend.backend()


def check_not_forked() -> None:
    """Refuse to compute with Keras in a fork of a process in which it has computed.

    A fork has none of the threads of its parent. All three backends would wait for theirs forever.
    """
    if not _COMPUTED_IN:
        _COMPUTED_IN.append(os.getpid())
    if _COMPUTED_IN[0] != os.getpid():
        raise ForkedProcessError(
            "Keras must compute in a process that was started, not forked, if its parent has computed with Keras: got "
            f'a fork of process {_COMPUTED_IN[0]}. Use multiprocessing.get_context("spawn"), or joblib with "loky".'
        )


def _is_installed(name: str) -> bool:
    # An empty folder of that name, as uninstalling may leave it behind, is found, too, but has no origin.
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def __getattr__(name: str) -> Any:
    if name != "keras":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    backend = choose_backend()
    if backend is None:
        raise MissingExtraError(
            "Keras must have a backend, JAX, PyTorch or TensorFlow: got none of them. "
            'Install one with pip install "codeword[jax]" (or codeword[torch], codeword[tensorflow]).'
        )
    try:
        return importlib.import_module("keras")
    except ImportError as error:
        raise MissingExtraError(
            f"Keras must be able to load its backend: got KERAS_BACKEND={backend!r} and the error {error!r}. "
            f'Install it with pip install "codeword[{backend}]", or set KERAS_BACKEND to one that is installed.'
        ) from error
