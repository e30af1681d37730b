"""Whether the columns of users, items and ratings are in another order than they seem (no Keras)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.arrays.id_columns import naming
from codeword.recommenders.given_ratings import GivenRatings, numbers_of

MOST_RATINGS = 101  # different ones: 0 to 10 in steps of 0.1, or percent
LARGEST_RATING = 100.0


def order_in_doubt(given: GivenRatings, scale: tuple[float, float] | None = None) -> str | None:
    """Return what to say if ids stand where the ratings should be, and ratings where the ids should be; else None.

    The ratings are then whole numbers as many and as large as ids, and a column of ids has far fewer different
    numbers, all of which lie on the scale.

    Args:
        given: The columns.
        scale: The lowest and the highest rating. None: unknown, at most 100.
    """
    if given.values is None:
        return None
    values = numbers_of(given)
    if not np.isfinite(values).all() or (values % 1).any() or values.min(initial=0) < 0:
        return None
    low, high = (-LARGEST_RATING, LARGEST_RATING) if scale is None else scale
    most = min(MOST_RATINGS, len(np.unique(values)) // 2)
    for place, ids in enumerate((given.users, given.items)):
        different = _different_numbers(ids, most)
        if different is not None and low <= different[0] and different[-1] <= high:
            return _in_words(given, place, different, values)
    return None


def _different_numbers(ids: Any, most: int) -> NDArray[np.float64] | None:
    """Return the different ids in ascending order if they are numbers and not more than this number, else None."""
    try:
        different = np.unique(np.asarray(np.ma.compressed(ids), np.float64))
    except (TypeError, ValueError):
        return None
    return different if 1 < len(different) <= most else None


def _in_words(given: GivenRatings, place: int, different: NDArray[np.float64], values: NDArray[Any]) -> str:
    names = list(given.columns[:3])
    order = [names[1 - place], names[2], names[place]] if place == 0 else [names[0], names[2], names[1]]
    ratings, ids = names[place], names[2]
    found = (
        f"`{ratings}` ({len(different)} different, {different[0]:g} to {different[-1]:g}) looks like ratings, and "
        f"`{ids}` ({values.min():g} to {values.max():g}) like ids."
    )
    if given.are_arrays:
        return f"{found} Pass arrays in the order (users, items, ratings)."
    return f"{found} {naming(list(map(str, order)), counted=False)}"
