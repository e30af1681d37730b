"""How much networks and a Gaussian model count beside biases, and how wrong all are together, by held-out ratings."""

from typing import NamedTuple

import numpy as np
import scipy.optimize
from numpy.typing import NDArray

from codeword.recommenders.row_network import Float32Array

ITEMS_WEIGHT = 0.8  # of networks by items beside networks by users, without held-out ratings to choose it
EXPLAINED_BY_CHANCE = 6.0  # error variances: two factors fitted to noise explain more in one of twenty cases
FITTED = 2  # factors: of the networks together and of the Gaussian model
FOLDS = 10


class Weights(NamedTuple):
    """The weight of each network and of the Gaussian model in a prediction; together at most 1."""

    networks: Float32Array
    gaussian: float


class HeldOut(NamedTuple):
    """What is predicted of the residuals of held-out ratings, and what they are.

    Attributes:
        kinds: What each network has as rows, "items" or "users".
        networks: Each network's predictions, `(networks, ratings)`.
        gaussian: The Gaussian model's, `(ratings,)`.
        targets: The residuals, `(ratings,)`.
    """

    kinds: list[str]
    networks: Float32Array
    gaussian: Float32Array
    targets: Float32Array

    def weights(self) -> Weights:
        """Weigh networks of one kind equally, and the two kinds, the Gaussian model and the biases by the errors.

        What is found is shrunk towards the biases by what chance may explain of it, so that a network that helps with
        few ratings by luck does little harm to others.
        """
        mixture = self._mixture()
        if len(self.targets) == 0:
            return Weights(mixture.astype(np.float32), 0.0)
        of_networks = mixture @ self.networks
        shares = np.array(_shares(of_networks, self.gaussian, self.targets))
        shares *= _certainty(shares @ [of_networks, self.gaussian], self.targets)
        return Weights((shares[0] * mixture).astype(np.float32), float(shares[1]))

    def combined(self, weights: Weights) -> NDArray[np.float64]:
        """Return the predictions of all together."""
        return np.asarray(weights.networks.astype(np.float64) @ self.networks + weights.gaussian * self.gaussian)

    def cross_fitted(self, generator: np.random.Generator) -> NDArray[np.float64]:
        """Return the predictions of all together, each by weights that the others gave: as wrong as on new ratings."""
        fold = generator.permutation(len(self.targets)) % FOLDS
        combined = np.zeros(len(self.targets))
        for number in range(FOLDS):
            combined[fold == number] = self._of(fold == number).combined(self._of(fold != number)._weights_or_none())
        return combined

    def _weights_or_none(self) -> Weights:
        return self.weights() if len(self.targets) else Weights(np.zeros(len(self.kinds), np.float32), 0.0)

    def _of(self, ratings: NDArray[np.bool_]) -> "HeldOut":
        return HeldOut(self.kinds, self.networks[:, ratings], self.gaussian[ratings], self.targets[ratings])

    def _mixture(self) -> NDArray[np.float64]:
        """Return the weights of the networks among themselves, in sum 1."""
        by_items = np.array([by == "items" for by in self.kinds])
        if by_items.all() or not by_items.any():
            return np.full(len(self.kinds), 1 / len(self.kinds))
        one, other = self.networks[by_items].mean(axis=0), self.networks[~by_items].mean(axis=0)
        share = _least_squares(one - other, self.targets - other, without=ITEMS_WEIGHT)
        return np.where(by_items, share / by_items.sum(), (1 - share) / (~by_items).sum())


def _shares(one: NDArray[np.floating], other: NDArray[np.floating], target: Float32Array) -> tuple[float, float]:
    """Return the factors, not below 0 and at most 1 in sum, that bring two predictions together nearest to targets."""
    factors, _ = scipy.optimize.nnls(np.column_stack([one, other]).astype(np.float64), target.astype(np.float64))
    if factors.sum() > 1:
        share = _least_squares(one - other, target - other, without=1.0)
        return share, 1 - share
    return float(factors[0]), float(factors[1])


def _certainty(prediction: NDArray[np.float64], target: Float32Array) -> float:
    """Return the share, from 0 to 1, of what a fitted prediction explains that chance does not."""
    explained, free = float(prediction @ prediction), len(target) - FITTED
    if explained <= 0 or free < 1:
        return 0.0
    variance = float(np.square(prediction - target).sum()) / free
    return max(0.0, 1 - EXPLAINED_BY_CHANCE * variance / explained)


def _least_squares(prediction: NDArray[np.floating], target: NDArray[np.floating], *, without: float) -> float:
    """Return the factor from 0 to 1 that brings predictions nearest to targets; `without` if all are 0."""
    prediction = prediction.astype(np.float64)
    square = float(prediction @ prediction)
    return float(np.clip(prediction @ target / square, 0, 1)) if square > 0 else without
