"""Numbers such as -1 or 99 that stand for "not rated", recognized by their distance from the ratings."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MAX_SEEN = 100_000  # values that are sorted
LEAST_OTHERS = 3  # different ratings
USUAL = (-1, 0, 99, 100, 999, 9999, -9, -99, -999, -9999)
FAR = 1.5  # times the largest distance between ratings, for one of the usual numbers
VERY_FAR = 5.0  # for any other


class Sentinel(NamedTuple):
    """A number that probably stands for "not rated", how many times it occurs, and the range of the others."""

    value: float
    times: int
    low: float
    high: float


def sentinel_in(ratings: NDArray[Any]) -> Sentinel | None:
    """Return the lowest or highest number if it occurs again and lies apart from the others; None without such a one.

    Example:
        >>> sentinel_in(np.array([1, 2, 3, 4, 5, 99, 99]))
        Sentinel(value=99.0, times=2, low=1.0, high=5.0)
    """
    if len(ratings) == 0:
        return None
    seen = np.unique(ratings[:: 1 + len(ratings) // MAX_SEEN]).astype(np.float64)
    for value in (float(ratings.min()), float(ratings.max())):
        others = seen[seen != value]
        if len(others) < LEAST_OTHERS:
            continue
        apart = np.abs(others - value).min() / np.diff(others).max()
        if apart > (FAR if value in USUAL else VERY_FAR):
            times = int((ratings == value).sum())
            if times > 1:
                rest = ratings[ratings != value]
                return Sentinel(value, times, float(rest.min()), float(rest.max()))
    return None
