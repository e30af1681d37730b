"""Binary codes from an encoder that is trained already: rotation and thresholds, no retraining."""

import warnings
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from codeword.arrays.rows import check_rows
from codeword.autoencoders.autoencoder import Autoencoder
from codeword.autoencoders.settings import check_settings
from codeword.backend import keras
from codeword.code_kinds import Bits
from codeword.data_kinds import Real
from codeword.errors import DataError, ParameterError
from codeword.files.tables import as_array
from codeword.inference.fixed_batches import in_fixed_batches

RULES = ("rotation", "median", "zero")
_RIDGE = 1e-3  # of the linear decoder: share of a bit's variance
_ABOVE_ZERO = 1e-20  # `SignBits` counts 0 as 1


def binarize(
    encoder: Any,
    x: Any,
    *,
    bits: int | None = None,
    rule: str = "rotation",
    seed: int = 0,
    verbose: int = 1,
) -> Autoencoder:
    """Gives a trained Keras encoder binary codes: nothing of it is trained again.

    The result is a fitted `Autoencoder` of `Real` data: it encodes, saves, and names its codes in a store like any
    other. Its decoder is the linear map from bits to rows with the least squared error. To train the encoder on,
    give it to `Autoencoder(encoder=encoder, code=Bits(bits)).fit(x)`, which begins with its weights.

    Args:
        encoder: Built functional or Sequential Keras model with one input, rows to activations; copied, not changed.
        x: Rows as the encoder takes them, `(n, ...)`: what thresholds and rotation are learned from.
        bits: Bits of a code, at most the encoder's units; None: as many.
        rule: "rotation": principal components of the activations, rotated so that they lie near the corners of a cube
            (ITQ), cut at the mean. "median": each unit is a bit, cut at its median: balanced, unless many rows give it
            one value. "zero": each unit is a bit, 1 where it is above 0.
        seed: Of the rotation.
        verbose: 0 silent, 1 a progress bar.

    Raises:
        ParameterError: If the encoder does not take the rows, or `bits` or `rule` cannot work.
        DataError, DataTypeError: If the rows are not finite numbers.
        DataError: If all activations are constant.

    Warns:
        UserWarning: If units of the encoder are dead, the same for all rows: as bits they would tell nothing.

    Example:
        >>> import keras
        >>> encoder = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, activation="tanh")])
        >>> hasher = binarize(encoder, np.random.default_rng(0).random((100, 8)), bits=2, verbose=0)
        >>> hasher.encode(np.zeros((3, 8))).shape
        (3, 1)

    Source:
        Gong et al., "Iterative Quantization: A Procrustean Approach to Learning Binary Codes", 2013.
    """
    if rule not in RULES:
        raise ParameterError(f"`rule` must be one of {', '.join(RULES)}. Received: {rule!r}.")
    rows = check_rows(as_array(x))
    model = Autoencoder(data=Real(), code=Bits(1), encoder=encoder, hidden=(), seed=seed, verbose=verbose)
    activations = _activations(model, rows)
    num_units = activations.shape[1]
    _warn_of_dead(activations)
    model.code = Bits(num_units if bits is None else bits)
    if model.code.num_bits > num_units or (rule != "rotation" and model.code.num_bits != num_units):
        allowed = f"at most {num_units}" if rule == "rotation" else f"{num_units} with rule={rule!r}"
        raise ParameterError(
            f"`bits` must be {allowed}, the units of the encoder. Received: {bits}. Give fewer, or train "
            f"Autoencoder(code=Bits({bits}))."
        )
    matrix = _rotation(activations, model.code.num_bits, seed) if rule == "rotation" else np.eye(num_units)
    scores = activations @ matrix
    thresholds = scores.mean(axis=0) if rule == "rotation" else _just_above(scores, rule)
    _put_together(model, rows, matrix, thresholds, scores)
    validate_data(model, x, skip_check_array=True)  # remembers the columns' names
    return model


def _activations(model: Autoencoder, rows: NDArray[Any]) -> NDArray[np.float64]:
    """Passes rows through a network of the encoder alone."""
    _prepare(model, rows)
    model._build_networks()
    features = model.encoder_.get_layer("code_projection").input
    inner = keras.Model(model.encoder_.inputs[0], features)
    parts = in_fixed_batches(inner, model._rows(rows), description="activations", verbose=model.verbose)
    found = np.concatenate([part for _, part in parts]).astype(np.float64)
    if not np.isfinite(found).all():
        raise DataError("The encoder must give finite numbers. Received: NaN or infinity. Check its weights.")
    return found


