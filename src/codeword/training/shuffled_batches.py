"""Shuffled batches of one size."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.training.batches import Batches, take_rows


class ShuffledBatches(Batches):
    """Gives shuffled batches of inputs and targets, each epoch anew.

    Every batch has the same number of rows, so that one compiled step serves all: the last one of an epoch is filled up
    from its first.

    Args:
        arrays: Arrays of shape `(n, ...)`, of which `batch` takes rows.
        batch_size: Rows a batch; fewer only if there are fewer.
        seed: Of the shuffling.
        batch: From the arrays and a batch's row numbers to inputs and targets; without it they are the two arrays.
    """

    def __init__(
        self,
        arrays: tuple[NDArray[Any], ...],
        *,
        batch_size: int,
        seed: int,
        batch: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.arrays = arrays
        self.batch = batch or _rows_of_all
        self.num_rows = len(arrays[0])
        self.batch_size = min(batch_size, self.num_rows)
        self.random = np.random.default_rng(seed)

    def __len__(self) -> int:
        return math.ceil(self.num_rows / self.batch_size)

    def blocks(self) -> list[tuple[int, Any]]:
        return [(len(self), self.draws(self.shuffled()))]

    def draws(self, rows: NDArray[np.int32]) -> Any:
        """Gives what the steps draw, from the row numbers of their batches, `(steps, batch_size)`."""
        return rows

    def shuffled(self) -> NDArray[np.int32]:
        """Gives the row numbers of an epoch: `(steps, batch_size)`."""
        order = self.random.permutation(np.arange(self.num_rows, dtype=np.int32))
        return np.resize(order, (len(self), self.batch_size))


def _rows_of_all(arrays: Any, rows: Any) -> Any:
    return tuple(take_rows(array, rows) for array in arrays)
