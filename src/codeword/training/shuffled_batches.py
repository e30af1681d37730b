"""Shuffled batches of one size."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras


class ShuffledBatches(keras.utils.PyDataset):
    """Gives shuffled batches of inputs and targets, each epoch anew.

    Every batch has the same number of rows, so that one compiled step serves all: the last one of an epoch is filled up
    from its first.

    Args:
        x: Rows of shape `(n, ...)`.
        y: Their targets, `(n, ...)`.
        batch_size: Rows a batch; fewer only if `x` has fewer.
        seed: Of the shuffling.
    """

    def __init__(self, x: NDArray[Any], y: NDArray[Any], *, batch_size: int, seed: int) -> None:
        super().__init__()
        self._x = x
        self._y = y
        self._batch_size = min(batch_size, len(x))
        self._random = np.random.default_rng(seed)
        self._order = self._shuffled()

    def __len__(self) -> int:
        return math.ceil(len(self._x) / self._batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[Any], NDArray[Any]]:
        chosen = self._chosen(index)
        return self._x[chosen], self._y[chosen]

    def on_epoch_end(self) -> None:
        self._order = self._shuffled()

    def _chosen(self, index: int) -> NDArray[np.intp]:
        """Gives the rows of a batch."""
        return self._order[index * self._batch_size : (index + 1) * self._batch_size]

    def _shuffled(self) -> NDArray[np.intp]:
        order = self._random.permutation(len(self._x))
        return np.resize(order, len(self) * self._batch_size)
