"""Gaussian noise before a code."""

from typing import Any

from codeword import random_numbers
from codeword.backend import keras

ops = keras.ops


@keras.saving.register_keras_serializable(package="codeword")
class CodeNoise(keras.layers.Layer):
    """Adds Gaussian noise in training: `keras.layers.GaussianNoise`, by cheaper random numbers.

    Args:
        stddev: Standard deviation.
        seed: Integer; None for one that follows from `keras.utils.set_random_seed`.
    """

    def __init__(self, stddev: float, *, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = stddev
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return inputs
        normal = 2**0.5 * ops.erfinv(2 * random_numbers.uniform(inputs, self.seed_generator) - 1)
        return inputs + ops.cast(self.stddev * normal, inputs.dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}
