"""Loads the model that a command needs, and says which command takes it where it is another."""

from pathlib import Path
from typing import TYPE_CHECKING

from codeword.errors import ParameterError

if TYPE_CHECKING:
    from codeword.estimators.autoencoder import Autoencoder
    from codeword.estimators.rating_autoencoder import RatingAutoencoder


def load_autoencoder(path: Path) -> "Autoencoder":
    """Loads a model that encodes and decodes rows.

    Raises:
        ParameterError: If it is a model of ratings.
        FileNotFoundError, ModelFileError: If it cannot be loaded.
    """
    from codeword.estimators.autoencoder import Autoencoder
    from codeword.estimators.loading import load

    model = load(path)
    if not isinstance(model, Autoencoder):
        raise ParameterError(
            f"{path} must be a model of rows, an Autoencoder, to encode and decode them. Received: "
            f"{type(model).__name__}, a model of ratings. Use it with `codeword recommend`."
        )
    return model


def load_recommender(path: Path) -> "RatingAutoencoder":
    """Loads a model that recommends.

    Raises:
        ParameterError: If it is a model of rows.
        FileNotFoundError, ModelFileError: If it cannot be loaded.
    """
    from codeword.estimators.loading import load
    from codeword.estimators.rating_autoencoder import RatingAutoencoder

    model = load(path)
    if not isinstance(model, RatingAutoencoder):
        raise ParameterError(
            f"{path} must be a model of ratings, a RatingAutoencoder, to recommend. Received: {type(model).__name__}, "
            "a model of rows. Train one: `codeword fit ratings.csv --data ratings:1-5`."
        )
    return model
