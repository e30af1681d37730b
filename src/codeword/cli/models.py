"""Loads the model that a command needs, and says which command takes it where it is another."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeword.errors import ParameterError

if TYPE_CHECKING:
    from codeword.autoencoders.autoencoder import Autoencoder
    from codeword.recommenders.rating_autoencoder import RatingAutoencoder


def load_autoencoder(path: Path) -> "Autoencoder":
    """Loads a model that encodes and decodes rows.

    Raises:
        ParameterError: If it is a model of ratings.
        FileNotFoundError, ModelFileError: If it cannot be loaded.
    """
    return _loaded(path, "Autoencoder", "to encode and decode", "Use it with `codeword recommend`.")


def load_recommender(path: Path) -> "RatingAutoencoder":
    """Loads a model that recommends.

    Raises:
        ParameterError: If it is a model of rows.
        FileNotFoundError, ModelFileError: If it cannot be loaded.
    """
    remedy = "Train one: `codeword fit ratings.csv --data ratings:1-5`."
    return _loaded(path, "RatingAutoencoder", "to recommend", remedy)


_MODELS_OF = {"Autoencoder": "a model of rows", "RatingAutoencoder": "a model of ratings"}


def _loaded(path: Path, wanted: str, purpose: str, remedy: str) -> Any:
    from codeword.files.saved_model import load

    model = load(path)
    given = type(model).__name__
    if given != wanted:
        raise ParameterError(
            f"{path} must be {_MODELS_OF[wanted]}, {wanted}, {purpose}: got {given}, {_MODELS_OF[given]}. {remedy}"
        )
    return model
