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
