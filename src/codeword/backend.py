"""Chooses an installed Keras backend before Keras loads, and hands Keras out.

Keras itself takes "tensorflow" where nothing is set, and fails where only JAX or PyTorch is installed. Modules that
need Keras write `from codeword.backend import keras`, so that the choice is always made first and a missing backend
is told in the same words.
"""

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

from codeword.errors import MissingExtraError

if TYPE_CHECKING:
    import keras as keras

PREFERENCE = ("jax", "torch", "tensorflow")


def choose_backend() -> str | None:
    """Names the first installed backend in `KERAS_BACKEND`, unless the user has chosen.

    Does nothing where the variable is set (empty counts as not set, as for Keras) or Keras is already imported.
    `keras.json` is not asked: Keras writes "tensorflow" into it by itself, so it does not show what the user wants.

    Returns:
        The backend that Keras has or will take; None if none is installed.
    """
    if not os.environ.get("KERAS_BACKEND") and "keras" not in sys.modules:
        installed = next((name for name in PREFERENCE if _is_installed(name)), None)
        if installed is None:
            return None
        os.environ["KERAS_BACKEND"] = installed
    return os.environ.get("KERAS_BACKEND") or sys.modules["keras"].backend.backend()


def _is_installed(name: str) -> bool:
    # A bare folder of that name, as uninstalling leaves it behind, is found too: it has no origin.
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def __getattr__(name: str) -> Any:
    if name != "keras":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    backend = choose_backend()
    if backend is None:
        raise MissingExtraError(
            "codeword needs Keras with a backend: JAX, PyTorch or TensorFlow: got none of them is installed. "
            'Install one: pip install "codeword[jax]" (or codeword[torch], codeword[tensorflow]).'
        )
    try:
        return importlib.import_module("keras")
    except ImportError as error:
        raise MissingExtraError(
            f"Keras could not load its backend: got KERAS_BACKEND={backend!r} and the error {error!r}. "
            f'Install it, pip install "codeword[{backend}]", or set KERAS_BACKEND to one that is installed.'
        ) from error
