"""Gaussian noise before a code."""

from typing import Any

from codeword import random_numbers
from codeword.backend import keras
from codeword.layers.settings_layer import SettingsLayer
from codeword.settings import TRAINING, number, optional

ops = keras.ops

SETTINGS = {"stddev": number(0), "seed": optional(TRAINING["seed"])}


@keras.saving.register_keras_serializable(package="codeword")
class CodeNoise(SettingsLayer):
    """Add Gaussian noise in training; in inference return the inputs unchanged.

    Before a sign, noise makes a network keep its values away from the threshold. The layer does what
    `keras.layers.GaussianNoise` does, with random numbers that take less time.

    Args:
        stddev: Standard deviation of the noise, at least 0, in units of the input.
        seed: Integer from 0 to 2**32 - 1. None: derived from Keras' global seed.
        **kwargs: Arguments of `keras.layers.Layer`: `name`, `dtype`, ….

    Call arguments:
        inputs: Float tensor of any shape and range.
        training: Whether to add noise.

    Returns:
        Tensor of the same shape and dtype.

    Raises:
        ParameterError: If `stddev` is negative or not finite, or `seed` is not an integer in its range.

    Example:
        >>> keras.ops.convert_to_numpy(CodeNoise(0.3)(np.array([[-0.5, 2.0]]))).tolist()
        [[-0.5, 2.0]]
    """

    def __init__(self, stddev: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keep(SETTINGS, stddev=stddev, seed=seed)
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return inputs
        normal = 2**0.5 * ops.erfinv(2 * random_numbers.uniform(inputs, self.seed_generator) - 1)
        return inputs + ops.cast(self.stddev * normal, inputs.dtype)
