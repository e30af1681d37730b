"""Binary codes from activations or an already trained encoder: rotation and thresholds, no retraining."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from codeword.arrays.rows import as_rows
from codeword.autoencoders.autoencoder import Autoencoder
from codeword.autoencoders.networks import encoder_features
from codeword.autoencoders.plain_codes import cut_at_mean, rotation
from codeword.backend import keras
from codeword.code_kinds import Bits
from codeword.data_kinds import Real
from codeword.errors import DataError, ParameterError
from codeword.inference.fixed_batches import in_fixed_batches
from codeword.settings import TRAINING, one_of
from codeword.training.recipe import seeded

_RULE = one_of("rotation", "median", "zero")
_RIDGE = 1e-3  # of the linear decoder: share of the variance of a bit
_ABOVE_ZERO = 1e-20  # `SignBits` counts 0 as 1


def binarize(
    encoder: Any,
    x: Any = None,
    *,
    bits: int | None = None,
    rule: str = "rotation",
    seed: int = 0,
    verbose: bool | int = 1,
) -> Autoencoder:
    """Turn a trained Keras encoder, or the activations of any other one, into binary codes, without retraining.

    The result is a fitted `Autoencoder` of `Real` data: it encodes, saves, and works with stores like any other. Its
    decoder is the linear map from bits to rows with the lowest squared error. To continue training the encoder
    instead, call `Autoencoder(encoder=encoder, code=Bits(bits)).fit(x)`, which starts from its weights.

    Args:
        encoder: Keras model or layer with one input, from rows to activations. It is copied. Or the activations
            themselves, an array or frame of numbers of shape `(n, ...)`, without `x`.
        x: Rows as the encoder takes them, of shape `(n, ...)`. Thresholds and rotation are learned from them.
        bits: Number of bits of a code, at most the number of units of the encoder or the columns of the activations.
            None: that number.
        rule: "rotation": principal components of the activations, rotated to lie near the corners of a cube (ITQ) and
            cut at the mean. "median": each unit is a bit, cut at its median, which balances it unless many rows share
            one value. "zero": each unit is a bit, 1 where the unit is above 0.
        seed: Seed of the rotation.
        verbose: 0 or False: silent. 1 or True: a progress bar.

    Returns:
        The fitted autoencoder. Its rows are those of `x`, or activations.

    Raises:
        ParameterError: If the encoder does not take the rows, or `bits` or `rule` cannot work.
        DataError: If the rows are not finite, or all activations are constant.
        DataTypeError: If `x` is not an array of numbers.

    Warns:
        UserWarning: If units of the encoder are dead: the same for all rows, so that their bits say nothing. Of
            activations, only if there are more bits than columns that change, or the rule is not "rotation".

    Example:
        >>> import keras
        >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="tanh")])
        >>> hasher = binarize(encoder, np.random.default_rng(0).random((100, 8)), bits=2, verbose=0)
        >>> hasher.encode(np.zeros((3, 8))).shape
        (3, 1)
        >>> activations = np.random.default_rng(0).normal(size=(100, 12))
        >>> binarize(activations, bits=8, verbose=0).encode(activations).shape
        (100, 1)

    References:
        Gong et al., "Iterative Quantization: A Procrustean Approach to Learning Binary Codes", 2013.
    """
    _RULE.check("rule", rule)
    TRAINING["seed"].check("seed", seed)
    if x is None:
        if isinstance(encoder, keras.layers.Layer):
            raise ParameterError("`x` must be rows for the encoder: got None.")
        encoder, x = None, encoder
    unit, owner = ("column", "the activations") if encoder is None else ("unit", "the encoder")
    kind = Real()
    rows = kind.check(as_rows(x))
    # Rows enter the encoder as they are, not standardized.
    statistics = {"mean": np.zeros(rows.shape[1:]), "scale": np.ones(rows.shape[1:])}
    entered = kind.to_network(rows, statistics)
    with seeded(seed):
        activations = _activations(encoder, entered, verbose=verbose)
    num_units = activations.shape[1]
    code = Bits(num_units if bits is None else bits)
    # A rotation to fewer directions leaves out columns that never change.
    spare = max(0, num_units - code.num_bits) if encoder is None and rule == "rotation" else 0
    _warn_about_dead(activations, unit, owner, spare=spare)
    if code.num_bits > num_units or (rule != "rotation" and code.num_bits != num_units):
        allowed = f"at most {num_units}" if rule == "rotation" else f"{num_units} with rule={rule!r}"
        raise ParameterError(
            f"`bits` must be {allowed}, the number of {unit}s of {owner}: got {bits}. For more bits, train "
            f"Autoencoder(code=Bits({bits}))."
        )
    matrix = rotation(activations, code.num_bits, seed) if rule == "rotation" else np.eye(num_units)
    codes = cut_at_mean(rule, activations, matrix)
    if rule != "rotation":
        codes = codes._replace(thresholds=_just_above(activations @ matrix, rule))

    model = Autoencoder(data=kind, code=code, encoder=encoder, hidden=(), seed=seed, verbose=verbose)
    model._check_settings()
    validate_data(model, rows, skip_check_array=True)
    model._assemble(kind, rows.shape[1:], statistics)
    codes.enter(model.encoder_)
    targets = entered.reshape(len(rows), -1)
    model.decoder_.get_layer("head").set_weights(_linear_decoder(model.transform(rows), targets))
    model.history_ = {}
    inference = model.evaluate(rows)
    model.training_gap_ = {"inference": inference, "training": inference}
    validate_data(model, x, skip_check_array=True)  # remembers the names of the columns
    return model


def _activations(encoder: Any, entered: NDArray[np.float32], *, verbose: bool | int) -> NDArray[np.float64]:
    """Return the encoder's outputs for rows, or the rows themselves without one, as float64 of shape `(n, units)`."""
    if encoder is None:
        return entered.reshape(len(entered), -1).astype(np.float64)
    inputs = keras.Input(entered.shape[1:], name="row")
    model = keras.Model(inputs, encoder_features(inputs, Real(), hidden=(), encoder=encoder))
    parts = in_fixed_batches(model, entered, description="activations", verbose=verbose)
    found = np.concatenate([part for _, part in parts]).astype(np.float64)
    if not np.isfinite(found).all():
        raise DataError("The encoder must return finite numbers: got NaN or infinity. Check its weights.")
    return found


