"""What a rating owes to its user and its item alone."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

SHRINK = 5.0  # ratings of an average user or item that everybody has beside their own
ROUNDS = 10


@dataclass(frozen=True)
class Biases:
    """The mean rating, and how far each user's and item's ratings lie above it; 0 for who has none.

    Attributes:
        mean: The mean of all ratings.
        users, items: float32 of shapes `(users,)` and `(items,)`, in units of the ratings.
    """

    mean: float
    users: NDArray[np.float32]
    items: NDArray[np.float32]

    @classmethod
    def of(cls, ratings: scipy.sparse.csr_array) -> "Biases":
        """Fits them by ridge regression, users and items in turn.

        Source:
            Koren, "Factor in the Neighbors", 2010, section 2.1. Differs: one constant for both, and several rounds.
        """
        by_item = ratings.tocsc()
        mean = float(ratings.data.mean(dtype=np.float64))
        users, items = np.zeros(ratings.shape[0]), np.zeros(ratings.shape[1])
        for _ in range(ROUNDS):
            items = _means(by_item.indptr, by_item.data - mean - users[by_item.indices])
            users = _means(ratings.indptr, ratings.data - mean - items[ratings.indices])
        return cls(mean, users.astype(np.float32), items.astype(np.float32))

    def users_of(self, ratings: scipy.sparse.csr_array) -> NDArray[np.float32]:
        """Gives the biases of other users from their ratings of the same items."""
        return _means(ratings.indptr, ratings.data - self.mean - self.items[ratings.indices]).astype(np.float32)

    def residuals(self, ratings: scipy.sparse.csr_array, users: NDArray[np.float32]) -> scipy.sparse.csr_array:
        """Gives what of each rating the biases do not explain, as a matrix of the same entries."""
        rest = ratings.data - np.float32(self.mean) - np.repeat(users, np.diff(ratings.indptr))
        rest -= self.items[ratings.indices]
        return scipy.sparse.csr_array((rest, ratings.indices, ratings.indptr), shape=ratings.shape)


def _means(indptr: NDArray[np.integer], values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Gives the mean of each row's entries and of `SHRINK` zeros."""
    lengths = np.diff(indptr)
    sums = np.bincount(np.repeat(np.arange(len(lengths)), lengths), values, len(lengths))
    return np.asarray(sums / (lengths + SHRINK))
