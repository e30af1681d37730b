"""A Gaussian model of what users add to biases: few factors, learned in closed form by variational Bayes.

    residual of a user for an item = factors of the user · factors of the item + noise

Users' factors are standard normal. Items' factors are normal with a variance for each factor, which is learned, so that
factors that the ratings do not support vanish and no penalty has to be chosen. Where most users rated most items, the
answer, a conditional mean, is nearer to the truth than that of a network, which takes many steps to learn it. Users
need no memory of their own: their factors follow from their ratings.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from codeword.recommenders.row_network import Float32Array

RANK = 20
ROUNDS = 12
USERS_AT_A_TIME = 2048
START_SCALE = 0.1  # standard deviation of the first factors, which must differ from each other
SMALLEST_NOISE = 1e-2  # so that no equation is close to singular
SMALLEST = 1e-6  # variance of a factor


@dataclass(frozen=True)
class GaussianFactors:
    """What is known of the items' factors.

    Attributes:
        means: float32 `(items, rank)`; 0 for an item without ratings.
        variances: How uncertain they are, float32 `(items, rank)`.
        noise: Variance of the noise.
        weight: Weight of this model in a prediction, from 0 to 1.
    """

    means: Float32Array
    variances: Float32Array
    noise: float
    weight: float = 1.0

    @threadpool_limits.wrap(limits=1, user_api="blas")  # many small products
    def of_users(self, residuals: scipy.sparse.csr_array) -> Float32Array:
        """Return the factors of each row's user from the residuals of the user's ratings; 0 without ratings."""
        factors = np.empty((residuals.shape[0], self.means.shape[1]), np.float32)
        squares = _pair_products(self.means)
        squares[:, _is_square(self.means.shape[1])] += self.variances
        for start in range(0, len(factors), USERS_AT_A_TIME):
            rows = residuals[start : start + USERS_AT_A_TIME]
            found, _ = _posterior(_ones(rows) @ squares, rows @ self.means, np.float32(1), self.noise)
            factors[start : start + USERS_AT_A_TIME] = found
        return factors


@threadpool_limits.wrap(limits=1, user_api="blas")
def fit_gaussian(residuals: scipy.sparse.csr_array, generator: np.random.Generator) -> GaussianFactors:
    """Learn items' factors and the noise from residuals (users, items), in memory that does not grow with the users.

    References:
        Lim and Teh, "Variational Bayesian Approach to Movie Rating Prediction", 2007. Differs: on residuals of biases.
    """
    each_rates = residuals.nnz / max(1, np.count_nonzero(np.diff(residuals.indptr)))
    rank = min(RANK, *residuals.shape, max(1, int(each_rates)))  # few ratings do not tell many factors
    rated = np.bincount(residuals.indices, minlength=residuals.shape[1]) > 0
    is_square = _is_square(rank)
    means = generator.standard_normal((residuals.shape[1], rank), np.float32) * np.float32(START_SCALE)
    means[~rated] = 0
    covariances = np.zeros((len(means), len(is_square)), np.float32)
    prior = np.full(rank, 1 / rank, np.float32)
    total = float(np.square(residuals.data, dtype=np.float64).sum())
    noise = max(total / residuals.nnz, SMALLEST_NOISE)
    for _ in range(ROUNDS):
        squares, products, mean_square = _sums_over_users(residuals, means, covariances, noise)
        means, covariances = _posterior(squares, products, prior, noise)
        second = covariances + _pair_products(means)
        twice = np.where(is_square, 1, 2)  # every pair of different factors stands for two
        explained = 2 * np.einsum("ir,ir->r", means, products).sum() - np.einsum("ip,ip->p", second, squares) @ twice
        noise = max((total - float(explained)) / residuals.nnz, SMALLEST_NOISE)
        # Users' factors are scaled to a variance of 1, and items' factors by the inverse.
        scale = np.sqrt(np.maximum(mean_square, SMALLEST))
        means *= scale
        covariances *= _pair_products(scale[None])
        prior = np.maximum(second[rated][:, is_square].mean(axis=0) * scale**2, SMALLEST)
    return GaussianFactors(means, covariances[:, is_square], noise)


def renewed_items(
    old: GaussianFactors, residuals: scipy.sparse.csr_array, changed: NDArray[np.bool_]
) -> GaussianFactors:
    """Return the same model with the factors of some items solved again, from the ratings of all users."""
    rated = old.means.any(axis=1)
    prior = (np.square(old.means[rated]) + old.variances[rated]).mean(axis=0)
    users = old.of_users(residuals)
    columns = residuals.T.tocsr()[changed]
    means, variances = old.means.copy(), old.variances.copy()
    squares = _ones(columns) @ _pair_products(users)
    means[changed], covariances = _posterior(squares, columns @ users, np.maximum(prior, SMALLEST), old.noise)
    variances[changed] = covariances[:, _is_square(means.shape[1])]
    return GaussianFactors(means, variances, old.noise, old.weight)


def _sums_over_users(
    residuals: scipy.sparse.csr_array, means: Float32Array, covariances: Float32Array, noise: float
) -> tuple[Float32Array, Float32Array, Float32Array]:
    """Return over each item's users the sums of uuᵀ and of residuals times u, and the mean of u² over all users."""
    squares, products = np.zeros_like(covariances), np.zeros_like(means)
    is_square = _is_square(means.shape[1])
    square = np.zeros(means.shape[1])
    second = covariances + _pair_products(means)
    for start in range(0, residuals.shape[0], USERS_AT_A_TIME):
        rows = residuals[start : start + USERS_AT_A_TIME]
        ones = _ones(rows)
        users, spread = _posterior(ones @ second, rows @ means, np.float32(1), noise)
        spread += _pair_products(users)
        squares += ones.T @ spread
        products += rows.T @ users
        square += spread[:, is_square].sum(axis=0, dtype=np.float64)
    return squares, products, (square / residuals.shape[0]).astype(np.float32)


def _posterior(
    squares: Float32Array, products: Float32Array, prior: Float32Array | np.float32, noise: float
) -> tuple[Float32Array, Float32Array]:
    """Return the mean and the covariances of each vector that must explain sums of squares and of products."""
    rank = products.shape[1]
    rows, columns = np.triu_indices(rank)
    precision = np.empty((len(squares), rank, rank))
    precision[:, rows, columns] = precision[:, columns, rows] = squares / noise
    precision[:, np.arange(rank), np.arange(rank)] += 1 / prior
    inverse = np.linalg.inv(precision).astype(np.float32)
    means = np.einsum("nij,nj->ni", inverse, products / np.float32(noise))
    return means, inverse[:, rows, columns]


def _pair_products(vectors: Float32Array) -> Float32Array:
    """Return the product of every two entries of each vector, in the order of `triu_indices`."""
    rows, columns = np.triu_indices(vectors.shape[1])
    return vectors[:, rows] * vectors[:, columns]


def _is_square(rank: int) -> NDArray[np.bool_]:
    """Return which of the pairs are a factor with itself."""
    rows, columns = np.triu_indices(rank)
    return np.asarray(rows == columns)


def _ones(matrix: scipy.sparse.csr_array) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array((np.ones_like(matrix.data), matrix.indices, matrix.indptr), shape=matrix.shape)
