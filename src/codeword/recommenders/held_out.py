"""Ratings held out of training: how they are drawn, and how wrong biases are on others that could have been drawn."""

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.recommenders.biases import SCALE_WIDTH, Biases

MOST_REFITTED = 2_000_000  # ratings that biases are fitted to again to see how hard the held-out ones are


def split(
    ratings: scipy.sparse.csr_array, fraction: float, seed: int
) -> tuple[scipy.sparse.csr_array, scipy.sparse.csr_array]:
    """Hold out a share of the ratings, drawn evenly, so that they are like new ratings."""
    held_out = np.zeros(ratings.nnz, bool)
    count = int(fraction * ratings.nnz)
    held_out[np.random.default_rng([seed, 0]).choice(ratings.nnz, count, replace=False)] = True
    return _entries_of(ratings, ~held_out), _entries_of(ratings, held_out)


def expected_square(
    squares: NDArray[np.floating],
    squares_of_biases: NDArray[np.floating],
    whole: scipy.sparse.csr_array,
    generator: np.random.Generator,
) -> float:
    """Return the mean squared error to expect on new ratings, from the one on held-out ratings drawn evenly.

    A few held-out ratings may be harder or easier than most. Biases, which are fitted again in no time, tell by how
    much: their error on other parts of the same size has the same mean, and less noise.

    Args:
        squares: Squared errors on the held-out ratings.
        squares_of_biases: The same of the biases alone.
        whole: All ratings, on the networks' scale.
        generator: Source of random numbers.
    """
    plain, count = float(squares.mean()), len(squares)
    num_parts = min(whole.nnz // count, MOST_REFITTED // whole.nnz)
    variance = float(np.var(squares_of_biases))
    if num_parts == 0 or variance == 0 or count == whole.nnz:
        return plain
    slope = float(np.clip(np.mean((squares - plain) * squares_of_biases) / variance, 0, 1))
    order, total = generator.permutation(whole.nnz), 0.0
    for part in range(num_parts):
        chosen = np.zeros(whole.nnz, bool)
        chosen[order[part * count : (part + 1) * count]] = True
        biases = Biases.of(_entries_of(whole, ~chosen))
        total += float(np.square(errors_of_biases(biases, _entries_of(whole, chosen))).mean())
    expected = plain - slope * (float(squares_of_biases.mean()) - total / num_parts)
    return expected if expected > 0 else plain


def errors_of_biases(biases: Biases, ratings: scipy.sparse.csr_array) -> NDArray[np.float64]:
    """Return how far the biases alone, clipped to the scale, are above each rating."""
    predicted = ratings.data.astype(np.float64) - biases.residuals(ratings, biases.users).data
    return np.asarray(np.clip(predicted, 0, SCALE_WIDTH) - ratings.data)


def _entries_of(matrix: scipy.sparse.csr_array, chosen: NDArray[np.bool_]) -> scipy.sparse.csr_array:
    indptr = np.concatenate([[0], np.cumsum(chosen)])[matrix.indptr]
    return scipy.sparse.csr_array((matrix.data[chosen], matrix.indices[chosen], indptr), shape=matrix.shape)