def _warn_about_dead(activations: NDArray[np.float64], unit: str, owner: str, *, spare: int) -> None:
    num_rows, num_units = activations.shape
    dead = np.flatnonzero(np.ptp(activations, axis=0) == 0)
    if len(dead) == num_units:
        raise DataError(
            f"{owner.capitalize()} must separate rows: got {len(dead)} {unit}s that are the same for all {num_rows} "
            "rows. Pass different rows or another encoder."
        )
    if len(dead) > spare:
        units = ", ".join(f"{number} (always {activations[0, number]:g})" for number in dead[:10])
        warnings.warn(
            f"{len(dead)} of the {num_units} {unit}s of {owner} are dead, the same for all {num_rows} rows: {units}. "
            "They carry no information. Train with codeword.Bits to use every bit.",
            stacklevel=3,
        )


def _just_above(scores: NDArray[np.float64], rule: str) -> NDArray[np.float64]:
    """Return thresholds just above 0, or halfway from each unit's median to its next larger value.

    The median itself would put all rows of a unit that is mostly 0, as after ReLU, on one side. If the median is the
    largest value, as of saturated units, the threshold lies halfway to the next smaller value.
    """
    if rule == "zero":
        return np.full(scores.shape[1], _ABOVE_ZERO)
    cut = np.median(scores, axis=0)
    above = np.where(scores > cut, scores, np.inf).min(axis=0)
    below = np.where(scores < cut, scores, -np.inf).max(axis=0)
    beside = np.where(np.isfinite(above), above, np.where(np.isfinite(below), below, cut + 2))
    return (cut + beside) / 2


def _linear_decoder(symbols: NDArray[Any], targets: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return the kernel and bias that map signs to targets best: ridge regression in closed form."""
    signs = symbols * 2.0 - 1.0
    mean, target_mean = signs.mean(axis=0), targets.mean(axis=0, dtype=np.float64)
    centered = signs - mean
    gram = centered.T @ centered + _RIDGE * len(signs) * np.eye(signs.shape[1])
    kernel = np.linalg.solve(gram, centered.T @ (targets - target_mean))
    return [kernel.astype(np.float32), (target_mean - mean @ kernel).astype(np.float32)]
