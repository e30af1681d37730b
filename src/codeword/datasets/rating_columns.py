"""Ratings as three columns."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class RatingColumns(NamedTuple):
    """Ratings as three columns of one length, as `RatingAutoencoder.fit` takes them.

    Attributes:
        users: int64 ids.
        items: int64 ids.
        ratings: float32.
    """

    users: NDArray[np.int64]
    items: NDArray[np.int64]
    ratings: NDArray[np.float32]

    def rows(self, chosen: NDArray[np.generic] | slice) -> "RatingColumns":
        """Return some of the ratings, chosen by index, slice or mask."""
        return RatingColumns(self.users[chosen], self.items[chosen], self.ratings[chosen])


def split_ratings(
    ratings: RatingColumns, *, test_share: float = 0.1, seed: int = 0
) -> tuple[RatingColumns, RatingColumns]:
    """Split ratings at random into a training and a test part.

    Single ratings are held out, so that most ratings of each user stay in the training part. The test part is the first
    `test_share` of `numpy.random.default_rng(seed).permutation(len(ratings.users))`.

    Args:
        ratings: Ratings to split.
        test_share: Share of the ratings in the test part.
        seed: Seed of the permutation.

    Returns:
        The training part and the test part.
    """
    order = np.random.default_rng(seed).permutation(len(ratings.users))
    count = int(test_share * len(order))
    return ratings.rows(order[count:]), ratings.rows(order[:count])
