"""Build an autoencoder whose code is the rows themselves, as sums of codebook entries."""

from collections.abc import Sequence
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from codeword import layers
from codeword.autoencoders.heads import head_of_values
from codeword.backend import keras
from codeword.code_kinds import CodeKind
from codeword.data_kinds import DataKind
from codeword.errors import DataError, ParameterError
from codeword.layers.codebook_layer import LOSSES
from codeword.objectives.objective import Networks, OwnTraining

ops = keras.ops

START_ROWS = 30_000  # k-means gains nothing from more
START_ITERATIONS = 20


def build_residual(
    data: DataKind,
    code: CodeKind,
    shape: tuple[int, ...],
    *,
    hidden: Sequence[int],
    noise: float,
    encoder: Any = None,
    decoder: Any = None,
) -> Networks:
    """Build the networks of `Residual`, which share one layer; see `networks.build_autoencoder`.

    Raises:
        ParameterError: If there is noise, or a network of the user's own.
    """
    if encoder is not None or decoder is not None:
        raise ParameterError(
            f"`encoder` and `decoder` must be None for {code}, which quantizes the rows themselves. In your own Keras "
            "model, put layers.ResidualQuantizer between the two."
        )
    if noise:
        raise ParameterError(f"`noise` must be 0 for {code}, which has no thresholds: got {noise}.")
    layer = getattr(layers, code.layer)(
        code.num_symbols, code.symbol_sizes[0], hidden=tuple(hidden), dtype="float32", name="code"
    )
    rows = keras.Input(shape, name="row")
    flat = keras.layers.Flatten(dtype="float32", name="row_flat")(rows)
    # First of all calls: Keras takes each to have as many outputs as the first.
    symbols, margin = layer(flat, returns="choices")
    values = ops.cast(symbols, "float32")
    inputs = keras.Input(code.value_shape, name="code_values")

    def decoded(values: Any) -> Any:
        numbers = keras.layers.Reshape(shape, dtype="float32", name="row_shape")(layer(values, returns="decoded"))
        return head_of_values(numbers, data)

    losses = keras.Model(rows, layer(flat, returns=LOSSES), name="losses")
    return Networks(
        keras.Model(rows, decoded(values), name="autoencoder"),
        keras.Model(rows, values, name="encoder"),
        keras.Model(inputs, decoded(inputs), name="decoder"),
        keras.Model(rows, [symbols, margin], name="symbolizer"),
        OwnTraining(losses, _mean, lambda entered, seed: start_codebooks(layer, entered, seed)),
    )


def start_codebooks(layer: Any, entered: NDArray[np.float32], seed: int) -> None:
    """Set the codebooks of a layer to what k-means finds in the rows, and then in what is left of them.

    Args:
        layer: `layers.ResidualSteps`, built.
        entered: Rows as they enter the network, `(n, ...)`.
        seed: Seed of the choice of rows and of k-means.

    Raises:
        DataError: If there are fewer different rows than entries in a codebook.
    """
    rows = entered.reshape(len(entered), -1)
    size = layer.size
    if len(rows) > START_ROWS:
        rows = rows[np.random.default_rng(seed).permutation(len(rows))[:START_ROWS]]
    different = len(np.unique(rows, axis=0))
    if different < size:
        raise DataError(
            f"`x` must have at least as many different rows as a codebook has entries, {size}: got {different}. Use "
            f"smaller codebooks, such as Residual({layer.num_codebooks}, size={max(2, different // 4)}), or more rows."
        )
    center = rows.mean(axis=0, dtype=np.float64)
    spread = float(np.sqrt(np.square(rows - center).mean()))
    left = ((rows - center) / spread).astype(np.float32)
    codebooks = np.empty(tuple(layer.codebooks.shape), np.float32)
    for number in range(layer.num_codebooks):
        codebooks[number], left = _k_means(left, size, seed + number)
    layer.start(codebooks, center, spread)


def _k_means(rows: NDArray[np.float32], size: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the centers of clusters, and what is left of rows without their own."""
    options = {"niter": START_ITERATIONS, "seed": seed % 2**31, "min_points_per_centroid": 1}
    found = faiss.Kmeans(rows.shape[1], size, max_points_per_centroid=START_ROWS, **options)
    found.train(np.ascontiguousarray(rows))
    centers = np.asarray(found.centroids)
    _, nearest = found.index.search(rows, 1)
    return centers, rows - centers[nearest[:, 0]]


def _mean(y_true: Any, y_pred: Any) -> Any:
    """Return the mean loss of the codebooks; the network compares with the rows itself."""
    return ops.mean(y_pred, axis=-1)
