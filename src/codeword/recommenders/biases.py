"""What a rating owes to its user and its item alone, on the scale that the networks see."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from codeword.data_kinds import Ratings

SCALE_WIDTH = 4.0  # of the scale that the networks see, so that no setting depends on the unit of the ratings
SHRINKAGE = 5.0  # every user and item gets this many average ratings in addition to their own
ROUNDS = 10


@dataclass(frozen=True)
class Biases:
    """The mean rating, and how far the ratings of each user and item lie above it, float32; 0 without ratings."""

    mean: float
    users: NDArray[np.float32]
    items: NDArray[np.float32]

    @classmethod
    def of(cls, ratings: scipy.sparse.csr_array) -> "Biases":
        """Fit the biases by ridge regression, users and items in turn.

        References:
            Koren, "Factor in the Neighbors", 2010, section 2.1. Differs: one constant for both, and several rounds.
        """
        by_item = ratings.tocsc()
        mean = float(ratings.data.mean(dtype=np.float64))
        users, items = np.zeros(ratings.shape[0]), np.zeros(ratings.shape[1])
        for _ in range(ROUNDS):
            items = _means(by_item.indptr, by_item.data - mean - users[by_item.indices])
            users = _means(ratings.indptr, ratings.data - mean - items[ratings.indices])
        return cls(mean, users.astype(np.float32), items.astype(np.float32))

    def completed(self, ratings: scipy.sparse.csr_array, learned_from: scipy.sparse.csr_array) -> "Biases":
        """Return the same biases, with those of users and items that had no rating to learn from, but have one here."""
        without = np.bincount(learned_from.indices, minlength=len(self.items)) == 0
        return self.renewed(ratings, np.diff(learned_from.indptr) == 0, without)

    def renewed(
        self, ratings: scipy.sparse.csr_array, of_users: NDArray[np.bool_], of_items: NDArray[np.bool_]
    ) -> "Biases":
        """Return the same biases, with those of some items, and then of some users, from their ratings here."""
        users, items = self.users.copy(), self.items.copy()
        by_item = ratings.tocsc()
        items[of_items] = _means(by_item.indptr, by_item.data - self.mean - users[by_item.indices])[of_items]
        users[of_users] = _means(ratings.indptr, ratings.data - self.mean - items[ratings.indices])[of_users]
        return Biases(self.mean, users, items)

    def users_of(self, ratings: scipy.sparse.csr_array) -> NDArray[np.float32]:
        """Return the biases of other users from their ratings of the same items."""
        return _means(ratings.indptr, ratings.data - self.mean - self.items[ratings.indices]).astype(np.float32)

    def residuals(self, ratings: scipy.sparse.csr_array, users: NDArray[np.float32]) -> scipy.sparse.csr_array:
        """Return what the biases do not explain of each rating, as a matrix of the same entries."""
        rest = ratings.data - np.float32(self.mean) - np.repeat(users, np.diff(ratings.indptr))
        rest -= self.items[ratings.indices]
        return scipy.sparse.csr_array((rest, ratings.indices, ratings.indptr), shape=ratings.shape)


def to_network_scale(ratings: scipy.sparse.csr_array, kind: Ratings) -> scipy.sparse.csr_array:
    """Return ratings on a scale from 0 to 4."""
    data = (ratings.data - np.float32(kind.low)) * np.float32(SCALE_WIDTH / (kind.high - kind.low))
    return scipy.sparse.csr_array((data, ratings.indices, ratings.indptr), shape=ratings.shape)


def network_unit(kind: Ratings) -> float:
    """Return what 1 on the networks' scale is in units of the ratings."""
    return (kind.high - kind.low) / SCALE_WIDTH


def _means(indptr: NDArray[np.integer], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean of each row's entries and of `SHRINKAGE` zeros."""
    lengths = np.diff(indptr)
    sums = np.bincount(np.repeat(np.arange(len(lengths)), lengths), values, len(lengths))
    return np.asarray(sums / (lengths + SHRINKAGE))
