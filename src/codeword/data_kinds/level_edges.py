"""Levels, and the edges between their bins (no Keras)."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from codeword.errors import ParameterError

MAX_LEVELS = 65_536
LARGEST = float(np.finfo(np.float32).max)


def checked_levels(values: int | Sequence[float]) -> tuple[float, ...]:
    """Return levels as a tuple of floats.

    Args:
        values: Strictly ascending finite numbers, at least two; or their count, up to 65,536, for 0, 1, 2, ….

    Raises:
        ParameterError: If there are too few or too many, or if they are repeated, unsorted, or not finite numbers.
    """
    counted = isinstance(values, int | np.integer) and not isinstance(values, bool)
    if counted and values > MAX_LEVELS:  # type: ignore[operator]
        raise ParameterError(f"`levels` must be at most {MAX_LEVELS}: got {values}. Use UnitInterval or Real.")
    try:
        if isinstance(values, str | bytes):  # a string of digits would pass as a sequence of numbers
            raise TypeError("text")
        levels = tuple(float(value) for value in (range(int(values)) if counted else values))  # type: ignore[arg-type, union-attr]
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f"`levels` must be numbers or their count: got {values!r}.") from error
    if not 2 <= len(levels) <= MAX_LEVELS or not np.isfinite(levels).all() or not _ascend(levels):
        raise ParameterError(
            f"`levels` must be 2 to {MAX_LEVELS} finite numbers in strictly ascending order: got {list(levels)}. "
            "np.unique(levels) sorts them and drops repeated ones."
        )
    if max(-levels[0], levels[-1]) > LARGEST:
        raise ParameterError(
            f"`levels` must lie within ±{LARGEST:.2g}, float32's: got {levels[0]:g} to {levels[-1]:g}. Scale them."
        )
    return levels


def _ascend(levels: tuple[float, ...]) -> bool:
    return all(low < high for low, high in pairwise(levels))


def level_edges(levels: Sequence[float], edges: str | Sequence[float]) -> NDArray[np.float64]:
    """Return the `len(levels) - 1` edges between the bins of the levels: bin i is [edge i-1, edge i).

    `edges` are "midpoint", "floor" or the edges themselves.

    Raises:
        ParameterError: If an edge is not above its level and at most equal to the next level.

    Example:
        >>> level_edges([0, 1, 10], "midpoint").tolist()
        [0.5, 5.5]
    """
    values = np.array(levels, np.float64)
    lower, upper = values[:-1], values[1:]
    if isinstance(edges, str):
        if edges not in ("midpoint", "floor"):
            raise ParameterError(f'`edges` must be "midpoint", "floor" or an array: got {edges!r}.')
        return upper if edges == "floor" else lower + (upper - lower) / 2
    try:
        own = np.array(edges, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ParameterError(f'`edges` must be "midpoint", "floor" or numbers: got {edges!r}.') from error
    if own.shape != lower.shape or not ((lower < own) & (own <= upper)).all():
        raise ParameterError(
            f"`edges` must be {len(lower)} numbers, each above its level and at most the next of {list(levels)}: "
            f"got {own.tolist()}."
        )
    return own


def checked_edges(levels: Sequence[float], edges: str | Sequence[float]) -> str | tuple[float, ...]:
    """Return edges as they are saved, a word or a tuple of floats; refuse the same edges as `level_edges`."""
    own = level_edges(levels, edges)
    return edges if isinstance(edges, str) else tuple(own.tolist())
