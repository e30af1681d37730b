"""Ratings as three columns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class RatingColumns(NamedTuple):
    """Ratings as three columns of one length; `RatingAutoencoder.fit` takes them as they are.

    Attributes:
        users, items: int64 ids.
        ratings: float32.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    ratings: NDArray[np.float32]

    def rows(self, chosen: NDArray[np.generic] | slice) -> "RatingColumns":
        """Gives some of the ratings: by index, slice or mask."""
        return RatingColumns(self.users[chosen], self.items[chosen], self.ratings[chosen])


def split_ratings(
    ratings: RatingColumns, *, test_share: float = 0.1, seed: int = 0
) -> tuple[RatingColumns, RatingColumns]:
    """Holds single ratings out, so that most of a user's row stays: the training and the test part.

    What is held out is the first `test_share` of `numpy.random.default_rng(seed).permutation(len(ratings.users))`.
    """
    order = np.random.default_rng(seed).permutation(len(ratings.users))
    count = int(test_share * len(order))
    return ratings.rows(order[count:]), ratings.rows(order[:count])
