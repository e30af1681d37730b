"""Load the model that a command needs, or name the command that takes it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeword.errors import ParameterError

if TYPE_CHECKING:
    from codeword.autoencoders.autoencoder import Autoencoder
    from codeword.recommenders.rating_autoencoder import RatingAutoencoder


def load_autoencoder(path: Path) -> "Autoencoder":
    """Load a model that encodes and decodes rows."""
    return _loaded(path, "Autoencoder", "Use it with `codeword recommend`.")


def load_recommender(path: Path) -> "RatingAutoencoder":
    """Load a model that recommends items."""
    return _loaded(path, "RatingAutoencoder", "Train one with `codeword fit ratings.csv --data ratings:1-5`.")


def _loaded(path: Path, wanted: str, remedy: str) -> Any:
    from codeword.files.saved_model import load

    model = load(path)
    if type(model).__name__ != wanted:
        raise ParameterError(f"{path} must hold a model of class {wanted}: got {type(model).__name__}. {remedy}")
    return model
