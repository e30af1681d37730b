"""Build an autoencoder whose code is the rows themselves, as sums of codebook entries."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from codeword import layers
from codeword.autoencoders.heads import head_of_values
from codeword.backend import keras
from codeword.code_kinds import CodeKind
from codeword.data_kinds import DataKind
from codeword.data_kinds.level_edges import checked_levels
from codeword.errors import DataError, ParameterError
from codeword.inference.fixed_batches import in_fixed_batches
from codeword.layers.codebook_layer import LOSSES
from codeword.objectives.objective import Networks, OwnTraining

ops = keras.ops

START_ROWS = 30_000  # k-means gains nothing from more
START_ITERATIONS = 20
TRIAL_ROWS = 12_000
TRIAL_ITERATIONS = 5
FEW_DIRECTIONS = 32  # none of so few is worth leaving out
TRIED_DIRECTIONS = (32, 48, 64, 96, 128, 192, 256, 384, 512)
MOST_DIRECTIONS = 1_024
SPHERE_TOLERANCE = 2e-3  # of the radius: rows may come from half precision


def build_residual(
    data: DataKind,
    code: CodeKind,
    shape: tuple[int, ...],
    *,
    hidden: Sequence[int],
    noise: float,
    directions: int | None,
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
    levels = list(checked_levels(data.exact_match["levels"])) if data.exact_match else None
    settings = {"hidden": tuple(hidden), "directions": directions, "levels": levels}
    layer = getattr(layers, code.layer)(
        code.num_symbols, code.symbol_sizes[0], **settings, dtype="float32", name="code"
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

    encoder = keras.Model(rows, values, name="encoder")
    losses = keras.Model(rows, layer(flat, returns=LOSSES), name="losses")
    return Networks(
        keras.Model(rows, decoded(values), name="autoencoder"),
        encoder,
        keras.Model(inputs, decoded(inputs), name="decoder"),
        keras.Model(rows, [symbols, margin], name="symbolizer"),
        OwnTraining(losses, _mean, partial(start_codebooks, layer), partial(revive_entries, layer, encoder)),
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
    center, spread = _center_and_spread(rows)
    left = ((rows - center) / spread).astype(np.float32)
    directions = _main_directions(left)[:, : layer.directions] if layer.directions else None
    left = left if directions is None else left @ directions
    codebooks, _ = _k_means_codebooks(left, left[:0], layer.num_codebooks, size, seed, START_ITERATIONS)
    layer.start(codebooks, center, spread, _sphere_of(rows), directions)


def revive_entries(layer: Any, encoder: Any, entered: NDArray[np.float32]) -> None:
    """Replace entries that no row chooses by what is left of the rows that are reconstructed worst.

    Args:
        layer: `layers.ResidualSteps`, trained.
        encoder: Model from rows as they enter the network to symbols.
        entered: Rows of the training, of which the first 30,000 count.
    """
    entered = entered[:START_ROWS]
    pieces = in_fixed_batches(encoder, entered, description="usage")
    symbols = np.concatenate([part for _, part in pieces]).astype(np.int32)
    used = np.stack([np.bincount(column, minlength=layer.size) > 0 for column in symbols.T])
    if used.all():
        return
    left = layer.left_of(entered.reshape(len(entered), -1), symbols)  # (num_codebooks + 1, n, directions)
    worst = np.argsort(-np.square(left[-1]).sum(axis=1), kind="stable")
    codebooks = layer.codebooks.numpy().copy()
    levels, dead = np.nonzero(~used)
    codebooks[levels, dead] = left[levels, worst[np.arange(len(dead)) % len(worst)]]
    layer.replace(codebooks, ~used)


def best_directions(entered: NDArray[np.float32], code: CodeKind, seed: int) -> int | None:
    """Return in how many main directions codebooks reconstruct held-out rows best; None for all.

    In all directions codebooks learn the noise of their rows: with 8 bytes for sentence embeddings of 384 numbers, new
    rows are reconstructed and found best in 64 of them.

    Args:
        entered: Rows as they enter the network, `(n, ...)`.
        code: A code kind that quantizes rows.
        seed: Seed of the rows that are held out, and of k-means.
    """
    rows = entered.reshape(len(entered), -1)
    width, size = rows.shape[1], code.symbol_sizes[0]
    rows = rows[np.random.default_rng(seed).permutation(len(rows))[:TRIAL_ROWS]]
    count = len(rows) // 5
    if width <= FEW_DIRECTIONS or len(rows) - count < 2 * size:
        return None
    center, spread = _center_and_spread(rows)
    if not spread:
        return None
    rows = ((rows - center) / spread).astype(np.float32)
    held_out, rows = rows[:count], rows[count:]
    basis = _main_directions(rows)
    best, least = None, np.inf
    for number in [*(tried for tried in TRIED_DIRECTIONS if tried < basis.shape[1]), width]:
        part = basis[:, :number] if number < width else np.eye(width, dtype=np.float32)
        _, left = _k_means_codebooks(rows @ part, held_out @ part, code.num_symbols, size, seed, TRIAL_ITERATIONS)
        lost = np.square(held_out).sum() - np.square(held_out @ part).sum()
        error = float(lost + np.square(left).sum())
        if error > 1.02 * least:  # and with more directions it rises further
            break
        if error < least * (1 + 1e-3):
            best, least = None if number == width else number, min(error, least)
    return best


def _center_and_spread(rows: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    center = rows.mean(axis=0, dtype=np.float64)
    return center, float(np.sqrt(np.square(rows - center).mean()))


def _main_directions(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return orthogonal directions of centered rows as columns, those in which they vary most first."""
    most = min(MOST_DIRECTIONS, *rows.shape)
    if rows.shape[1] > MOST_DIRECTIONS:
        from sklearn.utils.extmath import randomized_svd

        return np.ascontiguousarray(randomized_svd(rows, most, random_state=0)[2].T, np.float32)
    _, vectors = np.linalg.eigh(rows.T.astype(np.float64) @ rows)
    return np.ascontiguousarray(vectors[:, ::-1][:, :most], np.float32)


