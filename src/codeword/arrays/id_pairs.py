"""Pairs of ids known by their numbers alone, where columns have no known names (no Keras)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of pairs of ids hardly any repeats, although each id does. Pairs of other whole numbers repeat as chance has it.
LEAST_CHANCE = 10  # pairs that chance would repeat
MOST_OF_CHANCE, MOST_REPEATED = 0.2, 0.05  # pairs that repeat, beside those by chance and beside all
MOST_FILLED = 0.95  # cells of all users and items: above, it is a grid
LEAST_ROWS_PER_ID = 1.5


def are_pairs_of_ids(users: NDArray[Any], items: NDArray[Any]) -> bool:
    """Return whether two columns of whole numbers are probably ids of users and items, one row per pair.

    Each number occurs in several rows, and hardly any pair does, where independent columns would repeat many.
    """
    if len(users) == 0 or min(users.min(), items.min()) < 0:
        return False
    (rows, of_users), (columns, of_items) = (
        np.unique(ids, return_inverse=True, return_counts=True)[1:] for ids in (users, items)
    )
    cells, number = len(of_users) * len(of_items), len(users)
    repeated = number - len(np.unique(rows * len(of_items) + columns))
    chance = (of_users.astype(float) ** 2).sum() * (of_items.astype(float) ** 2).sum() / (2 * number**2)
    return bool(
        chance >= LEAST_CHANCE
        and repeated <= min(MOST_OF_CHANCE * chance, MOST_REPEATED * number)
        and number - repeated < MOST_FILLED * cells
        and number >= LEAST_ROWS_PER_ID * max(len(of_users), len(of_items))
    )