def _prepare(model: Autoencoder, rows: NDArray[Any]) -> None:
    """Gives the model what `fit` would have learned of the data; rows enter the network as they are."""
    check_settings(model)
    assert model.data is not None, "given by `binarize`"
    assert model.code is not None, "given by `binarize`"
    model.data_, model.code_, model.input_shape_ = model.data, model.code, rows.shape[1:]
    if rows.ndim == 2:
        model.n_features_in_ = rows.shape[1]
    model.data_.check(rows)
    model.statistics_ = {"mean": np.zeros(rows.shape[1:]), "scale": np.ones(rows.shape[1:])}


def _warn_of_dead(activations: NDArray[np.float64]) -> None:
    dead = np.flatnonzero(np.ptp(activations, axis=0) == 0)
    if len(dead) == activations.shape[1]:
        raise DataError(
            f"The encoder must tell rows apart. Received: {len(dead)} units that are the same for all "
            f"{len(activations)} rows. Give different rows, or another encoder."
        )
    if len(dead):
        units = ", ".join(f"{unit} (always {activations[0, unit]:g})" for unit in dead[:10])
        warnings.warn(
            f"{len(dead)} of the encoder's {activations.shape[1]} units are dead, the same for all {len(activations)} "
            f"rows: {units}. They carry nothing; train with codeword.Bits to have every bit used.",
            stacklevel=3,
        )


def _rotation(activations: NDArray[np.float64], num_bits: int, seed: int) -> NDArray[np.float64]:
    """Gives the matrix of shape `(units, num_bits)` by which activations come near the corners of a cube."""
    itq = faiss.ITQTransform(activations.shape[1], num_bits, True)
    itq.itq.seed = (seed + 123) % 2**31  # FAISS' own default is 123
    # FAISS wants as many rows as bits; the same rows again change neither mean nor principal components.
    enough = np.tile(activations, (-(-num_bits // len(activations)), 1))
    itq.train(np.ascontiguousarray(enough, np.float32))
    matrix = faiss.vector_to_array(itq.pca_then_itq.A).reshape(num_bits, activations.shape[1])
    return matrix.T.astype(np.float64)


def _just_above(scores: NDArray[np.float64], rule: str) -> NDArray[np.float64]:
    """Gives thresholds just above 0, or halfway from each unit's median to its next larger value.

    Not at the median itself: of units that are 0 for most rows, as after ReLU, all rows would lie at or above it. Where
    the median is the largest value, as of saturated units, the threshold lies halfway to the next smaller one.
    """
    if rule == "zero":
        return np.full(scores.shape[1], _ABOVE_ZERO)
    cut = np.median(scores, axis=0)
    above = np.where(scores > cut, scores, np.inf).min(axis=0)
    below = np.where(scores < cut, scores, -np.inf).max(axis=0)
    beside = np.where(np.isfinite(above), above, np.where(np.isfinite(below), below, cut + 2))
    return (cut + beside) / 2


def _put_together(
    model: Autoencoder,
    rows: NDArray[Any],
    matrix: NDArray[np.float64],
    thresholds: NDArray[np.float64],
    scores: NDArray[np.float64],
) -> None:
    """Gives the networks their weights: the matrix, the thresholds at the spread of the scores, the linear decoder."""
    _prepare(model, rows)
    model._build_networks()
    spread = scores.std(axis=0)
    spread[np.ptp(scores, axis=0) == 0] = 1
    model.encoder_.get_layer("code_projection").set_weights([matrix / spread])
    normalization = model.encoder_.get_layer("code_normalization")
    normalization.set_weights([thresholds / spread, np.full_like(spread, 1 - normalization.epsilon)])
    values = model.data_.check(rows)
    targets = model.data_.to_network(values, model.statistics_).reshape(len(rows), -1)
    model.decoder_.get_layer("head").set_weights(_linear_decoder(model.transform(rows), targets))
    model.history_ = {}
    inference = model.evaluate(rows)
    model.training_gap_ = {"inference": inference, "training": inference}


def _linear_decoder(symbols: NDArray[Any], targets: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Gives kernel and bias by which signs come nearest to the targets: ridge regression in closed form."""
    signs = symbols * 2.0 - 1.0
    mean, target_mean = signs.mean(axis=0), targets.mean(axis=0, dtype=np.float64)
    centered = signs - mean
    gram = centered.T @ centered + _RIDGE * len(signs) * np.eye(signs.shape[1])
    kernel = np.linalg.solve(gram, centered.T @ (targets - target_mean))
    return [kernel.astype(np.float32), (target_mean - mean @ kernel).astype(np.float32)]