def _sphere_of(rows: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the center and radius of the sphere on which all rows lie; None if there is none.

    Embeddings have unit length before they are standardized. Sums of entries are shorter, and the less certain, the
    shorter: only their direction counts.
    """
    count, width = rows.shape
    if count < 4 * width or width > MOST_DIRECTIONS:
        return None
    center, spread = _center_and_spread(rows)
    x = (rows - center) / spread
    x = np.concatenate([x, np.ones((count, 1))], axis=1)
    # |x - c|² = r² is linear: 2 c·x + (r² - |c|²) = |x|²
    squares = np.square(x[:, :-1]).sum(axis=1)
    solution = np.linalg.lstsq(x.T @ x, x.T @ squares, rcond=1e-9)[0]
    middle = solution[:-1] / 2
    radius = np.sqrt(max(solution[-1] + middle @ middle, 0.0))
    lengths = np.sqrt(np.square(x[:, :-1] - middle).sum(axis=1))
    if not radius or np.abs(lengths / radius - 1).max() > SPHERE_TOLERANCE:
        return None
    return np.append(center + middle * spread, radius * spread)


def _k_means_codebooks(
    rows: NDArray[np.float32], others: NDArray[np.float32], many: int, size: int, seed: int, iterations: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the centers of clusters of rows, then of what is left of them, …, and what is left of other rows."""
    rows, others = np.ascontiguousarray(rows), np.ascontiguousarray(others)
    codebooks = np.empty((many, size, rows.shape[1]), np.float32)
    for number in range(many):
        options = {"niter": iterations, "seed": (seed + number) % 2**31, "min_points_per_centroid": 1}
        found = faiss.Kmeans(rows.shape[1], size, max_points_per_centroid=START_ROWS, **options)
        found.train(rows)
        codebooks[number] = found.centroids
        rows, others = (part - codebooks[number][found.index.search(part, 1)[1][:, 0]] for part in (rows, others))
    return codebooks, others


def _mean(y_true: Any, y_pred: Any) -> Any:
    """Return the mean loss of the codebooks; the network compares with the rows itself."""
    return ops.mean(y_pred, axis=-1)
