"""Loads any saved model: `codeword.load`."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeword.errors import ParameterError
from codeword.files.model_file import read_model_file

if TYPE_CHECKING:
    from codeword.autoencoders.autoencoder import Autoencoder
    from codeword.gates.hard_gate_classifier import HardGateClassifier
    from codeword.gates.hard_gate_regressor import HardGateRegressor
    from codeword.recommenders.rating_autoencoder import RatingAutoencoder


def load(
    path: str | Path, *, encoder: Any = None, decoder: Any = None, experts: Sequence[Any] | None = None
) -> "Autoencoder | RatingAutoencoder | HardGateClassifier | HardGateRegressor":
    """Loads a model that `save` wrote. Runs no code of the file.

    Args:
        path: A `.codeword` file.
        encoder, decoder: The own Keras models that the model was fitted with, if any; their weights are taken from
            the file.
        experts: The experts that a gate was fitted with, fitted, in the same order; the file does not hold them.

    Returns:
        The fitted model.

    Raises:
        FileNotFoundError: If there is no such file.
        ModelFileError: If the file is damaged, foreign, hostile or of a newer format.
        ParameterError: If own models or experts are missing or do not fit.
    """
    config, arrays = read_model_file(path)
    estimator = config.get("estimator")
    given = {"encoder": encoder, "decoder": decoder, "experts": experts}
    taken = _PARTS_OF.get(estimator, tuple(given)) if isinstance(estimator, str) else tuple(given)
    idle = [name for name, part in given.items() if part is not None and name not in taken]
    if idle:
        raise ParameterError(
            f"`{idle[0]}` is no part of {estimator}. Received: {idle[0]}={given[idle[0]]!r} for {path}. "
            "Call load(path) without it."
        )
    # Imported where it is needed: a model of ratings answers without Keras.
    name = estimator if isinstance(estimator, str) and estimator in _LOADER_OF else "Autoencoder"
    module, function = _LOADER_OF[name]
    parts = {part: given[part] for part in _PARTS_OF[name]}
    return getattr(importlib.import_module(module), function)(path, config, arrays, **parts)


_LOADER_OF = {
    "Autoencoder": ("codeword.autoencoders.loading", "autoencoder_from"),
    "RatingAutoencoder": ("codeword.recommenders.loading", "rating_autoencoder_from"),
    "HardGateClassifier": ("codeword.gates.loading", "gate_from"),
    "HardGateRegressor": ("codeword.gates.loading", "gate_from"),
}
_PARTS_OF: dict[str, tuple[str, ...]] = {
    "Autoencoder": ("encoder", "decoder"),
    "RatingAutoencoder": (),
    "HardGateClassifier": ("experts",),
    "HardGateRegressor": ("experts",),
}
