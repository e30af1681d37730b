"""Who took what: likes, clicks, purchases, plays."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.finite_numbers import as_finite_numbers
from codeword.data_kinds.kind import DataKind, Statistics
from codeword.errors import DataError


@dataclass(frozen=True)
class Interactions(DataKind):
    """Likes, clicks, purchases or plays: pairs of a user and an item, perhaps with a count. Other pairs are unknown.

    A pair without a count counts as 1, and one with the count 0 is left out. There are no ratings to predict, only
    items that a user may take next.

    Example:
        >>> Interactions().check([1, 12, 3]).tolist()
        [1, 12, 3]
    """

    loss: str = field(default="binary_crossentropy", init=False, repr=False)  # the only one, so not an argument
    losses: ClassVar[tuple[str, ...]] = ("binary_crossentropy",)
    has_missing: ClassVar[bool] = True
    when_to_take: ClassVar[dict[str, str]] = {
        "binary_crossentropy": "Over all cells: 1 for what a user took, 0 for everything else."
    }
    meaning = "who took what, and perhaps how often; all other pairs are unknown"
    scaling = "RatingAutoencoder learns which items are taken together."
    word = "interactions"

    def check(self, x: Any, *, first_row: int | None = None) -> NDArray[Any]:
        x = as_finite_numbers(x, first_row=first_row)
        wrong = x <= 0
        if wrong.any():
            lowest, highest = float(x.min()), float(x.max())
            of_ratings = f" If they are ratings, use Ratings({lowest:g}, {highest:g})." if lowest < highest else ""
            raise DataError(
                f"Counts of interactions must be above 0: got {lowest:g} to {highest:g}, {int(wrong.sum())} of "
                f"{x.size} not above 0. Drop those rows (of a sparse matrix: `eliminate_zeros`): a pair that was not "
                f"taken does not occur.{of_ratings}"
            )
        return x

    def strengths(self, x: NDArray[Any]) -> NDArray[Any]:
        """Return how much each count says that it was liked, c / (1 + c): the first as much as all others."""
        return np.asarray(x / (1 + x))

    @property
    def liked_from(self) -> float:
        """The least count that says that it was liked: any."""
        return -np.inf

    def from_network(self, output: NDArray[np.floating[Any]], statistics: Statistics) -> NDArray[np.uint8]:
        return (output >= 0).astype(np.uint8)

    def values_code(self, output: str) -> str:
        return f"{output} >= 0"
