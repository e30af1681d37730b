"""Loads any saved model: `codeword.load`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeword.errors import ParameterError
from codeword.model_file import read_model_file

if TYPE_CHECKING:
    from codeword.estimators.autoencoder import Autoencoder
    from codeword.estimators.rating_autoencoder import RatingAutoencoder


def load(path: str | Path, *, encoder: Any = None, decoder: Any = None) -> "Autoencoder | RatingAutoencoder":
    """Loads a model that `save` wrote. Runs no code of the file.

    Args:
        path: A `.codeword` file.
        encoder, decoder: The own Keras models that the model was fitted with, if any; their weights are taken from
            the file.

    Returns:
        The fitted model.

    Raises:
        FileNotFoundError: If there is no such file.
        ModelFileError: If the file is damaged, foreign, hostile or of a newer format.
        ParameterError: If own models are missing or do not fit.
    """
    config, arrays = read_model_file(path)
    # Each is imported where it is needed: a model of ratings answers without Keras.
    if config.get("estimator") == "RatingAutoencoder":
        if encoder is not None or decoder is not None:
            raise ParameterError(
                f"`encoder` and `decoder` belong to an Autoencoder. Received: {path}, a RatingAutoencoder. "
                "Call load(path)."
            )
        from codeword.estimators.rating_loading import rating_autoencoder_from

        return rating_autoencoder_from(path, config, arrays)
    from codeword.estimators.autoencoder_loading import autoencoder_from

    return autoencoder_from(path, config, arrays, encoder=encoder, decoder=decoder)
