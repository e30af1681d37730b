"""From features to a code: projection, normalization, noise in training, and the hard layer of the code kind."""

from typing import Any

from codeword.backend import keras
from codeword.code_kinds import SCALAR_RANGE, Bits, Choices, CodeKind, Floats, Scalars
from codeword.layers import CodeNoise, Hardmax, NoCode, ScalarQuantizer, SignBits
from codeword.layers.hard_layer import HardLayer


def before_code(features: Any, kind: CodeKind, *, noise: float) -> Any:
    """Projects features to what the code's thresholds look at, at unit spread.

    Batch normalization keeps every bit in use: without it a sign learns the same code for all rows. Noise in training
    drives the values away from the threshold.

    Args:
        features: Keras tensor of shape `(batch, features)`.
        kind: The code kind.
        noise: Standard deviation of Gaussian noise in training, in units of the values' own spread.

    Returns:
        Keras tensor of shape `(batch, num_symbols)`, or `(batch, num_choices, size)` for `Choices`; float32 also under
        mixed precision.
    """
    width = kind.num_choices * kind.size if isinstance(kind, Choices) else kind.num_symbols
    x = keras.layers.Dense(width, use_bias=False, dtype="float32", name="code_projection")(features)
    # Momentum .9, not Keras' .99: the averages that inference uses then follow a network that still learns fast, and
    # validation in the first epochs is not far too bad (.53 of the rows exact instead of .34 after two).
    x = keras.layers.BatchNormalization(
        momentum=0.9, center=False, scale=False, dtype="float32", name="code_normalization"
    )(x)
    if noise:
        x = CodeNoise(noise, dtype="float32", name="code_noise")(x)
    if isinstance(kind, Choices):
        x = keras.layers.Reshape((kind.num_choices, kind.size), dtype="float32", name="code_scores")(x)
    return x


def code_layer(kind: CodeKind) -> HardLayer:
    """Makes the hard layer of a code kind; its outputs are what `kind.to_network` gives for the symbols."""
    if isinstance(kind, Bits):
        return SignBits(dtype="float32", name="code")
    if isinstance(kind, Scalars):
        steps = kind.steps if isinstance(kind.steps, tuple) else int(kind.steps)
        # Hardly any value of unit spread lies outside: with 256 steps the slope there makes no difference.
        limits = {"minimum": -SCALAR_RANGE, "maximum": SCALAR_RANGE}
        return ScalarQuantizer(steps, **limits, slope="straight_through", dtype="float32", name="code")
    if isinstance(kind, Choices):
        return Hardmax(dtype="float32", name="code")
    assert isinstance(kind, Floats)
    return NoCode(dtype="float32", name="code")
